"""What a change of the configuration does: to Envoy's resources, to the workers, to connections.

Two states in, one `Difference` out. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

import yaml

from gateway import names
from gateway.config.remote_meaning import waits_seconds
from gateway.model import Xds
from gateway.secret_texts import REDACTED
from xds_server.effects import Drain, Effect, ResourceChange, effect, policy_effect
from xds_server.envoy_json import address_text
from xds_server.field_changes import Field, FieldChange, Kind, field_changes, path
from xds_server.redaction import (
    Hidden,
    Hide,
    plainly,
    redacted,
    redacted_document,
    traceably,
)
from xds_server.render import to_json
from xds_server.resources.secrets import version_elsewhere
from xds_server.resources.topology import Topology
from xds_server.snapshot import (
    CLUSTER,
    FILTER,
    LISTENER,
    TYPES,
    Resource,
    Snapshot,
    all_resources,
)

Json: TypeAlias = dict[str, Any]


class UnreadableState(ValueError):
    """What claims to be a running configuration is not in the form of `state_json`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A resource as it may be shown."""

    type_url: str
    name: str
    version: str
    body: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """A configuration, and what Envoys are told."""

    version: str
    workers_version: str
    """Of what workers are told."""
    published: object
    """The document of the configuration."""
    resources: tuple[Shown, ...]
    is_open: bool = False
    """What is hidden in it can be compared all the same."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One field of the configuration that workers have."""

    change: FieldChange
    effect: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A resource that changed, and what that does."""

    change: ResourceChange
    effect: Effect


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs between two states."""

    old_version: str
    new_version: str
    policies: tuple[PolicyChange, ...]
    """In the order of the document."""
    resources: tuple[Judged, ...]
    """By type in sending order, then by name."""

    @property
    def is_empty(self) -> bool:
        """Nothing differs."""
        return not (self.policies or self.resources)

    @property
    def drains(self) -> tuple[Drain, ...]:
        """Every listener whose connections are drained; none: nothing is cut."""
        found = (judged.effect.drain for judged in self.resources)
        return tuple(drain for drain in found if drain is not None)


def state(
    version: str, workers_version: str, published: str, snapshot: Snapshot, hide: Hide = plainly
) -> State:
    """The state of a compiled configuration; `published` is its YAML."""
    document = redacted_document(yaml.safe_load(published), hide)
    found = tuple(_shown_resource(each, hide) for each in all_resources(snapshot))
    return State(version, workers_version, document, found, is_open=hide is traceably)


def with_groups(whole: State, groups: Mapping[str, Snapshot], xds: Xds) -> State:
    """A state, and what of the control plane's own block only node groups and clients see."""
    known = {(each.type_url, each.name, each.version) for each in whole.resources}
    own = tuple(
        replace(shown, name=f"{shown.name} (node group {group})")
        for group, snapshot in groups.items()
        for each in all_resources(snapshot)
        if (each.type_url, each.name, version_elsewhere(each.version)) not in known
        for shown in (_shown_resource(each, traceably),)
    )
    block = {
        "clients": [asdict(client) for client in xds.clients],
        "groups": [
            {"name": group.name, "match": asdict(group.match), "gateways": group.listeners}
            for group in xds.groups
        ],
        "history": xds.history_limit,
        "lifetimes": {
            f"{each.type_url.rpartition('.')[2]} {each.name}": each.ttl_seconds
            for each in (*xds.resources, *(one for group in xds.groups for one in group.resources))
            if each.ttl_seconds is not None
        },
    }
    document = whole.published if isinstance(whole.published, dict) else {}
    document = {**document, "xds": redacted_document(block, traceably)}
    return replace(whole, published=document, resources=(*whole.resources, *own))


def _shown_resource(resource: Resource, hide: Hide) -> Shown:
    body = redacted(resource.type_url, to_json(resource), hide)
    return Shown(resource.type_url, resource.name, version_elsewhere(resource.version), body)


