"""The request path: what Envoy asks about every request, and how it is answered."""
