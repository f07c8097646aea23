"""Listeners that take addresses from each other: which of them are closed first.

Envoy refuses a listener whose address another one has. Of what it refuses it takes a part, so the
way back has to be free as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace

from gateway.model import Gateway
from xds_server.audience import Level
from xds_server.effects import closed_first
from xds_server.envoy_json import listens_at
from xds_server.offers import EVERYBODY, Compile
from xds_server.release import Release
from xds_server.render import to_json
from xds_server.snapshot import LISTENER, Named, Snapshot, without


@dataclass(frozen=True, slots=True)
class Without:
    """Compiles all but some listeners."""

    compile_snapshot: Compile
    closed: Set[str]
    """Names of listeners."""

    def __call__(self, gateway: Gateway, *, level: Level) -> Snapshot:
        whole = self.compile_snapshot(gateway, level=level)
        return without(whole, {(LISTENER, name) for name in self.closed})


def closed_between(old: Release, new: Release) -> frozenset[str]:
    """Listeners of the old one that have to go before others take their addresses."""
    groups = {name for each in (old, new) for name in _with_own_listeners(each)}
    found: set[str] = set()
    for audience in (EVERYBODY, *(replace(EVERYBODY, group=name) for name in sorted(groups))):
        before, now = (each.envoys.snapshot(audience).of(LISTENER) for each in (old, new))
        if now.changes_since(before):
            found |= closed_first(_addresses(before), _addresses(now))
    return frozenset(found)


def _with_own_listeners(release: Release) -> Iterator[str]:
    """Node groups that have listeners which nobody else has."""
    for group in release.gateway.xds.groups:
        if any(each.type_url == LISTENER for each in group.resources):
            yield group.name


def _addresses(listeners: Named) -> dict[str, str]:
    """Of those that Envoy opens; the listeners of gRPC's clients have none."""
    shown = ((name, to_json(each)) for name, each in listeners.items())
    return {name: listens_at(each) for name, each in shown if "address" in each}
