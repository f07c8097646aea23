"""REST APIs as MCP servers: calls of tools to HTTP requests, and their answers back."""
