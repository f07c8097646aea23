"""An answer of the API → the result of the call.

https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result and the revisions
before and after: audio is of 2025-03-26, structured content of 2025-06-18, `resultType` of
2026-07-28.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from extproc.mcp.openapi.tool import Tool
from extproc.protocols import json_spans
from extproc.protocols.encodings import BadEncoding, Decoder, TooLarge, UnknownEncoding
from gateway.openapi.bodies import is_json
from gateway.openapi.responses import RESULT

MAX_ANSWER_BYTES = 4 << 20
"""Decoded; what is larger is no context for a model."""

_AUDIO_SINCE = "2025-03-26"
_STRUCTURED_SINCE = "2025-06-18"
_TYPED_SINCE = "2026-07-28"
_CHARSET = re.compile(r';\s*charset="?([\w.:-]+)', re.IGNORECASE)
_TEXTS = re.compile(
    r"text/.*|application/(?:xml|yaml|x-yaml|javascript|x-ndjson|x-www-form-urlencoded|graphql|"
    r"sql|toml)|.*\+(?:xml|yaml|json)"
)
_TOLD = ("location", "content-type", "content-length", "etag", "last-modified", "retry-after")
"""Headers that are the answer where there is no body."""
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    200: "OK",
}


def decode(
    tool: Tool,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    revision: str,
    limit_bytes: int = MAX_ANSWER_BYTES,
) -> dict[str, Any]:
    """The `CallToolResult`, in which parts may be raw JSON. Names of headers are in lower case."""
    try:
        content = _decoded(headers.get("content-encoding", ""), body, limit_bytes)
    except TooLarge:
        reason = f"the answer (HTTP {status}) is larger than {limit_bytes} bytes"
        return failed((reason,), revision)
    except (BadEncoding, UnknownEncoding) as error:
        return failed((f"the answer (HTTP {status}) cannot be read: {error}",), revision)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not 200 <= status < 300:
        return failed((_told(status, headers, content, kind),), revision)
    if not content:
        return _result([_text(_headline(status, headers))], revision, tool, status)
    if is_json(kind) or (not kind and content[:1] in (b"{", b"[")):
        return _of_json(tool, status, content, revision)
    return _result([_block(tool, kind, headers, content, revision)], revision, tool, status)


def failed(reasons: tuple[str, ...], revision: str) -> dict[str, Any]:
    """A result that tells the model what went wrong."""
    return _typed({"content": [_text("\n".join(reasons))], "isError": True}, revision)


def _decoded(coding: str, body: bytes, limit_bytes: int) -> bytes:
    if len(body) > limit_bytes:
        raise TooLarge
    if coding.strip().lower() in ("", "identity"):
        return body
    decoder = Decoder(coding, limit_bytes)
    content = decoder.feed(body)
    decoder.end()
    return content


def _of_json(tool: Tool, status: int, content: bytes, revision: str) -> dict[str, Any]:
    try:
        said = content.decode()
        value = json_spans.decode_any(content)
    except (UnicodeDecodeError, json_spans.InvalidJson):
        return _result([_text(content.decode(errors="replace"))], revision, tool, status)
    structured: bytes | None = content if type(value) is dict else None
    if tool.operation.is_wrapped:
        structured = b'{"%b":%b}' % (RESULT.encode(), content)
    return _result([_text(said)], revision, tool, status, structured)


def _result(
    content: list[dict[str, Any]],
    revision: str,
    tool: Tool,
    status: int,
    structured: bytes | None = None,
) -> dict[str, Any]:
    """Clients refuse structured content that is not as its schema says, and its absence where there
    is one; so then it is an error that has the answer in it."""
    if revision < _STRUCTURED_SINCE:
        return _typed({"content": content}, revision)
    fault = tool.output_fault(structured.decode()) if structured is not None else None
    if structured is None and tool.operation.output_schema:
        fault = "it is not JSON"
    if fault is not None:
        note = (
            f"The API did what was asked (HTTP {status}), but its answer is not as its document "
            f"says: {fault}. The answer follows."
        )
        return _typed({"content": [_text(note), *content], "isError": True}, revision)
    if structured is None:
        return _typed({"content": content}, revision)
    return _typed({"content": content, "structuredContent": msgspec.Raw(structured)}, revision)


def _block(
    tool: Tool, kind: str, headers: Mapping[str, str], content: bytes, revision: str
) -> dict[str, Any]:
    if _TEXTS.fullmatch(kind) or (not kind and _is_text(content)):
        return _text(_string(headers.get("content-type", ""), content))
    data = base64.b64encode(content).decode()
    mime_type = kind or "application/octet-stream"
    if kind.startswith("image/"):
        return {"type": "image", "data": data, "mimeType": mime_type}
    if kind.startswith("audio/") and revision >= _AUDIO_SINCE:
        return {"type": "audio", "data": data, "mimeType": mime_type}
    uri = f"openapi:///{tool.operation.name}"
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "blob": data}}


def _string(content_type: str, content: bytes) -> str:
    found = _CHARSET.search(content_type)
    try:
        return content.decode(found[1] if found else "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        return content.decode(errors="replace")


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def _headline(status: int, headers: Mapping[str, str]) -> str:
    reason = _REASONS.get(status, "")
    lines = [f"HTTP {status} {reason}".strip()]
    lines += (f"{name}: {headers[name]}" for name in _TOLD if name in headers)
    return "\n".join(lines)


def _told(status: int, headers: Mapping[str, str], content: bytes, kind: str) -> str:
    """Of an answer that is none of success, with what the API says about it."""
    first = _headline(status, {} if content else headers)
    if "retry-after" in headers and content:
        first += f"\nretry-after: {headers['retry-after']}"
    is_text = is_json(kind) or _TEXTS.fullmatch(kind) or (not kind and _is_text(content))
    if not content:
        return first
    if not is_text:
        return f"{first}\n({len(content)} bytes of {kind or 'an unknown type'})"
    return f"{first}\n{_string(headers.get('content-type', ''), content)}"


def _text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def _typed(result: dict[str, Any], revision: str) -> dict[str, Any]:
    return {"resultType": "complete", **result} if revision >= _TYPED_SINCE else result
