"""Bodies in their content codings, as libraries of others write them."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CODINGS = ("gzip", "br", "deflate", "zstd")


def packed(coding: str, data: bytes) -> bytes:
    """`br, gzip`: one over the other."""
    for each in coding.split(", "):
        match each:
            case "gzip":
                data = gzip.compress(data)
            case "br":
                data = brotli.compress(data)
            case "deflate":
                data = zlib.compress(data)
            case "zstd":
                data = zstd.compress(data)
            case _:
                raise ValueError(f"no coding: {each}")
    return data


def unpacked_zstd(data: bytes) -> bytes:
    """httpx reads zstd only with a library that nothing else needs."""
    return zstd.decompress(data)
