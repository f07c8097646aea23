"""OpenAPI and Swagger documents, read as the tools of an MCP server."""
