"""The checks of limits: who counts what, and what happens when it cannot be counted."""

from __future__ import annotations

from dataclasses import replace

from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.limits import LimitService, period_name
from gateway.model import Gateway, Limit, Mode, Route, Scope
from xds_server.check import Check, Failing, Where

_UNCOUNTED = "503 limits_unavailable when the counters cannot be reached"
_HERE = LedgerPlace()
_APART = "counted by each machine for itself while the ledger is away"


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


def limit_check(limit: Limit, *, reads: str, ledger: LedgerPlace = _HERE) -> Check:
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
    has_rate = bool(limit.requests or limit.tokens or limit.bytes)
    is_shared = limit.is_workers and has_rate and not limit.is_of_machine
    failure = _failure(ledger) if is_shared else _UNCOUNTED
    return Check(name, Where.EXTPROC, reads, refusal, Failing.CLOSED, failure)


def _failure(ledger: LedgerPlace) -> str:
    """Of what machines count together, if they have where."""
    is_apart = ledger.kind is not LedgerKind.SQLITE and not ledger.are_limits_strict
    return f"{_APART}; {_UNCOUNTED}" if is_apart else _UNCOUNTED


def limits_of_key(gateway: Gateway, *, reads: str) -> Check:
    """Of whoever has a virtual key, by what is read."""
    refusal = "429 rate_limit_exceeded" + ", 411 length_required" * (reads == "headers")
    name, failure = "limits of the key, where it has some", _failure(gateway.ledger)
    return Check(name, Where.EXTPROC, reads, refusal, Failing.CLOSED, failure)


def scope_words(scope: Scope) -> str:
    """`, for team=red`."""
    asked = [
        f"{name}={value}"
        for name in type(scope).__dataclass_fields__
        if (value := getattr(scope, name)) is not None
    ]
    return f", for {' '.join(asked)}" if asked else ""
