"""What a change does to traffic: which connections it drains, and what becomes of requests.

Seen on Envoy 1.40: only listener changes cut streams, and they do so at the drain time. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway import names
from xds_server.envoy_json import listens_at
from xds_server.field_changes import Element, Field, FieldChange, Kind
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    FILTER,
    LISTENER,
    ROUTES,
    RUNTIME,
    SCOPED_ROUTES,
    SECRET,
    VIRTUAL_HOST,
)


class Connections(StrEnum):
    """Which connections of a listener are drained."""

    ALL = "all connections"
    OF_CHANGED_CHAINS = "the connections of the filter chains that changed"


@dataclass(frozen=True, slots=True)
class Drain:
    """Connections that are told to end, and are cut at the drain time."""

    listener: str
    connections: Connections
    why: str


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that is not as it was."""

    kind: Kind
    type_url: str
    name: str
    old: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Empty: it was not there."""
    new: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fields: tuple[FieldChange, ...] = ()
    """Of one that was changed."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does."""

    notes: tuple[str, ...]
    drain: Drain | None = None


_CHAINS = frozenset({"filter_chains", "default_filter_chain", "filter_chain_matcher"})
"""What of a listener Envoy changes in place; anything else makes it anew."""

_NOTES: Mapping[tuple[str, Kind], str] = {
    (CLUSTER, Kind.ADDED): "connects and warms before any route leads to it",
    (CLUSTER, Kind.REMOVED): (
        "goes when no route leads to it any more; requests in flight go on to their end"
    ),
    (ENDPOINTS, Kind.ADDED): "comes with its cluster",
    (ENDPOINTS, Kind.CHANGED): (
        "new requests go to the new endpoints; those in flight stay where they are"
    ),
    (ENDPOINTS, Kind.REMOVED): "goes with its cluster; requests in flight go on to their end",
    (SECRET, Kind.ADDED): "comes with what uses it",
    (SECRET, Kind.CHANGED): (
        "new requests and connections use the new value; those that run keep the old one"
    ),
    (SECRET, Kind.REMOVED): "goes with what used it",
    (FILTER, Kind.ADDED): "comes with the listener that asks for it",
    (FILTER, Kind.CHANGED): "new requests pass the new filter; those in flight keep the old one",
    (FILTER, Kind.REMOVED): "goes with the listener that asked for it",
    (ROUTES, Kind.ADDED): "comes with its listener",
    (ROUTES, Kind.CHANGED): "new requests take the new routes; those in flight keep the old ones",
    (ROUTES, Kind.REMOVED): "goes with its listener",
    (RUNTIME, Kind.ADDED): "read from the next request on",
    (RUNTIME, Kind.CHANGED): "read from the next request on",
    (RUNTIME, Kind.REMOVED): "its keys have their defaults from the next request on",
    **{
        (type_url, kind): "new requests take the new routes; those in flight keep the old ones"
        for type_url in (SCOPED_ROUTES, VIRTUAL_HOST)
        for kind in (Kind.ADDED, Kind.CHANGED, Kind.REMOVED)
    },
}
_UNKNOWN = "for the clients that ask for this type; what they do with it is not known here"

_POLICIES: Mapping[str, str] = {
    "authorize": "asked of new requests; those in flight are decided by the old",
    "guardrails": "for new requests; those in flight have been read",
    "limits": "for new requests; what was counted by this name, scope and period counts on",
    "limit_services": "Envoy asks; workers need not know it",
    "rate_limit_service": "for new questions; what was counted of these entries counts on",
    "identity": "for new requests; those in flight go on, also when their key is gone",
    "routes": "workers know it before Envoy does",
    "llm.models": "for new requests; those in flight keep their plan",
    "llm.providers": "for new requests; those in flight keep their plan",
    "llm.prices": "for new requests; those in flight are booked at the price they began with",
    "alerts": "the control plane sends them; workers need not know it",
    "ledger": "for new requests; what was spent stays where it was kept",
    "gateways": "what it does to connections stands with the listener",
    "admin": "read at the start: takes effect when the control plane is started again",
    "xds": "for clients of the control plane, and no request",
}
_ANOTHER_COUNTER = "another counter: nothing is spent in it yet"
_WORKERS = "for new requests; those in flight keep the program they began with"


def effect(change: ResourceChange, all_changes: Sequence[ResourceChange]) -> Effect:
    """What the change of one resource does, among all that change with it."""
    if change.type_url == LISTENER:
        return _of_listener(change, all_changes)
    if change.type_url == CLUSTER and change.kind is Kind.CHANGED:
        return Effect(tuple(_of_changed_cluster(change)))
    return Effect((_NOTES.get((change.type_url, change.kind), _UNKNOWN),))


def policy_effect(change: FieldChange) -> str:
    """What a change of the configuration does, beside what it does to Envoy's resources."""
    block = _block(change)
    if block == "budgets":
        return _of_budget(change)
    if block == "routes" and not _is_for_workers(change):
        return "for new requests; workers need not know it"
    return _POLICIES.get(block, _WORKERS)


