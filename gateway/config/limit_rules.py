"""What the schema cannot say of limits: those that could never count anything."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.budgets import BudgetScopeBlock
from gateway.config.finding import Finding, Path
from gateway.config.limits import LimitScopeBlock
from gateway.config.written import Written
from gateway.limits import Algorithm, CountedBy, envoys_key
from gateway.problem import did_you_mean
from gateway.scopes import Mode

_OF_MODELS = ("model", "provider", "llm", "mcp", "tool", "a2a")
_WORKERS = "leave counted_by out: then workers count"
_OF_CALLERS = ("key", "user", "team")


_UNCOUNTED = ("tokens", "bytes", "concurrent")
_MOST = 2**32 - 1


def envoy_can_count(written: Written) -> Iterator[Finding]:
    """What Envoy would count otherwise than it is meant, or not at all."""
    for index, limit in enumerate(written.config.limits):
        if limit.counted_by is not CountedBy.ENVOY and limit.service is None:
            continue
        at = ("limits", index)
        fields = [name for name in type(limit.scope).model_fields if name != "route"]
        if limit.scope.route is None:
            yield Finding(
                (*at, "for"), "Envoy counts on plain routes only", "write for: {route: …}"
            )
        for field in fields:
            if getattr(limit.scope, field) is not None:
                yield Finding((*at, "for", field), f"Envoy does not know the {field}", _WORKERS)
        for field in _UNCOUNTED:
            if getattr(limit, field) is not None:
                yield Finding((*at, field), f"Envoy counts requests, and no {field}", _WORKERS)
        if limit.algorithm is not Algorithm.TOKEN_BUCKET:
            yield Finding((*at, "algorithm"), "Envoy has a token_bucket only", _WORKERS)
        if limit.mode is not Mode.ENFORCE:
            yield Finding((*at, "mode"), "Envoy's limits are enforced", _WORKERS)
        if limit.by is not None and envoys_key(limit.by) is None:
            message = "Envoy counts by source.address or one header only"
            yield Finding((*at, "by"), message, _WORKERS)
        if limit.requests is not None and limit.requests.amount > _MOST:
            yield Finding((*at, "requests"), f"Envoy counts to {_MOST}", _WORKERS)


def limit_services_are_there(written: Written) -> Iterator[Finding]:
    """Who is asked must be somebody."""
    known = written.config.limit_services
    for index, limit in enumerate(written.config.limits):
        if limit.service is not None and limit.service not in known:
            message = f"no limit service '{limit.service}'"
            yield Finding(("limits", index, "service"), message, did_you_mean(limit.service, known))
        if limit.service is not None and limit.counted_by is not CountedBy.WORKERS:
            message = "the service counts, and nobody else"
            yield Finding(("limits", index, "counted_by"), message, "leave one of them out")


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


def tools_are_of_servers(written: Written) -> Iterator[Finding]:
    """`for: {tool: send_mail}`, of nobody; of budgets, too."""
    config = written.config
    scopes: list[tuple[Path, BudgetScopeBlock | LimitScopeBlock]] = [
        *((("budgets", index), each.scope) for index, each in enumerate(config.budgets)),
        *((("limits", index), each.scope) for index, each in enumerate(config.limits)),
    ]
    for path, scope in scopes:
        if scope.tool is not None and scope.mcp is None:
            yield Finding((*path, "for", "tool"), "a tool is of a server", 'mcp: "*", beside it')
