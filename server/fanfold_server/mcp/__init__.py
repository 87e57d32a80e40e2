"""The MCP face: six tools over the three verbs, for any host that speaks the protocol."""
