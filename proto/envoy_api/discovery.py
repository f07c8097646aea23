"""The words of xDS that clients and servers share."""

from __future__ import annotations

from enum import StrEnum

DISCOVERY = "envoy.service.discovery.v3."
ADS = f"{DISCOVERY}AggregatedDiscoveryService"
WILDCARD = "*"
FULL_STATE = frozenset(
    {
        "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "type.googleapis.com/envoy.config.listener.v3.Listener",
    }
)
"""In State of the World a response of these has everything: what is not in it is gone."""


class Variant(StrEnum):
    """The two ways to speak xDS."""

    DELTA = "delta"
    """Differences alone."""
    SOTW = "sotw"
    """The state of the world: names replace names, sets replace sets."""

    @property
    def request(self) -> str:
        """The name of its request message."""
        prefix = "Delta" if self is Variant.DELTA else ""
        return f"{DISCOVERY}{prefix}DiscoveryRequest"

    @property
    def response(self) -> str:
        """The name of its response message."""
        prefix = "Delta" if self is Variant.DELTA else ""
        return f"{DISCOVERY}{prefix}DiscoveryResponse"

    @property
    def method(self) -> str:
        """The gRPC method of the aggregated service."""
        prefix = "Delta" if self is Variant.DELTA else "Stream"
        return f"/{ADS}/{prefix}AggregatedResources"
