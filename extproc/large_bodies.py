"""A large body as Envoy shows it, taken out of its message by hand: protobuf would copy it twice.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Any

from envoy_api import message

LARGE_BYTES = 8192
"""Of a message; of shorter ones protobuf's own reader is as fast."""

_ProcessingRequest: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
_REQUEST_BODY = 0x22  # ProcessingRequest.request_body = 4, length-delimited (wire type 2)
_BODY = 0x0A  # HttpBody.body = 1
_BEHIND = (b"", b"\x10\x01")
"""What may be in an HttpBody behind its body: nothing, or `end_of_stream` = 2."""
_LONGEST_LENGTH = 5


def request_body(data: bytes) -> bytes | None:
    """The body in a ProcessingRequest that begins with one of a request; None: it does not, or
    something in it is not as Envoy writes it, and protobuf has to read it.
    """
    if data[0] != _REQUEST_BODY:
        return None
    size, at = _length(data, 1)
    field_end = at + size
    if not size or field_end > len(data) or data[at] != _BODY:
        return None
    size, start = _length(data, at + 1)
    end = start + size
    if end > field_end or data[end:field_end] not in _BEHIND:
        return None
    # A later field of the same number would be merged with this one, another would replace it.
    if field_end < len(data):
        behind = _ProcessingRequest.FromString(data[field_end:])
        if behind.WhichOneof("request") is not None:
            return None
    return data[start:end]


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends; nothing, where it is none of a length's."""
    length = shift = 0
    for place in range(at, min(at + _LONGEST_LENGTH, len(data))):
        byte = data[place]
        length |= (byte & 127) << shift
        if byte < 128:
            return length, place + 1
        shift += 7
    return 0, at
