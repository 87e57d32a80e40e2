"""The orchestrator and its faces: MCP, the command line, and Python."""
