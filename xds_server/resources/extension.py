"""The shapes that every resource uses: JSON in, a `Resource` out, and Envoy's typed extensions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import envoy_api

from xds_server.snapshot import Resource, resource_of

Json: TypeAlias = dict[str, Any]
"""The JSON form of a protobuf message; checked against the API when it becomes a resource."""

TYPE_URL_PREFIX = "type.googleapis.com/"

ADS: Json = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
"""Comes with the rest of the snapshot. No timeout: what is half configured must not serve."""


def resource(
    type_url: str, name: str, fields: Mapping[str, Any], needs: Iterable[tuple[str, str]] = ()
) -> Resource:
    """A resource from the JSON form of its message."""
    message = envoy_api.from_dict(envoy_api.type_name(type_url), fields)
    return resource_of(name, type_url, message.SerializeToString(deterministic=True), needs)


def typed(message: str, **fields: Any) -> Json:
    """The JSON form of an `Any`."""
    return {"@type": TYPE_URL_PREFIX + message, **fields}


def extension(name: str, message: str, **fields: Any) -> Json:
    """A filter, transport socket or other extension with its configuration."""
    return {"name": name, "typed_config": typed(message, **fields)}


def log_filter(expression: str) -> Json:
    """What this CEL holds for, of an access log or of local replies."""
    return {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            expression=expression,
        )
    }


def duration(seconds: float) -> str:
    """Protobuf's JSON form of a duration, to the millisecond."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