def _block(change: FieldChange) -> str:
    named = [step.name for step in change.steps if isinstance(step, Field)]
    return ".".join(named[:2]) if named[:1] == ["llm"] else "".join(named[:1])


def _is_for_workers(change: FieldChange) -> bool:
    """Of a route, they know the name, and whether it asks for a key."""
    if len(change.steps) > 2:
        return change.steps[2] == Field("auth")
    return change.kind is not Kind.MOVED


def _of_budget(change: FieldChange) -> str:
    """A counter is known by the budget's name, unit and scope, and when its window began."""
    steps = change.steps
    if len(steps) < 3:
        if change.kind is Kind.MOVED:
            return "budgets have no order: nothing changes"
        if change.kind is Kind.REMOVED:
            return "what it counted stays in the ledger, and counts again under the same name"
        return "counts from what the ledger has under this name: nothing, if it is new"
    match steps[2]:
        case Field("limit") if _unit(change.old) != _unit(change.new):
            return _ANOTHER_COUNTER
        case Field("limit"):
            return "what is spent stays spent"
        case Field("for" | "per" | "time_zone" | "by"):
            return _ANOTHER_COUNTER
        case Field("alerts"):
            return _POLICIES["alerts"]
    return _WORKERS


def _unit(limit: object) -> str:
    return str(limit).rpartition(" ")[2]


def _of_changed_cluster(change: ResourceChange) -> list[str]:
    notes = [
        "new connections for new requests, to all of its endpoints; requests in flight end on "
        "the old ones"
    ]
    if change.new.get("health_checks"):
        notes.append("its health checks begin anew, before it takes the old one's place")
    if change.name == names.EXTPROC_CLUSTER:
        notes.append("calls that are open stay with their worker")
    return notes


def _of_listener(change: ResourceChange, all_changes: Sequence[ResourceChange]) -> Effect:
    if "api_listener" in change.old or "api_listener" in change.new:
        return Effect(("for gRPC clients: new calls follow it, running calls go on",))
    match change.kind:
        case Kind.ADDED:
            return _binding(change, all_changes, None)
        case Kind.REMOVED:
            note = f"nobody can connect to {listens_at(change.old)} any more"
            drain = Drain(change.name, Connections.ALL, "the listener is removed")
            return Effect((note,), drain)
    outside = {name for name in map(_top, change.fields) if name not in _CHAINS}
    if "address" in outside or "additional_addresses" in outside:
        why = f"its address changes from {listens_at(change.old)} to {listens_at(change.new)}"
        return _binding(change, all_changes, Drain(change.name, Connections.ALL, why))
    if outside:
        why = f"Envoy makes the listener anew: {', '.join(sorted(outside))}"
        return Effect(
            ("the socket stays open: new connections find the new listener",),
            Drain(change.name, Connections.ALL, why),
        )
    return _of_chains(change)


def _of_chains(change: ResourceChange) -> Effect:
    """Chains that stay as they were keep their connections."""
    gone = [each for each in change.fields if _ends_a_chain(each)]
    note = "new connections find the new filter chains"
    if not gone:
        return Effect((note,))
    paths = ", ".join(dict.fromkeys(_shown(each) for each in gone))
    drain = Drain(change.name, Connections.OF_CHANGED_CHAINS, f"changed in place: {paths}")
    return Effect((note,), drain)


def _ends_a_chain(change: FieldChange) -> bool:
    """Whether a chain that had connections is no longer what it was."""
    match change.steps:
        case (Field("default_filter_chain"),):
            return change.kind is not Kind.ADDED
        case (Field("default_filter_chain"), *_):
            return True
        case (Field("filter_chains"),):
            return change.kind is Kind.REMOVED
        case (Field("filter_chains"), Element(old=place)):
            return place is not None and change.kind is not Kind.MOVED
        case (Field("filter_chains"), *_):
            return True
    return False


def _shown(change: FieldChange) -> str:
    """The part of a chain that a reader knows: the filter, else the field."""
    labels = [step.label for step in change.steps if isinstance(step, Element) and step.label]
    return labels[-1].removeprefix("name=") if labels else change.path


def _binding(
    change: ResourceChange, all_changes: Sequence[ResourceChange], drain: Drain | None
) -> Effect:
    wanted = listens_at(change.new)
    holders = [
        other.name
        for other in all_changes
        if other.type_url == LISTENER and other.name != change.name
        if other.old and listens_at(other.old) == wanted
    ]
    if not holders:
        note = f"binds {wanted}: when somebody else has it, Envoy refuses the change"
        return Effect((note,), drain)
    return Effect((f"takes {wanted} over, which {holders[0]} leaves",), drain)


def closed_first(old: Mapping[str, str], new: Mapping[str, str]) -> frozenset[str]:
    """Listeners (name → address) that have to go before others take their addresses.

    Envoy takes one listener after the other and refuses one whose address another still has. Only
    for those that are removed it makes room itself, and only they come back without a conflict.
    """
    return frozenset(
        name
        for name, has in old.items()
        for other, wants in new.items()
        if wants == has and other != name and (name in new or other in old)
    )


def _top(change: FieldChange) -> str:
    first = change.steps[0] if change.steps else Field("")
    return first.name if isinstance(first, Field) else ""
