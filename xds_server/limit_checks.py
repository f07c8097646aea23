"""The checks of limits: who counts what, and what happens when it cannot be counted."""

from __future__ import annotations

from dataclasses import replace

from gateway.limits import LimitService, period_name
from gateway.model import Gateway, Limit, Mode, Route, Scope
from xds_server.check import Check, Failing, Where

_UNCOUNTED = "503 limits_unavailable when the counters cannot be reached"


def envoys_limits(gateway: Gateway, route: Route) -> tuple[Check, ...]:
    """Those that Envoy counts, after extproc was asked; then those that it asks services about."""
    services = {service.name: service for service, _ in gateway.limit_services}
    counted = (
        replace(
            limit_check(each, reads="headers"),
            where=Where.ENVOY,
            failure="counted by each Envoy, for each host name of the route",
        )
        for each in route.envoys_limits
    )
    return (*counted, *(_asked(each, services[each.service]) for each in route.asked_limits))


def _asked(limit: Limit, service: LimitService) -> Check:
    late = f"when {service.name} has not answered in {service.timeout_seconds:g}s"
    check = replace(limit_check(limit, reads="headers"), where=Where.ENVOY, failure=late)
    if service.is_open_on_error:
        return replace(check, failing=Failing.OPEN)
    return replace(check, failure=f"503 limits_unavailable {late}")


def limit_check(limit: Limit, *, reads: str) -> Check:
    """Of extproc, by what it `reads`."""
    counted = [
        f"{rate.amount} {unit} per {period_name(rate.seconds)}"
        for rate, unit in (
            (limit.requests, "requests"),
            (limit.tokens if reads == "body" else None, "tokens"),
            (limit.bytes, "bytes"),
        )
        if rate is not None
    ]
    if limit.service:
        counted.append(f"as {limit.service} says")
    if limit.concurrent is not None:
        counted.append(f"{limit.concurrent} at a time")
    by = f", by {limit.by}" if limit.by else ""
    name = f"limit {limit.name} ({', '.join(counted)}{scope_words(limit.scope)}{by})"
    refusal = "429 rate_limit_exceeded"
    if limit.bytes is not None and reads == "headers":
        refusal += ", 411 length_required"
    if limit.mode is Mode.AUDIT:
        return Check(
            f"{name}, in audit", Where.EXTPROC, reads, "", Failing.OPEN, "counted and logged"
        )
    return Check(name, Where.EXTPROC, reads, refusal, Failing.CLOSED, _UNCOUNTED)


def scope_words(scope: Scope) -> str:
    """`, for team=red`."""
    asked = [
        f"{name}={value}"
        for name in type(scope).__dataclass_fields__
        if (value := getattr(scope, name)) is not None
    ]
    return f", for {' '.join(asked)}" if asked else ""


LIMITS_OF_KEY = Check(
    "limits of the key, where it has some",
    Where.EXTPROC,
    "body",
    "429 rate_limit_exceeded",
    Failing.CLOSED,
    _UNCOUNTED,
)
LIMITS_OF_KEY_BY_HEADERS = replace(
    LIMITS_OF_KEY, reads="headers", refusal="429 rate_limit_exceeded, 411 length_required"
)
