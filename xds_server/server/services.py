"""The discovery services that are served: Envoy's, all types at once and each alone, and our own.

https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

from dataclasses import dataclass

from envoy_api.discovery import Variant

from gateway import names
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

_PREFIX = {Variant.SOTW: "Stream", Variant.DELTA: "Delta"}
BOTH = (Variant.SOTW, Variant.DELTA)


@dataclass(frozen=True, slots=True)
class Service:
    """A gRPC service with a method for each variant: `StreamClusters`, `DeltaClusters`."""

    name: str
    noun: str
    """What the methods are named after."""
    type_url: str | None
    """The only type that it serves; None: all of them, each request says which."""
    variants: tuple[Variant, ...] = BOTH

    def method(self, variant: Variant) -> str:
        return f"{_PREFIX[variant]}{self.noun}"

    def path(self, variant: Variant) -> str:
        """As it stands in HTTP/2."""
        return f"/{self.name}/{self.method(variant)}"


_ENVOY = "envoy.service."
AGGREGATED = Service(
    _ENVOY + "discovery.v3.AggregatedDiscoveryService", "AggregatedResources", None
)
SERVICES = (
    AGGREGATED,
    Service(_ENVOY + "cluster.v3.ClusterDiscoveryService", "Clusters", CLUSTER),
    Service(_ENVOY + "endpoint.v3.EndpointDiscoveryService", "Endpoints", ENDPOINTS),
    Service(_ENVOY + "secret.v3.SecretDiscoveryService", "Secrets", SECRET),
    Service(_ENVOY + "listener.v3.ListenerDiscoveryService", "Listeners", LISTENER),
    Service(_ENVOY + "extension.v3.ExtensionConfigDiscoveryService", "ExtensionConfigs", FILTER),
    Service(_ENVOY + "route.v3.ScopedRoutesDiscoveryService", "ScopedRoutes", SCOPED_ROUTES),
    Service(_ENVOY + "route.v3.RouteDiscoveryService", "Routes", ROUTES),
    Service(
        _ENVOY + "route.v3.VirtualHostDiscoveryService",
        "VirtualHosts",
        VIRTUAL_HOST,
        (Variant.DELTA,),
    ),
    Service(_ENVOY + "runtime.v3.RuntimeDiscoveryService", "Runtime", RUNTIME),
    Service(
        "dragoman.v1.ConfigurationDiscoveryService", "Configurations", names.CONFIGURATION_TYPE
    ),
)


def service_of(type_url: str) -> Service:
    """The service that serves this type alone."""
    return next(each for each in SERVICES if each.type_url == type_url)
