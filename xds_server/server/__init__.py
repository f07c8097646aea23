"""The gRPC edge of the control plane: discovery services over HTTP/2, TLS, limits."""

from __future__ import annotations

from xds_server.server.ads import AddressInUse, AdsServer

__all__ = ["AddressInUse", "AdsServer"]
