"""One client's stream of one discovery service: requests in, responses out. No I/O, no protobuf.

https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

from xds_server.subscription.words import (
    ACK_SECONDS,
    MAX_IN_FLIGHT,
    MAX_NAMES,
    MAX_NAMES_BYTES,
    MAX_TYPES,
    PART_BYTES,
    WILDCARD,
    BadRequest,
    DeltaRequest,
    DeltaResponse,
    Rejection,
    Request,
    Response,
    StateRequest,
    StateResponse,
    TypeState,
    Variant,
)

__all__ = [
    "ACK_SECONDS",
    "MAX_IN_FLIGHT",
    "MAX_NAMES",
    "MAX_NAMES_BYTES",
    "MAX_TYPES",
    "PART_BYTES",
    "WILDCARD",
    "BadRequest",
    "DeltaRequest",
    "DeltaResponse",
    "Rejection",
    "Request",
    "Response",
    "StateRequest",
    "StateResponse",
    "TypeState",
    "Variant",
]
