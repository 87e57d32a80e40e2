"""One worker and all it needs; it knows nothing of plans, runs or hosts."""
