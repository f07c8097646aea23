"""Envoy's messages as envoy-data-plane knows them: a decoder that shares nothing with ours."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # its classes use a form of validator that pydantic has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from envoy_data_plane.envoy.config.cluster.v3 import Cluster
    from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
    from envoy_data_plane.envoy.config.listener.v3 import Listener
    from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
    from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret

__all__ = ["Cluster", "Listener", "RouteConfiguration", "Secret", "TypedExtensionConfig"]
