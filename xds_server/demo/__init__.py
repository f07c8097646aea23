"""The quickstart's upstreams: two OpenAI-compatible providers that need no key and no internet."""
