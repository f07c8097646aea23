"""MCP servers that are plain values: told a request, they answer at once, and remember all of it.

Each has sessions, pages of lists, tools that answer with what they were called with, and one that
asks its client something before it answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from extproc.ports import Answered, Asked

EVENTS = "text/event-stream"
ASKING = "ask_user"
"""A tool that every server has: it asks its client for text, and tells what was answered."""


@dataclass(slots=True)
class Received:
    """One HTTP request, read."""

    server: str
    method: str
    headers: dict[str, str]
    message: Any


@dataclass(slots=True)
class Waiting:
    """A call that waits for the client."""

    identity: Any
    """Of the call."""
    asked: Any
    """The id of the server's own request."""
    session: str
    answer: Any = None
    is_answered: bool = False


@dataclass(slots=True)
class SimulatedServer:
    """One server of a revision with sessions."""

    name: str
    tools: Sequence[str] = ("search",)
    prompts: Sequence[str] = ()
    resources: Sequence[str] = ()
    templates: Sequence[str] = ()
    revision: str = "2025-11-25"
    page: int = 100
    ids: Sequence[Any] = ()
    """Of its requests, in turn; numbers from 1 when they are used up."""
    is_down: bool = False
    sessions: set[str] = field(default_factory=set)
    received: list[Received] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    _numbers: int = 0

    def restart(self) -> None:
        """All that it knew is forgotten."""
        self.sessions.clear()
        self.waiting.clear()

    def ask(self, asked: Asked) -> Answered:
        """One HTTP request; an answer in events that has not ended ends with none."""
        headers = {name.lower(): value for name, value in asked.headers}
        message = json.loads(asked.body) if asked.body else None
        self.received.append(Received(self.name, asked.method, headers, message))
        session = headers.get("mcp-session-id", "")
        if isinstance(message, dict) and message.get("method") == "initialize":
            return self._begin(message)
        if session not in self.sessions:
            return Answered(404 if session else 400, {}, b"")
        if asked.method == "DELETE":
            self.sessions.discard(session)
            return Answered(204, {}, b"")
        if "id" not in message or "method" not in message:
            self._told(message, session)
            return Answered(202, {}, b"")
        if message["method"] == "tools/call" and message["params"]["name"] == ASKING:
            return self._asking(message["id"], session)
        return _json(message["id"], **self._answer(message["method"], message.get("params", {})))

    def is_waiting(self, session: str) -> bool:
        """Whether a call of the session has not ended."""
        return any(each.session == session for each in self.waiting)

    def finish(self, session: str) -> bytes:
        """The events with which calls end whose question was answered."""
        done = [each for each in self.waiting if each.session == session and each.is_answered]
        self.waiting = [each for each in self.waiting if each not in done]
        return b"".join(_event(_result(each.identity, _text(each.answer))) for each in done)

    def _begin(self, message: Any) -> Answered:
        self._numbers += 1
        session = f"{self.name}-session-{self._numbers}"
        self.sessions.add(session)
        can: dict[str, Any] = {"tools": {}}
        can |= {"prompts": {}} if self.prompts else {}
        can |= {"resources": {"subscribe": True}} if self.resources or self.templates else {}
        result = {
            "protocolVersion": self.revision,
            "capabilities": can,
            "serverInfo": {"name": self.name, "version": "1"},
        }
        answer = _json(message["id"], result=result)
        return Answered(200, {**answer.headers, "mcp-session-id": session}, answer.body)

    def _told(self, message: Any, session: str) -> None:
        """A notification, or an answer."""
        for each in self.waiting:
            is_answer = "method" not in message and _is_same(each.asked, message["id"])
            if is_answer and each.session == session:
                each.answer, each.is_answered = message["result"], True

    def _asking(self, identity: Any, session: str) -> Answered:
        self._numbers += 1
        turn = sum(1 for each in self.received if _is_asking(each.message)) - 1
        own = self.ids[turn] if turn < len(self.ids) else self._numbers
        self.waiting.append(Waiting(identity, own, session))
        params = {"message": f"{self.name} asks", "_meta": {"progressToken": own}}
        question = {"jsonrpc": "2.0", "id": own, "method": "elicitation/create", "params": params}
        return Answered(200, {"content-type": EVENTS}, _event(question))

    def _answer(self, method: str, params: Any) -> dict[str, Any]:
        match method:
            case "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe":
                return {"result": {}}
            case "tools/list":
                tools = [{"name": each, "inputSchema": {}} for each in (*self.tools, ASKING)]
                return self._page("tools", tools, params)
            case "prompts/list" if self.prompts:
                return self._page("prompts", [{"name": each} for each in self.prompts], params)
            case "resources/list" if self.resources or self.templates:
                uris = [{"uri": each, "name": each} for each in self.resources]
                return self._page("resources", uris, params)
            case "resources/templates/list" if self.resources or self.templates:
                texts = [{"uriTemplate": each, "name": each} for each in self.templates]
                return self._page("resourceTemplates", texts, params)
            case "tools/call" if params["name"] in self.tools:
                return {"result": _text([self.name, params["name"], params.get("arguments")])}
            case "prompts/get" if params["name"] in self.prompts:
                return {"result": {"messages": [], "description": self.name}}
            case "resources/read" if self._has(params["uri"]):
                return {"result": {"contents": [{"uri": params["uri"], "text": self.name}]}}
            case "completion/complete":
                return {"result": {"completion": {"values": [self.name]}}}
            case "tools/call" | "prompts/get":
                return {"error": {"code": -32602, "message": f"Unknown: {params['name']}"}}
            case "resources/read":
                return {"error": {"code": -32002, "message": f"Not found: {params['uri']}"}}
        return {"error": {"code": -32601, "message": "Method not found"}}

    def _has(self, uri: str) -> bool:
        beginnings = [each.partition("{")[0] for each in self.templates]
        return uri in self.resources or any(uri.startswith(each) for each in beginnings)

    def _page(self, member: str, entries: list[Any], params: Any) -> dict[str, Any]:
        start = int(params.get("cursor", 0))
        result: dict[str, Any] = {member: entries[start : start + self.page]}
        if start + self.page < len(entries):
            result["nextCursor"] = str(start + self.page)
        return {"result": result}


def _is_same(one: Any, other: Any) -> bool:
    """A number is no text."""
    return type(one) is type(other) and bool(one == other)


def _is_asking(message: Any) -> bool:
    is_call = isinstance(message, dict) and message.get("method") == "tools/call"
    return is_call and message["params"]["name"] == ASKING


def _text(value: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": json.dumps(value)}]}


def _result(identity: Any, result: Any) -> Any:
    return {"jsonrpc": "2.0", "id": identity, "result": result}


def _event(message: Any) -> bytes:
    return b"event: message\ndata: %s\n\n" % json.dumps(message).encode()


def _json(identity: Any, **said: Any) -> Answered:
    body = json.dumps({"jsonrpc": "2.0", "id": identity, **said}).encode()
    return Answered(200, {"content-type": "application/json"}, body)
