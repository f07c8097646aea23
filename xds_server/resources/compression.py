"""Answers compressed for clients that accept it, where a gateway says so.

The filters stand in every listener, and are switched on by its hosts: so that switching cuts no
stream. Each event of a stream is sent on at once, which zstd would not do.
"""

from __future__ import annotations

from xds_server.resources.extension import Json, extension, typed
from xds_server.resources.features import Features

_COMPRESSED = ("application/json", "text/event-stream", "text/html", "text/plain")
"""What content types begin with."""
_SMALLEST_BYTES = 512
_LIBRARIES = (
    ("dragoman.br", "envoy.compression.brotli.compressor", "brotli.compressor.v3.Brotli"),
    ("dragoman.gzip", "envoy.compression.gzip.compressor", "gzip.compressor.v3.Gzip"),
)


def compressors(features: Features) -> tuple[Json, ...]:
    """The filters, switched off. They stand first in the chain, and see an answer last."""
    types: Json = {"content_type": list(_COMPRESSED)}
    if features.matches_content_types:
        types = {"content_type_matcher": [{"prefix": each} for each in _COMPRESSED]}
    return tuple(
        {
            **extension(
                name,
                "envoy.extensions.filters.http.compressor.v3.Compressor",
                compressor_library=extension(library, f"envoy.extensions.compression.{message}"),
                response_direction_config={
                    "common_config": {"min_content_length": _SMALLEST_BYTES, **types}
                },
            ),
            "disabled": True,
        }
        for name, library, message in _LIBRARIES
    )


def switched_on() -> Json:
    """Per-filter configuration of a host whose answers are compressed."""
    as_it_is = typed(
        "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute",
        overrides={"response_direction_config": {}},
    )
    config = typed("envoy.config.route.v3.FilterConfig", config=as_it_is)
    return {name: config for name, _, _ in _LIBRARIES}
