"""Plan -> Results: runs subtasks in parallel, each once, each ending in one true status."""
