"""MCP servers behind links that are made of nothing: what they are sent is kept, and a test says
what they say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from extproc.hub.envelope import read
from extproc.hub.links import CannotConnect, Congested, Ears, Link
from extproc.hub.web import Reply, Request

Answer = Callable[["FakeLink", dict[str, Any]], None]
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


@dataclass(slots=True, eq=False)
class FakeLink:
    """One connection, or process."""

    ears: Ears
    headers: Mapping[str, str]
    answer: Answer
    sent: list[dict[str, Any]] = field(default_factory=list)
    is_closed: bool = False
    is_congested: bool = False

    def send(self, text: bytes) -> None:
        assert not self.is_closed
        if self.is_congested:
            raise Congested("it does not read")
        assert b"\n" not in text
        message = json.loads(text)
        self.sent.append(message)
        self.answer(self, message)

    async def close(self) -> None:
        self.is_closed = True

    def say(self, **fields: Any) -> None:
        text = json.dumps({"jsonrpc": "2.0", **fields}).encode()
        self.ears.heard(read(text), text)

    def die(self, reason: str = "it ended with status 1") -> None:
        self.is_closed = True
        self.ears.ended(reason)


@dataclass(slots=True)
class FakeServer:
    """Where links lead; `refuses`: why there are none."""

    answer: Answer
    links: list[FakeLink] = field(default_factory=list)
    refuses: str = ""

    async def connect(self, headers: Mapping[str, str], ears: Ears) -> Link:
        if self.refuses:
            raise CannotConnect(self.refuses)
        link = FakeLink(ears, headers, self.answer)
        self.links.append(link)
        return link


def with_sessions(link: FakeLink, message: dict[str, Any]) -> None:
    """A server of an earlier revision: it says what it was asked, or is silent (`wait`)."""
    if "id" not in message or "method" not in message:
        return
    if message["method"] == "initialize":
        told = message["params"]["protocolVersion"]
        link.say(id=message["id"], result={"protocolVersion": told, "capabilities": {}})
    elif message["method"] == "server/discover":
        link.say(id=message["id"], error={"code": -32601, "message": "unknown"})
    elif message["method"] != "wait":
        link.say(id=message["id"], result={"asked": message["method"]})


def without_sessions(link: FakeLink, message: dict[str, Any]) -> None:
    """One of 2026-07-28."""
    if "id" not in message:
        return
    if message["method"] == "server/discover":
        link.say(id=message["id"], result={"supportedVersions": ["2026-07-28"]})
    elif message["method"] == "initialize":
        link.say(id=message["id"], error={"code": -32022, "message": "unsupported"})
    elif message["method"] == "unknown":
        link.say(id=message["id"], error={"code": -32601, "message": "unknown"})
    elif message["method"] != "wait":
        link.say(id=message["id"], result={"asked": message["method"]})


def post(
    method: str, id: Any = None, *, session: str = "", params: Any = None, **headers: str
) -> Request:
    """What a client posts; a notification without an id."""
    said: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        said["id"] = id
    if params is not None:
        said["params"] = params
    return posted(said, session=session, **headers)


def posted(said: Any, *, session: str = "", **headers: str) -> Request:
    sent = {"accept": "application/json, text/event-stream"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    if session:
        sent["mcp-session-id"] = session
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return Request("POST", "/servers/one", "", sent, body)


def initialize(revision: str = "2025-11-25", **headers: str) -> Request:
    params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t"}}
    return post("initialize", 0, params=params, **headers)


def listen(session: str, **headers: str) -> Request:
    sent = {"accept": "text/event-stream", "mcp-session-id": session}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", "/servers/one", "", sent)


def said(reply: Reply) -> dict[str, Any]:
    """An answer in JSON."""
    assert isinstance(reply.body, bytes), "it is a stream"
    found: dict[str, Any] = json.loads(reply.body)
    return found


@dataclass(slots=True)
class Events:
    """A reply that is a stream, read event by event."""

    pieces: AsyncIterator[bytes]

    @classmethod
    def of(cls, reply: Reply) -> Events:
        assert reply.status == 200, reply
        assert reply.headers["content-type"] == "text/event-stream"
        assert not isinstance(reply.body, bytes)
        return cls(reply.body)

    async def next(self) -> tuple[str, Any]:
        """The next one's id, and what it says."""
        piece = (await anext(self.pieces)).decode()
        fields = dict(line.partition(": ")[::2] for line in piece.splitlines() if line)
        data = fields.get("data", "")
        return fields.get("id", ""), json.loads(data) if data else None

    async def rest(self) -> list[Any]:
        """All to the end."""
        found = []
        try:
            while True:
                found.append((await self.next())[1])
        except StopAsyncIteration:
            return found

    async def hang_up(self) -> None:
        await self.pieces.aclose()  # type: ignore[attr-defined]
