"""The gRPC edge of the control plane: discovery services over HTTP/2, TLS, limits."""

from __future__ import annotations

from xds_server.server.ads import AddressInUse, AdsServer
from xds_server.server.bounds import Bounds
from xds_server.server.tls import Security, UnusableTls, security_of

__all__ = ["AddressInUse", "AdsServer", "Bounds", "Security", "UnusableTls", "security_of"]
