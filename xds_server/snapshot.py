"""What Envoy is told: immutable resources, compared by the hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import (
    Collection,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from dataclasses import dataclass, field
from types import MappingProxyType
from weakref import WeakKeyDictionary

from gateway import names

ENVOY_TYPE = "type.googleapis.com/envoy."
CLUSTER = ENVOY_TYPE + "config.cluster.v3.Cluster"
ENDPOINTS = ENVOY_TYPE + "config.endpoint.v3.ClusterLoadAssignment"
SECRET = ENVOY_TYPE + "extensions.transport_sockets.tls.v3.Secret"
LISTENER = ENVOY_TYPE + "config.listener.v3.Listener"
ROUTES = ENVOY_TYPE + "config.route.v3.RouteConfiguration"
SCOPED_ROUTES = ENVOY_TYPE + "config.route.v3.ScopedRouteConfiguration"
VIRTUAL_HOST = ENVOY_TYPE + "config.route.v3.VirtualHost"
FILTER = ENVOY_TYPE + "config.core.v3.TypedExtensionConfig"
RUNTIME = ENVOY_TYPE + "service.runtime.v3.Runtime"

TYPES = (
    CLUSTER,
    ENDPOINTS,
    SECRET,
    LISTENER,
    FILTER,
    SCOPED_ROUTES,
    ROUTES,
    VIRTUAL_HOST,
    RUNTIME,
)
"""In the order in which they are sent: what is referred to comes first."""

KEPT_WHILE_REMOVING = (CLUSTER, ENDPOINTS, SECRET)


@dataclass(frozen=True, slots=True)
class Resource:
    """One xDS resource."""

    name: str
    type_url: str
    version: str
    """Hash of the content: equal versions are equal resources."""
    body: bytes = field(repr=False)
    """The message, serialized deterministically: the value of an `Any`. May hold a secret."""
    needs: tuple[tuple[str, str], ...] = ()
    """The resources that this one refers to: (type URL, name)."""
    ttl_seconds: float | None = None
    """The client drops it when it has not heard of it for so long; heartbeats keep it alive."""


class Named(Mapping[str, Resource]):
    """The resources of one type, by name. Immutable; what is computed of it is computed once.

    Streams share it: they hold a reference, and what differs from it.
    """

    __slots__ = ("__weakref__", "_changes", "_identity", "_mortal", "_named", "_needed", "_version")

    def __init__(self, named: Mapping[str, Resource]) -> None:
        self._named = dict(named)
        self._version: str | None = None
        self._mortal: tuple[str, ...] | None = None
        self._needed: frozenset[str] | None = None
        self._identity = _Identity()
        self._changes: WeakKeyDictionary[_Identity, frozenset[str]] = WeakKeyDictionary()

    def __getitem__(self, name: str) -> Resource:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def __contains__(self, name: object) -> bool:
        return name in self._named

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Mapping) and self._named == dict(other))

    def __repr__(self) -> str:
        return f"Named({', '.join(map(repr, self._named))})"

    __hash__ = None  # type: ignore[assignment]  # as of every mapping

    def find(self, name: str) -> Resource | None:
        """None when there is no such resource."""
        return self._named.get(name)

    def keys(self) -> KeysView[str]:
        return self._named.keys()

    def values(self) -> ValuesView[Resource]:
        return self._named.values()

    def items(self) -> ItemsView[str, Resource]:
        return self._named.items()

    def version_of(self, name: str) -> str:
        """`ABSENT` when there is no such resource."""
        resource = self._named.get(name)
        return ABSENT if resource is None else resource.version

    @property
    def version(self) -> str:
        """Hash of the content: it changes if and only if that does."""
        if self._version is None:
            self._version = _digest(
                f"{name}\0{self._named[name].version}\0".encode() for name in sorted(self._named)
            )
        return self._version

    @property
    def mortal(self) -> tuple[str, ...]:
        """Those which clients drop without a heartbeat."""
        if self._mortal is None:
            self._mortal = tuple(
                name for name, each in self._named.items() if each.ttl_seconds is not None
            )
        return self._mortal

    @property
    def needed_types(self) -> frozenset[str]:
        """The types of all that these refer to."""
        if self._needed is None:
            self._needed = frozenset(
                type_url for each in self._named.values() for type_url, _ in each.needs
            )
        return self._needed

    def changes_since(self, old: Named) -> frozenset[str]:
        """The names that were added, changed or removed."""
        if old is self:
            return frozenset()
        changes = self._changes.get(old._identity)
        if changes is None:
            mine, theirs = self._named, old._named
            changes = frozenset(
                name
                for name in mine.keys() | theirs.keys()
                if mine.get(name) is not theirs.get(name)
                and self.version_of(name) != old.version_of(name)
            )
            self._changes[old._identity] = changes
        return changes


class _Identity:
    """What a `Named` is remembered by, for as long as it lives."""

    __slots__ = ("__weakref__",)


ABSENT = ""
"""The version of a resource that does not exist."""

NOTHING = Named({})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All resources of one configuration."""

    version: str
    resources: Mapping[str, Named]
    """Type URL → name → resource; every type of `TYPES` is there."""

    def of(self, type_url: str) -> Named:
        """The resources of a type."""
        return self.resources.get(type_url, NOTHING)


