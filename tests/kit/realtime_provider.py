"""A provider of OpenAI's realtime API: sessions whose responses are as their metadata asks.

It follows the documented events: `session.created` first, then for each `response.create` what a
response is made of, from `response.created` to `response.done` with its usage.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

SOUND = base64.b64encode(bytes(range(256)) * 60).decode()
"""One piece of speech: 15 KB."""
BINARY = bytes(range(256)) * 400


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended, as the provider sees it."""

    code: int
    reason: str


@dataclass(slots=True)
class RealtimeProvider:
    """Where it is, and what it was told."""

    port: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request for a websocket, with its `:path`."""
    heard: list[dict[str, Any]] = field(default_factory=list)
    """The events of clients."""
    endings: list[Ending] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    """Responses that are asked to wait do so until then."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def forget(self) -> None:
        self.asked.clear()
        self.heard.clear()
        self.endings.clear()
        self.go_on.clear()


@contextmanager
def realtime_provider() -> Iterator[RealtimeProvider]:
    """Serve until the block ends."""
    found = RealtimeProvider()

    def note(_: ServerConnection, request: Request) -> Response | None:
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        found.asked.append({":path": request.path, **headers})
        if headers.get("authorization") != "Bearer sk-realtime":
            return Response(HTTPStatus.UNAUTHORIZED.value, "Unauthorized", request.headers, b"{}")
        return None

    def talk(websocket: ServerConnection) -> None:
        try:
            _Session(websocket, found).run()
        except ConnectionClosed as closed:
            frame = closed.rcvd
            found.endings.append(
                Ending(frame.code, frame.reason) if frame is not None else Ending(1006, "")
            )

    server: Server
    with serve(talk, "127.0.0.1", 0, process_request=note, max_size=None) as server:
        found.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            found.go_on.set()
            server.shutdown()
            thread.join(5)


class _Session:
    def __init__(self, websocket: ServerConnection, provider: RealtimeProvider) -> None:
        self._websocket = websocket
        self._provider = provider
        self._numbers = count(1)
        self._session: dict[str, Any] = {"type": "realtime", "object": "realtime.session"}

    def run(self) -> None:
        self._say("session.created", session=self._session)
        while True:
            event = json.loads(self._websocket.recv())
            self._provider.heard.append(event)
            match event["type"]:
                case "session.update":
                    self._session |= event["session"]
                    self._say("session.updated", session=self._session)
                case "input_audio_buffer.commit":
                    self._transcribed()
                case "response.create":
                    self._respond(event.get("response", {}).get("metadata", {}))

    def _transcribed(self) -> None:
        self._say("input_audio_buffer.committed", item_id="item_1")
        self._say(
            "conversation.item.input_audio_transcription.completed",
            item_id="item_1",
            content_index=0,
            transcript="Hello.",
            usage={"type": "duration", "seconds": 2.5},
        )

    def _respond(self, asked: Mapping[str, str]) -> None:
        name = f"resp_{next(self._numbers)}"
        response = {"object": "realtime.response", "id": name, "status": "in_progress"}
        self._say("response.created", response=response)
        place = {"response_id": name, "item_id": "item_2", "output_index": 0, "content_index": 0}
        for _ in range(int(asked.get("pieces", 1))):
            self._say("response.output_audio.delta", **place, delta=SOUND)
        match asked.get("first"):
            case "binary":
                self._websocket.send(BINARY)
            case "ping":
                self._websocket.ping(b"are you there").wait(5)
            case "close":
                self._websocket.close(4001, "the model is gone")
            case "wait":
                self._provider.go_on.wait(20)
        usage = {
            "total_tokens": int(asked.get("read", 100)) + int(asked.get("written", 50)),
            "input_tokens": int(asked.get("read", 100)),
            "output_tokens": int(asked.get("written", 50)),
            "input_token_details": {
                "text_tokens": int(asked.get("read", 100)) - int(asked.get("heard", 0)),
                "audio_tokens": int(asked.get("heard", 0)),
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0},
            },
            "output_token_details": {
                "text_tokens": int(asked.get("written", 50)) - int(asked.get("spoken", 0)),
                "audio_tokens": int(asked.get("spoken", 0)),
            },
        }
        done = {**response, "status": "completed", "output": [], "usage": usage}
        self._say("response.done", is_in_parts="parts" in asked, response=done)
        self._say("rate_limits.updated", rate_limits=[])

    def _say(self, kind: str, *, is_in_parts: bool = False, **more: Any) -> None:
        event = {"type": kind, "event_id": f"event_{next(self._numbers)}", **more}
        text = json.dumps(event, separators=(",", ":"))
        self._websocket.send(iter((text[:40], text[40:90], text[90:])) if is_in_parts else text)
