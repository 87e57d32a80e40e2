"""Python source read without running it: what its modules are called, deprecate and use."""
