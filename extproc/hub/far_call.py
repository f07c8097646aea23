"""A request to a server by Envoy's inner listener, and its answer, message by message as they come:
it can take as long as people take to say something."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from extproc.hub.asking import Answer, NoAnswer, Question, ask
from extproc.hub.driver import WayOut
from extproc.protocols.sse import EventTooLarge, SseDecoder
from gateway import names

_LARGEST_BYTES = 32 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_LINE = 1024
"""Of those that are noted."""
_AGAIN_SECONDS = 0.1
_LONGEST_AGAIN_SECONDS = 60.0
_EVENT_STREAM = "text/event-stream"


class FarCall:
    """A request that was sent."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.status = answer.status
        self.kind = answer.headers.get("content-type", "")
        """The content type."""
        self._events: SseDecoder | None = None
        if self.kind.startswith(_EVENT_STREAM):
            self._events = SseDecoder(_LARGEST_BYTES)
        self._waiting: deque[bytes] = deque()
        self._is_ended = False
        self._rest = b""
        """Of a line that is cut."""
        self.last_event = b""
        """The id of the last event that had one: where the stream can be taken up again."""
        self.again_seconds = _AGAIN_SECONDS
        """How long its server wants to be left alone before that."""

    @property
    def is_stream(self) -> bool:
        return self._events is not None

    def unread(self, message: bytes) -> None:
        """It comes next, once more."""
        self._waiting.appendleft(message)

    async def next(self) -> bytes | None:
        """The next message of a stream, or the only one where there is none; None: that was all.
        Raises `NoAnswer`."""
        events = self._events
        if events is None and not self._is_ended:
            self._is_ended = True
            return await self._answer.body(_LARGEST_BYTES)
        while not self._waiting and events is not None and not self._is_ended:
            piece = await self._answer.next()
            self._is_ended = piece is None
            self._note(piece or b"")
            try:
                found = events.end() if piece is None else events.feed(piece)
            except EventTooLarge as error:
                raise NoAnswer(str(error)) from None
            self._waiting.extend(
                each.data for each in found if each.name in ("", "message") and each.data.strip()
            )
        return self._waiting.popleft() if self._waiting else None

    def _note(self, piece: bytes) -> None:
        """What lines say of the stream itself."""
        lines = _LINE_END.split(self._rest + piece)
        self._rest = lines.pop()[-_LONGEST_LINE:]
        for line in lines:
            if line.startswith(b"id:"):
                self.last_event = line[3:].removeprefix(b" ")
            elif line.startswith(b"retry:") and (said := line[6:].strip()).isdigit():
                self.again_seconds = min(int(said[:9]) / 1000, _LONGEST_AGAIN_SECONDS)

    def close(self) -> None:
        """Nothing more is read; a server without sessions takes it as the end of the call."""
        self._answer.close()


async def post(
    way: WayOut, cluster: str, path: str, headers: Sequence[tuple[str, str]], body: bytes
) -> FarCall:
    """Ask a server. Raises `NoAnswer`."""
    return await _ask(way, "POST", cluster, path, headers, body)


async def take_up(
    way: WayOut, cluster: str, path: str, headers: Sequence[tuple[str, str]], last_event: bytes
) -> FarCall:
    """Go on with a stream behind that event, or with the session's own where none is named.
    Raises `NoAnswer`."""
    said = [(name, value) for name, value in headers if name not in ("accept", "content-type")]
    said.append(("accept", _EVENT_STREAM))
    if last_event:
        said.append(("last-event-id", last_event.decode("latin-1")))
    call = await _ask(way, "GET", cluster, path, said, b"")
    if not call.is_stream:
        call.close()
        raise NoAnswer(f"it goes on with no stream: status {call.status}", call.status)
    return call


async def _ask(
    way: WayOut,
    method: str,
    cluster: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> FarCall:
    said = (("host", "services"), (names.SERVICE_HEADER, cluster), *headers)
    return FarCall(await ask(way, Question(method, path, said, body)))