def resource_of(
    name: str,
    type_url: str,
    body: bytes,
    needs: Iterable[tuple[str, str]] = (),
    ttl_seconds: float | None = None,
) -> Resource:
    """A resource with its version."""
    content = (body,) if ttl_seconds is None else (body, f"\0{ttl_seconds}".encode())
    return Resource(name, type_url, _digest(content), body, tuple(sorted(set(needs))), ttl_seconds)


def snapshot_of(resources: Iterable[Resource]) -> Snapshot:
    """A snapshot of resources in any order; a name may stand once in a type."""
    by_type: dict[str, dict[str, Resource]] = {type_url: {} for type_url in TYPES}
    for resource in resources:
        same_type = by_type.setdefault(resource.type_url, {})
        if resource.name in same_type:
            raise DuplicateResource(resource.type_url, resource.name)
        same_type[resource.name] = resource
    return _snapshot({type_url: Named(_in_order(named)) for type_url, named in by_type.items()})


def _snapshot(by_type: Mapping[str, Named]) -> Snapshot:
    version = _digest(
        f"{type_url}\0{by_type[type_url].version}\0".encode()
        for type_url in sorted(by_type)
        if by_type[type_url]
    )
    return Snapshot(version, MappingProxyType(dict(by_type)))


def _in_order(named: Mapping[str, Resource]) -> dict[str, Resource]:
    return {name: named[name] for name in sorted(named)}


class DuplicateResource(ValueError):
    """Two resources of one type have the same name."""


def all_resources(snapshot: Snapshot) -> tuple[Resource, ...]:
    """Every resource, by type in sending order, then by name."""
    return tuple(resource for named in snapshot.resources.values() for resource in named.values())


def dangling(snapshot: Snapshot) -> tuple[str, ...]:
    """References to resources that do not exist; empty in every snapshot that may be served."""
    return tuple(
        f"{short_type(resource.type_url)} {resource.name!r}: no {short_type(type_url)} {name!r}"
        for resource in all_resources(snapshot)
        for type_url, name in resource.needs
        if name not in snapshot.of(type_url)
    )


def without(snapshot: Snapshot, names: Collection[tuple[str, str]]) -> Snapshot:
    """A snapshot less some resources: (type URL, name)."""
    touched = {type_url for type_url, _ in names}
    return _snapshot(
        {
            type_url: Named(
                {name: each for name, each in named.items() if (type_url, name) not in names}
            )
            if type_url in touched
            else named
            for type_url, named in snapshot.resources.items()
        }
    )


def without_type(snapshot: Snapshot, type_url: str) -> Snapshot:
    """A snapshot that has nothing of a type."""
    return _snapshot({**snapshot.resources, type_url: NOTHING})


def with_replaced(snapshot: Snapshot, type_url: str, resources: Mapping[str, Resource]) -> Snapshot:
    """A snapshot with these resources in the place of those of their names."""
    named = Named({**snapshot.of(type_url), **resources})
    return _snapshot({**snapshot.resources, type_url: named})


def with_kept(new: Snapshot, old: Snapshot) -> Snapshot:
    """The new snapshot, and what the old one's traffic may still use.

    Removals take two publications: this one first, the new one alone when it has been accepted.
    """
    merged = dict(new.resources)
    for type_url in KEPT_WHILE_REMOVING:
        mine, theirs = new.of(type_url), old.of(type_url)
        if theirs.keys() - mine.keys():
            merged[type_url] = Named(_in_order({**theirs, **mine}))
    listeners, way_out = new.of(LISTENER), old.of(LISTENER).get(names.SERVICES)
    if way_out is not None and names.SERVICES not in listeners:  # workers ask there
        merged[LISTENER] = Named(_in_order({**listeners, names.SERVICES: way_out}))
    return _snapshot(merged)


def changed_types(old: Snapshot, new: Snapshot) -> tuple[str, ...]:
    """The types in which something was added, changed or removed, in sending order."""
    types = dict.fromkeys((*new.resources, *old.resources))
    return tuple(each for each in types if new.of(each).changes_since(old.of(each)))


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def short_type(type_url: str) -> str:
    """`Cluster`: a message's name without its package."""
    return type_url.rpartition(".")[2]
