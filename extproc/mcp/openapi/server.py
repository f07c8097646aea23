"""The MCP server of one REST API, without its I/O: what it answers, and what it has to ask.

It has no sessions and speaks every revision: which one, each message says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from extproc.mcp import headers, jsonrpc
from extproc.mcp.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND
from extproc.mcp.messages import Kind, Message
from extproc.mcp.openapi import answers
from extproc.mcp.openapi.answers import LEGACY, MODERN, NoSuchCursor
from extproc.mcp.openapi.requests import BadArguments, HttpRequest, encode
from extproc.mcp.openapi.results import decode, failed
from extproc.mcp.openapi.tool import Tool
from extproc.ports import Answered
from extproc.protocols import json_spans
from gateway.openapi.values import Api

_JSON: Final = {"content-type": "application/json"}
_UNSAID: Final = "2025-03-26"
"""The revision of a message that names none, as the specification says."""
_ARGUMENTS: Final = ("params", "arguments")


class Call(Struct, frozen=True):
    """A call of a tool, whose API has to be asked."""

    raw_id: bytes
    tool: Tool
    revision: str
    request: HttpRequest


class ApiServer:
    """Answers messages. What it makes of the document is made once."""

    __slots__ = ("_api", "_lists", "_name", "_tools")

    def __init__(self, name: str, api: Api) -> None:
        self._name = name
        self._api = api
        self._tools = {each.name: Tool(each) for each in api.operations}
        self._lists: dict[str, tuple[bytes, ...]] = {}
        """Tools as JSON, by revision."""

    def on_message(self, head: Mapping[str, str], message: Message) -> Answered | Call:
        """`head`: the headers that came with it, names in lower case."""
        if message.kind is not Kind.REQUEST:
            return Answered(202, {}, b"")
        revision = headers.revision(head, message) or _UNSAID
        if message.method == "initialize" and revision < MODERN:
            asked = message.text("protocolVersion")
            return _result(message, answers.initialized(self._api, self._name, asked))
        if revision not in LEGACY and revision != MODERN:
            supported = [MODERN, *reversed(LEGACY)]
            data = {"supported": supported, "requested": revision}
            code = jsonrpc.UNSUPPORTED_PROTOCOL_VERSION
            return _error(message, code, f"revision {revision!r} is not spoken", 400, data)
        match message.method:
            case "tools/call":
                return self._call(message, revision)
            case "tools/list":
                return self._list(message, revision)
            case "server/discover" if revision == MODERN:
                return _result(message, answers.discovered(self._api, self._name))
            case "ping" if revision != MODERN:
                return _result(message, answers.pong(revision))
        status = 404 if revision == MODERN else 200
        return _error(message, METHOD_NOT_FOUND, f"Method not found: {message.method}", status)

    def on_answer(self, call: Call, status: int, head: Mapping[str, str], body: bytes) -> Answered:
        """What the API said."""
        return _said(call.raw_id, decode(call.tool, status, head, body, call.revision))

    def on_silence(self, call: Call, why: str) -> Answered:
        """It said nothing; the model is told."""
        return _said(call.raw_id, failed((f"the API gives no answer: {why}",), call.revision))

    def _list(self, message: Message, revision: str) -> Answered:
        known = self._lists.get(revision)
        if known is None:
            known = self._lists[revision] = answers.tools(self._api, revision)
        try:
            return _result(message, answers.listed(known, revision, message.text("cursor")))
        except NoSuchCursor:
            return _error(message, INVALID_PARAMS, "there is no such page", 200)

    def _call(self, message: Message, revision: str) -> Answered | Call:
        tool = self._tools.get(message.name)
        if tool is None:
            return _error(message, INVALID_PARAMS, f"Unknown tool: {message.name}", 200)
        arguments = json_spans.value_at(message.body, _ARGUMENTS) or b"{}"
        request = encode(tool, arguments)
        if isinstance(request, BadArguments):
            return _result(message, failed(request.reasons, revision))
        return Call(message.raw_id, tool, revision, request)


def _result(message: Message, said: dict[str, Any]) -> Answered:
    return _said(message.raw_id, said)


def _said(raw_id: bytes, said: dict[str, Any]) -> Answered:
    return Answered(200, _JSON, jsonrpc.result(raw_id, msgspec.json.encode(said)))


def _error(message: Message, code: int, text: str, status: int, data: object = None) -> Answered:
    return Answered(status, _JSON, jsonrpc.error(message.raw_id, code, text, data))
