"""The ext_proc filter: what Envoy asks Python, and how much of each request it shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from gateway import names
from gateway.cel import EVERY_HEADER
from xds_server.resources.extension import Json, duration, extension, typed
from xds_server.resources.features import Features
from xds_server.resources.topology import Topology

FILTER = "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"
_PER_ROUTE = "envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"
_ATTEMPT_FILTER = "dragoman.attempt"

FORWARDED_HEADERS = frozenset(
    {
        ":method",
        ":path",
        ":status",
        "anthropic-version",
        "content-encoding",
        "content-length",
        "content-type",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-amzn-bedrock-cache-write-input-token-count",
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-output-token-count",
        "x-request-id",
        names.BETAS_HEADER,
        *names.CREDENTIAL_HEADERS,
    }
)
"""What every exchange shows; the headers that rules read come on top. Each costs both sides."""
MCP_HEADERS = frozenset(
    {
        ":authority",
        "accept",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        names.MCP_SESSION_HEADER,
        "origin",
    }
)
"""What extproc reads of MCP requests and their answers."""
A2A_HEADERS = frozenset(
    {
        ":authority",
        ":scheme",
        "a2a-extensions",
        "a2a-version",
        "accept",
        "baggage",
        "content-type",
        "grpc-encoding",
        "grpc-message",
        "grpc-status",
        "grpc-status-details-bin",
        "if-none-match",
        "x-a2a-extensions",
        names.A2A_FRAMED_HEADER,
        names.A2A_STATUS_HEADER,
        names.A2A_TYPE_HEADER,
    }
)
"""What extproc reads of A2A requests and their answers."""

READ_OF_LOGINS = frozenset(
    {
        ":authority",
        ":scheme",
        "accept",
        "cookie",
        "sec-fetch-mode",
        "x-requested-with",
        names.LOGIN_SESSION_HEADER,
    }
)
"""Where people log in whose tokens are kept here."""

SOURCE = "source.address"
CERTIFICATE = (
    "connection.uri_san_peer_certificate",
    "connection.dns_san_peer_certificate",
    "connection.subject_peer_certificate",
)
"""What the certificate of a client says of it; absent where it has shown none."""


@dataclass(frozen=True, slots=True)
class RulesRead:
    """What the rules of a gateway read of a request and its answer, beyond what is always shown."""

    headers: frozenset[str]
    """With what else is read beyond what is always shown."""
    is_source_read: bool
    is_certificate_read: bool = False
    """Or who calls is known by it."""
    is_external_read: bool = False
    """What an external service says."""


_BODY: Json = {
    "request_header_mode": "SEND",
    "request_body_mode": "BUFFERED",
    "request_trailer_mode": "SKIP",
    "response_header_mode": "SKIP",
    "response_body_mode": "NONE",
    "response_trailer_mode": "SKIP",
}
"""Two messages: the headers, the body."""

_BODY_AND_STATUS: Json = {**_BODY, "response_header_mode": "SEND"}
"""Three: then the status. Extproc may then ask for the answer itself, piece by piece."""

_BODY_AND_USAGE: Json = {**_BODY_AND_STATUS, "response_trailer_mode": "SEND"}
"""Four: then the status, and after the last byte the usage."""

_HEADERS: Json = {**_BODY, "request_body_mode": "NONE"}
"""One message."""


_HEADERS_AND_STATUS: Json = {**_HEADERS, "response_header_mode": "SEND"}
"""Two: then the status. Extproc may then ask for the answer itself, piece by piece."""


_UNTIL_THE_END: Json = {**_HEADERS, "response_trailer_mode": "SEND"}
"""One, and one more for an answer that has trailers; extproc hears when it is over."""

_STATUS_UNTIL_THE_END: Json = {**_HEADERS_AND_STATUS, "response_trailer_mode": "SEND"}


def request_filter(
    topology: Topology,
    rules: RulesRead,
    features: Features,
    *,
    is_limited: bool = False,
    longest_seconds: float = 0.0,
) -> Json:
    """The filter that decides on every request. `longest_seconds`: for how long extproc may ask
    Envoy to wait for an answer; 0: it never does.

    Responses are shown on the routes that say so only: where there is no route, as for garbage,
    Envoy's own answer would wait for ours, and be lost.
    """
    headers = rules.headers
    attributes = [
        *((SOURCE,) if rules.is_source_read else ()),
        *(CERTIFICATE if rules.is_certificate_read else ()),
    ]
    forward = (
        {} if EVERY_HEADER in headers else {"forward_rules": _only(FORWARDED_HEADERS | headers)}
    )
    return typed(
        FILTER,
        grpc_service=service(),
        processing_mode=_BODY,
        allow_mode_override=True,  # for answers that have to be translated, or counted here
        **_failing_closed(topology),
        **({"max_message_timeout": duration(longest_seconds)} if longest_seconds else {}),
        mutation_rules={"allow_all_routing": True, "allow_envoy": True},
        metadata_options={
            "forwarding_namespaces": {
                "typed": [names.USAGE_NAMESPACE],
                "untyped": [
                    names.FAILURES_NAMESPACE,
                    *([names.EXTERNAL_NAMESPACE] if rules.is_external_read else ()),
                ],
            },
            "receiving_namespaces": {
                "untyped": [
                    names.PLAN_NAMESPACE,
                    names.REQUEST_NAMESPACE,
                    names.STREAM_NAMESPACE,
                    *((names.LIMITS_NAMESPACE,) if is_limited else ()),
                    *((names.MCP_NAMESPACE,) if longest_seconds else ()),
                ]
            },
        },
        response_attributes=[
            "xds.cluster_name",
            "response.code_details",
            *(() if features.reads_plans else ("upstream.request_attempt_count",)),
        ],
        **({"request_attributes": attributes} if attributes else {}),
        **forward,
    )


def disabled() -> Json:
    """For routes on which nothing is decided."""
    return typed(_PER_ROUTE, disabled=True)


def headers_only(route: str, *, holds_places: bool = False, is_answered: bool = False) -> Json:
    """For plain routes on which somebody must be known, or a rule holds; the rest as below.

    The name goes as gRPC metadata: Envoy ignores the attributes of a route's override.
    """
    metadata = [{"key": names.ROUTE_METADATA, "value": quote(route)}]
    return typed(
        _PER_ROUTE,
        overrides={
            "processing_mode": _headers(holds_places=holds_places, is_answered=is_answered),
            "grpc_initial_metadata": metadata,
        },
    )


def route_bodies(
    route: str, limit_bytes: int, *, holds_places: bool = False, is_answered: bool = False
) -> Json:
    """The same where guards may read bodies: extproc asks for those that somebody reads, of at most
    so many bytes. Where they were shown before, Envoy refused large ones that came sooner than
    extproc's answer."""
    metadata = [
        {"key": names.ROUTE_METADATA, "value": quote(route)},
        {"key": names.LIMIT_METADATA, "value": str(limit_bytes)},
    ]
    return typed(
        _PER_ROUTE,
        overrides={
            "processing_mode": _headers(holds_places=holds_places, is_answered=is_answered),
            "grpc_initial_metadata": metadata,
        },
    )


