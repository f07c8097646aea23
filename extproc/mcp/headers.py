"""The headers of MCP that say what the body says: from 2026-07-28 they must agree.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http,
"Request Metadata". `Mcp-Param-*` headers, which only the tool's own server can check, pass.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from extproc.mcp.jsonrpc import HEADER_MISMATCH, INVALID_PARAMS, Fault
from extproc.mcp.messages import Kind, Message

PROTOCOL_VERSION: Final = "mcp-protocol-version"
SESSION_ID: Final = "mcp-session-id"
METHOD: Final = "mcp-method"
NAME: Final = "mcp-name"

META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
META_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
META_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
META_LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"

FIRST_MODERN: Final = "2026-07-28"
"""The first revision without sessions; revisions are dates, and sort."""
SOURCES: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""The parameter that `Mcp-Name` says, of the methods that have one."""

_NAMED: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods that must have the header."""
_OPENING, _CLOSING = "=?base64?", "?="
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_LONGEST_SHOWN = 64


def is_modern(revision: str) -> bool:
    """Whether a revision says all that it needs with each request."""
    return revision >= FIRST_MODERN


def revision(headers: Mapping[str, str], message: Message) -> str:
    """The revision that a message is of, as its headers say it, else its body; empty: neither."""
    return headers.get(PROTOCOL_VERSION, "") or _of_body(message)


def mismatch(headers: Mapping[str, str], message: Message) -> Fault | None:
    """Why a message of a modern revision is refused: headers that its body contradicts.

    Names of headers are in lower case. A message is modern when its header or its body says so;
    others are not looked at, whatever their headers say: no decision may rest upon those.
    """
    if message.is_answer:
        return None
    if not is_modern(headers.get(PROTOCOL_VERSION, "")) and not is_modern(_of_body(message)):
        return None
    if message.kind is Kind.NOTIFICATION:  # the revision asks no headers of them
        said = headers.get(METHOD, message.method)
        return None if said == message.method else _differs(message, METHOD, said, message.method)
    return _version_fault(headers, message) or _method_fault(headers, message)


def encoded(value: str) -> str:
    """A value as a header says it: as it is, or in Base64 where that is not safe."""
    is_marked = value.startswith(_OPENING) and value.endswith(_CLOSING)
    if not is_marked and (not value or _PLAIN.fullmatch(value)):
        return value
    return f"{_OPENING}{base64.b64encode(value.encode()).decode()}{_CLOSING}"


def decoded(header: str) -> str | None:
    """The value that a header says; None: it cannot be read."""
    if not (header.startswith(_OPENING) and header.endswith(_CLOSING)):
        return header if not header or _PLAIN.fullmatch(header) else None
    try:
        return base64.b64decode(header[len(_OPENING) : -len(_CLOSING)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _of_body(message: Message) -> str:
    said = message.meta.get(META_VERSION)
    return said if isinstance(said, str) else ""


def _version_fault(headers: Mapping[str, str], message: Message) -> Fault | None:
    meta = message.meta
    version = meta.get(META_VERSION)
    if type(version) is not str or type(meta.get(META_CAPABILITIES)) is not dict:
        lacking = META_VERSION if type(version) is not str else META_CAPABILITIES
        return message.fault(INVALID_PARAMS, f"invalid params: _meta lacks {lacking!r}")
    said = headers.get(PROTOCOL_VERSION)
    if said is None:
        return message.fault(HEADER_MISMATCH, f"header mismatch: no {PROTOCOL_VERSION}")
    return None if said == version else _differs(message, PROTOCOL_VERSION, said, version)


def _method_fault(headers: Mapping[str, str], message: Message) -> Fault | None:
    method = message.method
    said = headers.get(METHOD)
    if said is None:
        return message.fault(HEADER_MISMATCH, f"header mismatch: no {METHOD}")
    if said != method:
        return _differs(message, METHOD, said, method)
    source = SOURCES.get(method)
    if source is None:
        return None
    header = headers.get(NAME)
    if header is None:
        if method in _NAMED:
            return message.fault(HEADER_MISMATCH, f"header mismatch: no {NAME}")
        return None
    name = decoded(header)
    if name is None:
        return message.fault(HEADER_MISMATCH, f"header mismatch: {NAME} cannot be read")
    value = message.text(source)
    return None if name == value else _differs(message, NAME, name, value)


def _differs(message: Message, name: str, said: str, value: str) -> Fault:
    shown, real = said[:_LONGEST_SHOWN], value[:_LONGEST_SHOWN]
    return message.fault(
        HEADER_MISMATCH, f"header mismatch: {name} says {shown!r}, the body {real!r}"
    )


def log_level(message: Message) -> str:
    """The least that the client wants to hear of logs, of this request; empty: nothing."""
    said = message.meta.get(META_LOG_LEVEL)
    return said if isinstance(said, str) else ""
