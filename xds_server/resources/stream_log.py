"""Envoy's access logs, which go to extproc: of streams that a budget waits for and Python does not
see, how many bytes were sent; of requests that Envoy itself refused, by what; and of connections
that were refused for their certificates. Of what passes, nothing is sent.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/access_loggers/grpc/v3/als.proto
"""

from __future__ import annotations

from typing import Any

from gateway import names
from xds_server.resources.extension import Json, extension, log_filter


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


_WAITING_BYTES = 256 << 10
"""Of refusals that are not told yet, for each thread: about 300; what is more is not logged."""
_BY_FLAG: Json = {"response_flag_filter": {"flags": ["UAEX", "RL", "RLSE"]}}
"""An external service, a limit, a rate limit service that gave no answer."""
_IS_ERROR: Json = {
    "status_code_filter": {
        "comparison": {
            "op": "GE",
            "value": {"default_value": 400, "runtime_key": "dragoman.refusals.status"},
        }
    }
}
_DETAILS = " || ".join(
    (
        f'response.code_details.startsWith("{names.UNDECIDED}")',
        f'response.code_details.startsWith("{names.RULES_REFUSED}")',
        f'response.code_details == "{names.TOO_LARGE}"',
        f'(response.code == 401 && response.code_details == "{names.WITHOUT_KEY}")',
        *(
            f'(response.code == 401 && response.code_details.startsWith("{each}"))'
            for each in names.NOT_LOGGED_IN
        ),
    )
)


def refusal_log(service: Json) -> Json:
    """Told within a second, of what Envoy refuses without asking, or without an answer: nobody
    waits for it."""
    by_details = {"and_filter": {"filters": [_IS_ERROR, log_filter(_DETAILS)]}}
    by: Json = {"key": names.REFUSALS_NAMESPACE, "path": [{"key": names.REFUSING}]}
    whose: Json = {"tag": names.REFUSING, "metadata": {"kind": {"route": {}}, "metadata_key": by}}
    logger = _logger(
        "dragoman.refusals", service, buffer_size_bytes=_WAITING_BYTES, custom_tags=[whose]
    )
    logger["typed_config"] |= {
        "additional_request_headers_to_log": [names.CLAIMS_HEADER, names.LOGIN_CLAIMS_HEADER],
        "additional_response_headers_to_log": [f"{names.RATE_LIMIT_PREFIX}limit-requests"],
    }
    return {
        **logger,
        "name": "dragoman.refusals",  # two of one name would be one to `dragoman diff`
        "filter": {"or_filter": {"filters": [_BY_FLAG, by_details]}},
    }


_OF_CERTIFICATES = " || ".join(
    f'connection.transport_failure_reason.contains("{reason}")'
    for reason in (names.NO_CERTIFICATE, names.WRONG_CERTIFICATE)
)


def handshake_log(service: Json) -> Json:
    """Of a listener that asks clients for certificates: connections that are refused for theirs."""
    logger = extension(
        "envoy.access_loggers.tcp_grpc",
        "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig",
        common_config=_common("dragoman.handshakes", service),
    )
    return {**logger, "filter": log_filter(_OF_CERTIFICATES)}


def _logger(name: str, service: Json, **more: Any) -> Json:
    return extension(
        "envoy.access_loggers.http_grpc",
        "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
        common_config={**_common(name, service), **more},
    )


def _common(name: str, service: Json) -> Json:
    return {"log_name": name, "grpc_service": service, "transport_api_version": "V3"}


def _has(namespace: str, field: str, value: Json) -> Json:
    return {
        "metadata_filter": {
            "matcher": {"filter": namespace, "path": [{"key": field}], "value": value},
            "match_if_key_not_found": False,
        }
    }
