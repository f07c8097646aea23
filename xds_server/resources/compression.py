"""Answers compressed for clients that accept it, where a gateway says so.

The filters stand in every listener, and are switched on by its hosts: so that switching cuts no
stream. Each event of a stream is sent on at once by brotli and gzip; zstd keeps what it is given
until a block is full, and has JSON alone.
"""

from __future__ import annotations

from typing import NamedTuple

from xds_server.resources.extension import Json, extension, typed
from xds_server.resources.features import Features


class _Compressor(NamedTuple):
    name: str
    library: str
    """Of Envoy's; brotli, gzip, zstd."""
    message: str
    types: tuple[str, ...]
    """Of content, without parameters."""


_JSON = "application/json"
_ANY = (_JSON, "text/event-stream", "text/html", "text/plain")
_SMALLEST_BYTES = 512
_COMPRESSORS = (  # of those that a client likes equally, Envoy takes the one it names first
    _Compressor("dragoman.br", "brotli", "Brotli", _ANY),
    _Compressor("dragoman.gzip", "gzip", "Gzip", _ANY),
    _Compressor("dragoman.zstd", "zstd", "Zstd", (_JSON,)),
)


def compressors(features: Features) -> tuple[Json, ...]:
    """The filters, switched off. They stand first in the chain, and see an answer last."""
    return tuple({**_filter(each, features), "disabled": True} for each in _COMPRESSORS)


def _filter(of: _Compressor, features: Features) -> Json:
    types: Json = {"content_type": list(of.types)}
    if features.matches_content_types:
        types = {"content_type_matcher": [how for each in of.types for how in _matchers(each)]}
    message = f"envoy.extensions.compression.{of.library}.compressor.v3.{of.message}"
    return extension(
        of.name,
        "envoy.extensions.filters.http.compressor.v3.Compressor",
        compressor_library=extension(f"envoy.compression.{of.library}.compressor", message),
        response_direction_config={
            "common_config": {"min_content_length": _SMALLEST_BYTES, **types}
        },
    )


def _matchers(media_type: str) -> tuple[Json, Json]:
    """With parameters or without."""
    return {"exact": media_type}, {"prefix": f"{media_type};"}


def switched_on() -> Json:
    """Per-filter configuration of a host whose answers are compressed."""
    as_it_is = typed(
        "envoy.extensions.filters.http.compressor.v3.CompressorPerRoute",
        overrides={"response_direction_config": {}},
    )
    config = typed("envoy.config.route.v3.FilterConfig", config=as_it_is)
    return {each.name: config for each in _COMPRESSORS}
