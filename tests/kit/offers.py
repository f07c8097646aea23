"""Offers that are the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass

from xds_server.audience import Audience, Kind, Node, Principal, Refused
from xds_server.snapshot import Snapshot


@dataclass(frozen=True)
class SameForAll:
    """Whoever connects has this."""

    given: Snapshot

    def audience(self, _: Node, __: Principal) -> Audience | Refused:
        return Audience(Kind.ENVOY)

    def snapshot(self, _: Audience) -> Snapshot:
        return self.given


def offer_of(snapshot: Snapshot) -> SameForAll:
    return SameForAll(snapshot)
