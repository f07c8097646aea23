"""A body in the place of another, as Envoy is told of it: serialised by hand, as it may be large.

https://protobuf.dev/programming-guides/encoding/

What a client has said of the old one's bytes is removed with it: RFC 9530 (`content-digest`,
`repr-digest`), RFC 3230 (`digest`), RFC 1864 (`content-md5`).
"""

from __future__ import annotations

# The tags of the fields, all length-delimited (wire type 2) but the one of an enum.
_REQUEST_BODY = b"\x1a"  # ProcessingResponse.request_body = 3
_RESPONSE_BODY = b"\x22"  # ProcessingResponse.response_body = 4
_BODY_RESPONSE = b"\x0a"  # BodyResponse.response = 1
_HEADER_MUTATION = b"\x12"  # CommonResponse.header_mutation = 2
_BODY_MUTATION = b"\x1a"  # CommonResponse.body_mutation = 3
_MUTATED_BODY = b"\x0a"  # BodyMutation.body = 1
_STREAMED_RESPONSE = b"\x1a"  # BodyMutation.streamed_response = 3
_END_OF_STREAM = b"\x10\x01"  # StreamedBodyResponse.end_of_stream = 2
_CONTENT_LENGTH = b"\x0a\x0econtent-length\x1a"  # HeaderValue.key = 1, raw_value = 3
_OVERWRITE_FIELD = b"\x18\x02"  # HeaderValueOption.append_action = 3
_REMOVED = b"\x12"  # HeaderMutation.remove_headers = 2
DIGESTS = ("content-digest", "repr-digest", "digest", "content-md5")
"""Headers that say what the bytes of a body are."""
_NO_DIGESTS = b"".join(b"%b%c%b" % (_REMOVED, len(each), each.encode()) for each in DIGESTS)
_BEHIND_LENGTH = _OVERWRITE_FIELD + _NO_DIGESTS + _BODY_MUTATION


def _length(digits: int) -> bytes:
    """What stands before a `content-length` of so many digits."""
    value = _CONTENT_LENGTH + bytes((digits,))
    header = b"\x0a" + bytes((len(value) + digits,)) + value  # HeaderValueOption.header = 1
    size = len(header) + digits + len(_OVERWRITE_FIELD)
    option = b"\x0a" + bytes((size,)) + header  # HeaderMutation.set_headers = 1
    return _HEADER_MUTATION + bytes((size + 2 + len(_NO_DIGESTS),)) + option


_LENGTHS = tuple(map(_length, range(20)))

_IN_TWO_BYTES = (
    b"%b" + _REQUEST_BODY + b"%c%c" + _BODY_RESPONSE + b"%c%c"
    b"%b%b" + _BEHIND_LENGTH + b"%c%c" + _MUTATED_BODY + b"%c%c%b"
)
"""A new body of a request, whose lengths take two bytes each."""
_LEAST_IN_TWO, _MOST_IN_TWO = 128, 16383
_MORE_BYTES = len(_BEHIND_LENGTH) + 2 + len(_MUTATED_BODY) + 2
"""Beside the `content-length` and the body, within a CommonResponse."""


def of_request(before: bytes, body: bytes) -> bytes:
    """A ProcessingResponse that has this body sent on, with its length and without digests of the
    old one; it is put behind another."""
    size = len(body)
    digits = b"%d" % size
    length = _LENGTHS[len(digits)]
    common = len(length) + len(digits) + _MORE_BYTES + size
    if size >= _LEAST_IN_TWO and common + 3 <= _MOST_IN_TWO:  # as most are
        outer, mutation = common + 3, size + 3
        lengths = outer & 127 | 128, outer >> 7, common & 127 | 128, common >> 7
        told = mutation & 127 | 128, mutation >> 7, size & 127 | 128, size >> 7
        return _IN_TWO_BYTES % (before, *lengths, length, digits, *told, body)
    mutated = _MUTATED_BODY + varint(size)
    mutations = b"".join((length, digits, _BEHIND_LENGTH, varint(len(mutated) + size), mutated))
    response = _BODY_RESPONSE + varint(len(mutations) + size)
    whole = _REQUEST_BODY + varint(len(response) + len(mutations) + size)
    return b"".join((before, whole, response, mutations, body))


def of_response(body: bytes) -> bytes:
    """A ProcessingResponse that has this piece of an answer sent on in the place of the one that
    was shown."""
    size = len(body)
    mutated = _MUTATED_BODY + varint(size)
    mutation = _BODY_MUTATION + varint(len(mutated) + size) + mutated
    response = _BODY_RESPONSE + varint(len(mutation) + size) + mutation
    whole = _RESPONSE_BODY + varint(len(response) + size)
    return b"".join((whole, response, body))


def of_flowing(body: bytes, *, is_end: bool) -> bytes:
    """A ProcessingResponse that sends these bytes on, of an answer that flows."""
    size = len(body)
    piece = _MUTATED_BODY + varint(size)  # StreamedBodyResponse.body = 1, too
    end = _END_OF_STREAM if is_end else b""
    length = len(piece) + size + len(end)
    streamed = _STREAMED_RESPONSE + varint(length) + piece
    length += len(streamed) - len(piece)
    mutation = _BODY_MUTATION + varint(length) + streamed
    length += len(mutation) - len(streamed)
    response = _BODY_RESPONSE + varint(length) + mutation
    length += len(response) - len(mutation)
    return b"".join((_RESPONSE_BODY, varint(length), response, body, end))


def varint(number: int) -> bytes:
    """A length, as protobuf writes it."""
    if number < 128:
        return bytes((number,))
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