def whole_bodies(limit_bytes: int, features: Features, *, settles: bool, is_answered: bool) -> Json:
    """For the LLM routes of a listener; `settles` when somebody waits for usage that Envoy reads,
    or for the end of the answer, `is_answered` when extproc may have to see who answered.

    The limit is told, since Envoy buffers up to its connection's limit where ours is smaller.
    """
    metadata = [{"key": names.LIMIT_METADATA, "value": str(limit_bytes)}, *_steering(features)]
    mode = _BODY_AND_STATUS if is_answered else _BODY
    if settles:
        mode = _BODY_AND_USAGE
    return typed(_PER_ROUTE, overrides={"processing_mode": mode, "grpc_initial_metadata": metadata})


def mcp_bodies(limit_bytes: int) -> Json:
    """For the routes of the MCP gateway; extproc asks for answers where it must."""
    return _bodies(names.MCP_ROLE, limit_bytes)


def a2a_bodies(limit_bytes: int) -> Json:
    """The same of the A2A gateway."""
    return _bodies(names.A2A_ROLE, limit_bytes)


def login_bodies(limit_bytes: int) -> Json:
    """The same of where people log in, and out."""
    return _bodies(names.LOGIN_ROLE, limit_bytes)


def _bodies(role: str, limit_bytes: int) -> Json:
    metadata = [
        {"key": names.ROLE_METADATA, "value": role},
        {"key": names.LIMIT_METADATA, "value": str(limit_bytes)},
    ]
    return typed(
        _PER_ROUTE, overrides={"processing_mode": _BODY, "grpc_initial_metadata": metadata}
    )


