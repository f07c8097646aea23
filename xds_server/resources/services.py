"""The way out for extproc: a listener by which it asks services, so that TLS, credentials, retries
and metrics are Envoy's. It is there where a configuration has services, and the same for all of
them: which one is asked, a header says.
"""

from __future__ import annotations

from gateway import names
from xds_server.resources import addresses
from xds_server.resources.extension import Json, extension, resource
from xds_server.resources.topology import Topology
from xds_server.snapshot import LISTENER, Resource

_OWNER_ALONE = 0o600
_RETRY_ON = "connect-failure,refused-stream,reset-before-request"
"""What no service has seen."""
_LONGEST = "120s"
"""extproc waits for less, and goes away then."""


def services_listener(topology: Topology) -> Resource:
    """Where extproc asks; the owner of a socket alone may."""
    address = addresses.parse(topology.services)
    if "pipe" in address:
        address["pipe"]["mode"] = _OWNER_ALONE
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="services",
        codec_type="HTTP1",
        route_config=_table(),
        http_filters=[
            extension(
                "envoy.filters.http.router",
                "envoy.extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            )
        ],
        server_name="dragoman",
        skip_xff_append=True,
        generate_request_id=False,
        common_http_protocol_options={"idle_timeout": "300s"},
    )
    fields = {
        "name": names.SERVICES,
        "address": address,
        "filter_chains": [{"filters": [manager]}],
    }
    return resource(LISTENER, names.SERVICES, fields)


def _table() -> Json:
    named = {
        "name": names.SERVICE_HEADER,
        "string_match": {"prefix": names.service_cluster("")},  # and no provider
    }
    route = {
        "match": {"prefix": "/", "headers": [named]},
        "route": {
            "cluster_header": names.SERVICE_HEADER,
            "auto_host_rewrite": True,
            "timeout": _LONGEST,
            "retry_policy": {"retry_on": _RETRY_ON, "num_retries": 1},
        },
    }
    host = {"name": names.SERVICES, "domains": ["*"], "routes": [route]}
    return {"name": names.SERVICES, "virtual_hosts": [host]}
