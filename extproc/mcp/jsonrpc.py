"""JSON-RPC 2.0 as MCP uses it: error codes, and bodies that answer.

https://www.jsonrpc.org/specification, and "Error Codes" of MCP's base protocol. Ids are JSON as it
was written, so that an answer has exactly the id of its request.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002
"""Until 2025-11-25; then `INVALID_PARAMS`."""
HEADER_MISMATCH: Final = -32020
MISSING_CLIENT_CAPABILITY: Final = -32021
UNSUPPORTED_PROTOCOL_VERSION: Final = -32022

NO_ID: Final = b"null"
"""The id of an answer to what has none that can be read."""


class Fault(Struct, frozen=True):
    """Why a message is refused."""

    code: int
    """Of JSON-RPC."""
    message: str
    """For people; lower case, no full stop."""
    raw_id: bytes = NO_ID
    """JSON; the id of the message."""
    status: int = 400
    """Of HTTP."""
    data: object = None
    """More for machines; None: nothing."""

    def body(self) -> bytes:
        """The answer."""
        return error(self.raw_id, self.code, self.message, self.data)


def error(raw_id: bytes, code: int, message: str, data: object = None) -> bytes:
    """The body of an error; `data` is what JSON can say, None: none."""
    said: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        said["data"] = data
    return b'{"jsonrpc":"2.0","id":%s,"error":%s}' % (raw_id, msgspec.json.encode(said))


def result(raw_id: bytes, said: bytes) -> bytes:
    """The body of a result, which is JSON."""
    return b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (raw_id, said)


def request(raw_id: bytes, method: str, params: bytes = b"") -> bytes:
    """The body of a request; the parameters are JSON, empty: none."""
    name = msgspec.json.encode(method)
    if not params:
        return b'{"jsonrpc":"2.0","id":%s,"method":%s}' % (raw_id, name)
    return b'{"jsonrpc":"2.0","id":%s,"method":%s,"params":%s}' % (raw_id, name, params)


def notification(method: str, params: bytes = b"") -> bytes:
    """The body of a notification; the parameters are JSON, empty: none."""
    name = msgspec.json.encode(method)
    if not params:
        return b'{"jsonrpc":"2.0","method":%s}' % name
    return b'{"jsonrpc":"2.0","method":%s,"params":%s}' % (name, params)