def headers_of_llm(
    features: Features, *, is_answered: bool = False, holds_places: bool = False
) -> Json:
    """For those LLM routes whose requests nobody reads; `is_answered` when answers may be,
    `holds_places` when extproc must know when they are over."""
    mode = _headers(holds_places=holds_places, is_answered=is_answered)
    overrides: Json = {"processing_mode": mode}
    if metadata := _steering(features):
        overrides["grpc_initial_metadata"] = metadata
    return typed(_PER_ROUTE, overrides=overrides)


def bodies_of_batches(
    limit_bytes: int, features: Features, *, is_answered: bool, holds_places: bool
) -> Json:
    """The same where guards read what is to be made. Extproc ends the call where nobody reads this
    request, and Envoy then buffers nothing of it."""
    mode = _headers(holds_places=holds_places, is_answered=is_answered)
    metadata = [{"key": names.LIMIT_METADATA, "value": str(limit_bytes)}, *_steering(features)]
    overrides = {
        "processing_mode": {**mode, "request_body_mode": "BUFFERED"},
        "grpc_initial_metadata": metadata,
    }
    return typed(_PER_ROUTE, overrides=overrides)


def _headers(*, holds_places: bool, is_answered: bool) -> Json:
    if holds_places:
        return _STATUS_UNTIL_THE_END if is_answered else _UNTIL_THE_END
    return _HEADERS_AND_STATUS if is_answered else _HEADERS


def reads_body(override: Json) -> bool:
    """Whether one of these overrides shows requests' bodies."""
    return bool(override["overrides"]["processing_mode"]["request_body_mode"] != "NONE")


def _steering(features: Features) -> list[Json]:
    if features.reads_plans:
        return []
    return [{"key": names.STEERING_METADATA, "value": names.STEERED_BY_HEADER}]


def mirror_filter(topology: Topology) -> Json:
    """Runs in the cluster of a mirror: a header tells how the body of the copy is to be said."""
    role = [{"key": names.ROLE_METADATA, "value": names.MIRROR_ROLE}]
    return _rewriting(role, topology, {names.BETAS_HEADER, names.MIRROR_ORDER_HEADER})


def attempt_filter(attempt: str, topology: Topology) -> Json:
    """Runs in a provider's cluster, once for each try, when the body must name another model.

    `attempt` says which try of a plan it is: `names.attempt_cluster`.
    """
    role = [
        {"key": names.ROLE_METADATA, "value": names.ATTEMPT_ROLE},
        {"key": names.ATTEMPT_METADATA, "value": attempt},
    ]
    return _rewriting(role, topology, {names.BETAS_HEADER})  # no rules would mean all headers


def _rewriting(role: list[Json], topology: Topology, shown: Iterable[str]) -> Json:
    return extension(
        _ATTEMPT_FILTER,
        FILTER,
        grpc_service={**service(), "initial_metadata": role},
        processing_mode=_BODY,
        **_failing_closed(topology),
        metadata_options={"forwarding_namespaces": {"untyped": [names.REQUEST_NAMESPACE]}},
        forward_rules=_only(shown),
    )


def service() -> Json:
    """How extproc is asked."""
    return {"envoy_grpc": {"cluster_name": names.EXTPROC_CLUSTER, "skip_envoy_headers": True}}


def _failing_closed(topology: Topology) -> Json:
    return {
        "message_timeout": duration(topology.message_timeout_seconds),
        "failure_mode_allow": False,
        "status_on_error": {"code": "ServiceUnavailable"},
    }


def _only(headers: Iterable[str]) -> Json:
    return {"allowed_headers": {"patterns": [{"exact": header} for header in sorted(headers)]}}
