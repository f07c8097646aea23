"""Messages of gRPC, each with its prefix: read from bytes cut anywhere, and written.

"Length-Prefixed-Message" of gRPC over HTTP/2
(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.protocols.encodings import BadEncoding, Decoder, TooLarge, UnknownEncoding

LARGEST_MESSAGE_BYTES: Final = 32 << 20
ENCODING: Final = "grpc-encoding"

_PREFIX_BYTES = 5
_CODINGS: Final = {"gzip": "gzip", "deflate": "deflate"}


class BrokenFrame(ValueError):
    """Not what gRPC sends, or too large."""


def frame(message: bytes) -> bytes:
    """A message as it is sent, not compressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def read_one(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The one message of a body. Raises `BrokenFrame`."""
    size = len(body) - _PREFIX_BYTES
    is_whole = body[:1] == b"\0" and int.from_bytes(body[1:_PREFIX_BYTES], "big") == size
    if is_whole and 0 <= size <= LARGEST_MESSAGE_BYTES:
        return body[_PREFIX_BYTES:]
    frames = FrameDecoder(headers.get(ENCODING, ""))
    messages = frames.feed(body)
    frames.end()
    if len(messages) != 1:
        raise BrokenFrame(f"{len(messages)} messages, where one is asked for")
    return messages[0]


class FrameDecoder:
    """Bytes in, messages out."""

    __slots__ = ("_coding", "_kept", "_largest")

    def __init__(self, coding: str = "", largest_message_bytes: int = LARGEST_MESSAGE_BYTES):
        """`coding` is the value of `grpc-encoding`."""
        self._coding = coding.strip().lower()
        self._largest = largest_message_bytes
        self._kept = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete. Raises `BrokenFrame`."""
        data = self._kept + data
        found: list[bytes] = []
        position = 0
        while len(data) - position >= _PREFIX_BYTES:
            length = int.from_bytes(data[position + 1 : position + _PREFIX_BYTES], "big")
            if length > self._largest:
                raise BrokenFrame(f"a message of {length} bytes")
            end = position + _PREFIX_BYTES + length
            if end > len(data):
                break
            found.append(self._message(data[position], data[position + _PREFIX_BYTES : end]))
            position = end
        self._kept = data[position:]
        return found

    def end(self) -> None:
        """No more bytes follow. Raises `BrokenFrame` where a message has not ended."""
        if self._kept:
            raise BrokenFrame("a message ends too early")

    def _message(self, flag: int, payload: bytes) -> bytes:
        if flag == 0:
            return payload
        coding = _CODINGS.get(self._coding)
        if flag != 1 or coding is None:
            raise BrokenFrame(f"a message is compressed as {self._coding or 'nothing'!r}")
        try:
            decoder = Decoder(coding, self._largest)
            message = decoder.feed(payload)
            decoder.end()
        except (BadEncoding, TooLarge, UnknownEncoding) as error:
            raise BrokenFrame(str(error)) from None
        return message
