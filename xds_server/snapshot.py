"""What Envoy is told: immutable resources, compared by the hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All resources of one configuration."""

    version: str
    resources: Mapping[str, Mapping[str, Resource]]
    """Type URL → name → resource; every type of `TYPES` is there."""


def resource_of(
    name: str, type_url: str, body: bytes, needs: Iterable[tuple[str, str]] = ()
) -> Resource:
    """A resource with its version."""
    return Resource(name, type_url, _digest((body,)), body, tuple(sorted(set(needs))))


def snapshot_of(resources: Iterable[Resource]) -> Snapshot:
    """A snapshot of resources in any order; a name may stand once in a type."""
    by_type: dict[str, dict[str, Resource]] = {type_url: {} for type_url in TYPES}
    for resource in sorted(resources, key=lambda each: (each.type_url, each.name)):
        same_type = by_type.setdefault(resource.type_url, {})
        if resource.name in same_type:
            raise DuplicateResource(resource.type_url, resource.name)
        same_type[resource.name] = resource
    version = _digest(
        f"{resource.type_url}\0{resource.name}\0{resource.version}\0".encode()
        for type_url in sorted(by_type)
        for resource in by_type[type_url].values()
    )
    frozen = {type_url: MappingProxyType(named) for type_url, named in by_type.items()}
    return Snapshot(version, MappingProxyType(frozen))


class DuplicateResource(ValueError):
    """Two resources of one type have the same name."""


def all_resources(snapshot: Snapshot) -> tuple[Resource, ...]:
    """Every resource, by type in sending order, then by name."""
    return tuple(resource for named in snapshot.resources.values() for resource in named.values())


def dangling(snapshot: Snapshot) -> tuple[str, ...]:
    """References to resources that do not exist; empty in every snapshot that may be served."""
    return tuple(
        f"{_short(resource.type_url)} {resource.name!r}: no {_short(type_url)} {name!r}"
        for resource in all_resources(snapshot)
        for type_url, name in resource.needs
        if name not in snapshot.resources.get(type_url, {})
    )


def without(snapshot: Snapshot, names: Collection[tuple[str, str]]) -> Snapshot:
    """A snapshot less some resources: (type URL, name)."""
    if not names:
        return snapshot
    return snapshot_of(
        each for each in all_resources(snapshot) if (each.type_url, each.name) not in names
    )


def with_kept(new: Snapshot, old: Snapshot) -> Snapshot:
    """The new snapshot, and what the old one's traffic may still use.

    Removals take two publications: this one first, the new one alone when it has been accepted.
    """
    kept = (
        resource
        for type_url in KEPT_WHILE_REMOVING
        for name, resource in old.resources.get(type_url, {}).items()
        if name not in new.resources.get(type_url, {})
    )
    return snapshot_of((*all_resources(new), *kept))


def changed_types(old: Snapshot, new: Snapshot) -> tuple[str, ...]:
    """The types in which something was added, changed or removed, in sending order."""
    types = dict.fromkeys((*new.resources, *old.resources))
    return tuple(each for each in types if _versions(old, each) != _versions(new, each))


def _versions(snapshot: Snapshot, type_url: str) -> dict[str, str]:
    named = snapshot.resources.get(type_url, {})
    return {name: resource.version for name, resource in named.items()}


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _short(type_url: str) -> str:
    return type_url.rpartition(".")[2]