def resources_json(snapshot: Snapshot) -> list[Json]:
    """Every resource for the admin API, without secrets."""
    return [asdict(_shown_resource(each, plainly)) for each in all_resources(snapshot)]


def state_json(version: str, workers_version: str, published: str, snapshot: Snapshot) -> Json:
    """What `GET /api/resources` answers."""
    return {
        "version": version,
        "workers_version": workers_version,
        "published": published,
        "resources": resources_json(snapshot),
    }


def state_from_json(document: object) -> State:
    """The state that an admin API told; `UnreadableState` when it is none."""
    try:
        match document:
            case {
                "version": str(version),
                "workers_version": str(workers_version),
                "published": str(published),
                "resources": list(found),
            }:
                return State(
                    version,
                    workers_version,
                    redacted_document(yaml.safe_load(published)),
                    tuple(map(_shown, found)),
                )
    except yaml.YAMLError as error:
        raise UnreadableState("its published configuration is no YAML") from error
    raise UnreadableState("it needs version, workers_version, published and resources")


def _shown(document: object) -> Shown:
    match document:
        case {
            "type_url": str(type_url),
            "name": str(name),
            "version": str(version),
            "body": dict(body),
        }:
            return Shown(type_url, name, version, body)
    raise UnreadableState("a resource needs type_url, name, version and body")


def topology_of(running: State) -> Topology:
    """What a running state was compiled with, so that a file can be compiled for comparison."""
    workers: list[str] = []
    bundle = timeout = services = None
    for each in running.resources:
        if each.type_url == CLUSTER and each.name == names.EXTPROC_CLUSTER:
            workers = [address_text(address) for address in _all(each.body, "address")]
        elif each.type_url == CLUSTER and bundle is None:
            bundle = next((ca.get("filename") for ca in _all(each.body, "trusted_ca")), None)
        elif each.type_url == FILTER and each.name == names.EXT_PROC_FILTER:
            timeout = next(iter(_all(each.body, "message_timeout")), None)
        elif each.type_url == LISTENER and each.name == names.SERVICES:
            services = address_text(each.body["address"])
    plain = Topology(workers=tuple(workers))
    return Topology(
        plain.workers,
        plain.message_timeout_seconds
        if timeout is None
        else float(str(timeout).rstrip("s")) - waits_seconds(running.published),
        plain.ca_bundle if bundle is None else bundle,
        plain.services if services is None else services,
    )


def _all(value: object, key: str) -> list[Any]:
    """Every value under this key, at any depth, outermost first."""
    match value:
        case dict():
            here = [value[key]] if key in value else []
            return here or [found for item in value.values() for found in _all(item, key)]
        case list():
            return [found for item in value for found in _all(item, key)]
    return []


def difference(old: State, new: State) -> Difference:
    """What differs, and what that does."""
    changes = _resource_changes(old, new)
    policies = [
        PolicyChange(_readable(each), policy_effect(each))
        for each in field_changes(old.published, new.published)
    ]
    is_comparable = old.is_open and new.is_open
    if not policies and not is_comparable and old.workers_version != new.workers_version:
        policies = [PolicyChange(_UNSEEN, _WRITTEN_OTHERWISE)]
    return Difference(
        old.version,
        new.version,
        tuple(policies),
        tuple(Judged(_without_hidden(each), effect(each, changes)) for each in changes),
    )


def _resource_changes(old: State, new: State) -> tuple[ResourceChange, ...]:
    before = {(each.type_url, each.name): each for each in old.resources}
    after = {(each.type_url, each.name): each for each in new.resources}
    changes = []
    for key in sorted({*before, *after}, key=_sending_order):
        first, second = before.get(key), after.get(key)
        if first is None and second is not None:
            changes.append(ResourceChange(Kind.ADDED, *key, new=second.body))
        elif second is None and first is not None:
            changes.append(ResourceChange(Kind.REMOVED, *key, old=first.body))
        elif first is not None and second is not None and first.version != second.version:
            fields = field_changes(first.body, second.body) or (_UNSEEN,)
            changes.append(ResourceChange(Kind.CHANGED, *key, first.body, second.body, fields))
    return tuple(changes)


