"""What the schema cannot say of limits: those that could never count anything."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding
from gateway.config.written import Written

_OF_MODELS = ("model", "provider", "llm")
_OF_CALLERS = ("key", "user", "team")


def limits_can_apply(written: Written) -> Iterator[Finding]:
    """A limit that nothing can count in would silently protect nothing."""
    is_open = {route.name for route in written.config.routes if route.auth == "none"}
    for index, limit in enumerate(written.config.limits):
        scope = limit.scope
        if scope.route is None:
            continue
        for field in _OF_MODELS:
            if getattr(scope, field) is not None:
                message = f"a plain route has no {field}"
                yield Finding(("limits", index, "for", field), message, "write route or this")
        if limit.tokens is not None:
            message = "what passes through a plain route has no tokens"
            yield Finding(("limits", index, "tokens"), message, "count requests or bytes")
        if scope.route in is_open:
            for field in _OF_CALLERS:
                if getattr(scope, field) is not None:
                    message = f"the route '{scope.route}' is open: nobody knows who calls"
                    yield Finding(("limits", index, "for", field), message, "write auth: key")
