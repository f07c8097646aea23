"""What is answered to MCP clients by the gateway itself: JSON-RPC, whatever refused."""

from __future__ import annotations

from typing import Final

import msgspec

from extproc.events import Respond
from extproc.mcp import headers as mcp_headers
from extproc.mcp import jsonrpc, merging
from extproc.mcp.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, Fault
from extproc.mcp.messages import Message
from extproc.verdict import Deny

JSON: Final = (("content-type", "application/json"),)
FORBIDDEN: Final = -32003
"""Of a server of our own kind (JSON-RPC 2.0 §5.1): who asks may not. The specification of MCP has
no code for it."""
UNAUTHENTICATED: Final = -32001
DENIED: Final = "dragoman/denied"
"""In `_meta` of a result: the code of what refused."""
LIMITED: Final = -32005
UNAVAILABLE: Final = -32006
_CODES: Final = {401: UNAUTHENTICATED, 403: FORBIDDEN, 429: LIMITED, 503: UNAVAILABLE}


def fault(found: Fault, headers: tuple[tuple[str, str], ...] = ()) -> Respond:
    """A message that cannot be, with the status of HTTP that goes with it."""
    return Respond(found.status, (*JSON, *headers), found.body(), f"dragoman_mcp_{found.code}")


def refused(deny: Deny, raw_id: bytes = jsonrpc.NO_ID) -> Respond:
    """Who may not, or not now."""
    data: dict[str, object] = {"code": deny.code}
    if deny.param is not None:
        data["param"] = deny.param
    code = _CODES.get(deny.status, jsonrpc.INVALID_REQUEST if deny.status < 500 else INTERNAL_ERROR)
    body = jsonrpc.error(raw_id, code, deny.reason, data)
    return Respond(deny.status, (*JSON, *deny.headers), body, f"dragoman_{deny.code}")


def withheld(deny: Deny, raw_id: bytes, *, is_tool: bool, is_modern: bool) -> bytes:
    """What guards do not let pass. Of a tool it is a result that failed, which clients show to
    their models, so that these can try otherwise ("Tools", "Error Handling"); where a guard could
    not be asked, and of all else, it is an error."""
    if is_tool and deny.status < 500:
        result: dict[str, object] = {
            "content": [{"type": "text", "text": deny.reason}],
            "isError": True,
            "_meta": {DENIED: deny.code},
        }
        if is_modern:
            result["resultType"] = "complete"
        return jsonrpc.result(raw_id, msgspec.json.encode(result))
    code = UNAVAILABLE if deny.status == 503 else FORBIDDEN
    code = INTERNAL_ERROR if deny.status == 502 else code
    return jsonrpc.error(raw_id, code, deny.reason, {"code": deny.code})


def unknown(message: Message) -> Fault:
    """What there is not, for this client: as its server would say it."""
    match message.method:
        case "tools/call":
            what = f"Unknown tool: {message.name}"
        case "prompts/get":
            what = f"Unknown prompt: {message.name}"
        case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
            return message.fault(
                jsonrpc.RESOURCE_NOT_FOUND,
                f"Resource not found: {message.uri}",
                200,
                {"uri": message.uri},
            )
        case _:
            what = "Unknown task" if message.task_id else f"Unknown reference of {message.method}"
    return message.fault(INVALID_PARAMS, what, 200)


def unsupported(message: Message, revision: str) -> Fault | None:
    """Of a revision that nobody knows."""
    if not revision or revision in merging.LEGACY_REVISIONS or revision in merging.MODERN_REVISIONS:
        return None
    text = f"Unsupported protocol version: {revision}"
    if not mcp_headers.is_modern(revision):
        return message.fault(jsonrpc.INVALID_REQUEST, text)
    data = {"supported": merging.MODERN_REVISIONS, "requested": revision}
    return message.fault(jsonrpc.UNSUPPORTED_PROTOCOL_VERSION, text, data=data)


def no_method(message: Message, *, is_modern: bool) -> Fault:
    """Which nobody has, or not any more."""
    text = f"Method not found: {message.method}"
    return message.fault(jsonrpc.METHOD_NOT_FOUND, text, 404 if is_modern else 200)


def result(message: Message, said: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Respond:
    """The result of a request, which is JSON."""
    body = jsonrpc.result(message.raw_id, said)
    return Respond(200, (*JSON, *headers), body, "dragoman_mcp")


def relayed(body: bytes) -> Respond:
    """A message that a server has said."""
    return Respond(200, JSON, body, "dragoman_mcp")


def accepted() -> Respond:
    """A notification, or an answer."""
    return Respond(202, (), b"", "dragoman_mcp")
