"""Envoy's access logs, which go to extproc: of streams that a budget waits for and Python does not
see, how many bytes were sent; and of requests that Envoy's own rules refused, by which.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/access_loggers/grpc/v3/als.proto
"""

from __future__ import annotations

from gateway import names
from xds_server.resources.extension import Json, extension


def stream_log(service: Json) -> Json:
    """Told after their end, of streams that were cut, and of the few that extproc asks for.
    `service`: how extproc is asked."""
    was_cut: Json = {"response_flag_filter": {}}  # any flag: the client's end, the provider's, …
    is_sampled = _has(names.STREAM_NAMESPACE, names.STREAM_SAMPLED, {"present_match": True})
    is_logged: Json = {"or_filter": {"filters": [was_cut, is_sampled]}}
    has_number = _has(names.STREAM_NAMESPACE, names.STREAM_NUMBER, {"present_match": True})
    return {
        **_logger("dragoman.streams", service, buffer_size_bytes=0),  # at once: a budget waits
        "filter": {"and_filter": {"filters": [has_number, is_logged]}},
    }


def refusal_log(service: Json) -> Json:
    """Told within a second, of what rules refused: nobody waits for it."""
    is_denied = {"string_match": {"exact": names.DENIED}}
    return {
        **_logger("dragoman.refusals", service),
        "name": "dragoman.refusals",  # two of one name would be one to `dragoman diff`
        "filter": _has(names.DECISION_NAMESPACE, names.DECISION, is_denied),
    }


def _logger(name: str, service: Json, **buffering: int) -> Json:
    return extension(
        "envoy.access_loggers.http_grpc",
        "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
        common_config={
            "log_name": name,
            "grpc_service": service,
            "transport_api_version": "V3",
            **buffering,
        },
    )


def _has(namespace: str, field: str, value: Json) -> Json:
    return {
        "metadata_filter": {
            "matcher": {"filter": namespace, "path": [{"key": field}], "value": value},
            "match_if_key_not_found": False,
        }
    }
