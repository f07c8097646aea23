"""Envoy's access log of streams that a budget waits for and Python does not see: how many bytes
were sent. Extproc is told after their end, of those that were cut, and of the few that it asks for.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/access_loggers/grpc/v3/als.proto
"""

from __future__ import annotations

from gateway import names
from xds_server.resources.extension import Json, extension


def stream_log(service: Json) -> Json:
    """`service`: how extproc is asked."""
    logger = extension(
        "envoy.access_loggers.http_grpc",
        "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
        common_config={
            "log_name": "dragoman.streams",
            "grpc_service": service,
            "transport_api_version": "V3",
            "buffer_size_bytes": 0,  # each is told at once: a budget waits for it
        },
    )
    was_cut: Json = {"response_flag_filter": {}}  # any flag: the client's end, the provider's, …
    is_logged: Json = {"or_filter": {"filters": [was_cut, _has(names.STREAM_SAMPLED)]}}
    return {
        **logger,
        "filter": {"and_filter": {"filters": [_has(names.STREAM_NUMBER), is_logged]}},
    }


def _has(field: str) -> Json:
    return {
        "metadata_filter": {
            "matcher": {
                "filter": names.STREAM_NAMESPACE,
                "path": [{"key": field}],
                "value": {"present_match": True},
            },
            "match_if_key_not_found": False,
        }
    }