_UNSEEN = FieldChange(Kind.CHANGED, (), REDACTED, REDACTED)
"""The versions differ, and nothing that may be shown does."""

_WRITTEN_OTHERWISE = "the digest of a key, or the order in which keys are written"


def _sending_order(key: tuple[str, str]) -> tuple[int, str, str]:
    type_url, name = key
    return (TYPES.index(type_url) if type_url in TYPES else len(TYPES), type_url, name)


def _without_hidden(change: ResourceChange) -> ResourceChange:
    return ResourceChange(
        change.kind,
        change.type_url,
        change.name,
        _open(change.old),
        _open(change.new),
        tuple(map(_readable, change.fields)),
    )


def _readable(change: FieldChange) -> FieldChange:
    return FieldChange(
        change.kind, change.steps, _open(change.old), _open(change.new), change.place
    )


def _open(value: Any) -> Any:
    """What may be shown of it."""
    match value:
        case Hidden():
            return value.shown
        case dict():
            return {key: _open(item) for key, item in value.items()}
        case list() | tuple():
            return [_open(item) for item in value]
    return value


def together(resources: Sequence[Judged]) -> list[list[Judged]]:
    """Those of one type that change alike, but for their own names; in order of the first."""
    found: dict[object, list[Judged]] = {}
    for judged in resources:
        change = judged.change
        fields = [
            (each.kind, path(each.steps), repr((each.old, each.new)), each.place)
            for each in change.fields
        ]
        key = (change.type_url, change.kind, judged.effect, repr(fields).replace(change.name, "*"))
        found.setdefault(key, []).append(judged)
    return list(found.values())


def fields_together(changes: Sequence[FieldChange]) -> list[list[FieldChange]]:
    """What changes alike in several routes; in order of the first."""
    found: dict[object, list[FieldChange]] = {}
    for each in changes:
        where = tuple(
            Field("*") if before == _IN_ROUTES and step is not each.steps[-1] else step
            for before, step in zip((None, *each.steps), each.steps, strict=False)
        )
        key = (each.kind, path(where), repr((each.old, each.new)), each.place)
        found.setdefault(key, []).append(each)
    return list(found.values())


_IN_ROUTES = Field("routes")


def to_document(found: Difference, drain_seconds: int) -> Json:
    """The JSON form; `docs/diff.md` describes it."""
    return {
        "old": found.old_version,
        "new": found.new_version,
        "is_same": found.is_empty,
        "verdict": {
            "cuts": bool(found.drains),
            "drain_seconds": drain_seconds if found.drains else None,
            "drains": [
                {
                    "listener": drain.listener,
                    "connections": drain.connections.value,
                    "why": drain.why,
                }
                for drain in found.drains
            ],
        },
        "configuration": [
            {**_field_document(each.change), "effect": each.effect} for each in found.policies
        ],
        "resources": [
            {
                "type_url": judged.change.type_url,
                "name": judged.change.name,
                **({"also": [each.change.name for each in rest]} if rest else {}),
                "change": judged.change.kind.value,
                "effects": list(judged.effect.notes),
                "fields": [
                    {
                        **_field_document(first),
                        **({"also": [one.path for one in more]} if more else {}),
                    }
                    for first, *more in fields_together(judged.change.fields)
                ],
            }
            for judged, *rest in together(found.resources)
        ],
    }


def _field_document(change: FieldChange) -> Json:
    document: Json = {"path": change.path, "change": change.kind.value}
    if change.kind in (Kind.REMOVED, Kind.CHANGED, Kind.MOVED):
        document["old"] = change.old
    if change.kind in (Kind.ADDED, Kind.CHANGED, Kind.MOVED):
        document["new"] = change.new
    if change.place:
        document["place"] = change.place
    return document
