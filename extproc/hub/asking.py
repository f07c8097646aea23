"""One request through Envoy's inner listener, whose answer may be a stream.

HTTP/2 to one peer that we trust, so this client knows no redirects, cookies, proxies or codings.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from extproc.edges.stream import Fields, Stream
from extproc.hub.driver import NoWay, WayOut


class NoAnswer(Exception):
    """There is none, or not all of it; `status` is what was answered instead, 0: nothing."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Question:
    """A request."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    """With `host`, and without the body's length."""
    body: bytes = b""

    def fields(self) -> Fields:
        """As HTTP/2 says it."""
        host = next((value for name, value in self.headers if name == "host"), "services")
        said = [(":method", self.method), (":scheme", "http")]
        said += ((":authority", host), (":path", self.path))
        said += ((name, value) for name, value in self.headers if name != "host")
        if self.body or self.method == "POST":
            said.append(("content-length", str(len(self.body))))
        return said


class Answer:
    """What came of it; to be closed. It is what hears the stream."""

    __slots__ = ("_broken", "_is_ended", "_pieces", "_stream", "_waiting", "headers", "status")

    def __init__(self) -> None:
        self.status = 0
        """0: it has not begun."""
        self.headers: Mapping[str, str] = {}
        """Names in lower case; of those that come twice, the last."""
        self._stream: Stream | None = None
        self._pieces: deque[bytes] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._is_ended = False
        self._broken: NoAnswer | None = None

    async def next(self) -> bytes | None:
        """The next piece of the body; None: it has ended. Raises `NoAnswer` when it breaks off."""
        while not self._pieces:
            if self._broken is not None:
                raise self._broken
            if self._is_ended:
                return None
            await self._news()
        piece = self._pieces.popleft()
        if self._stream is not None:
            self._stream.consumed(len(piece))
        return piece

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, as it comes. Raises `NoAnswer` when it breaks off."""
        while (piece := await self.next()) is not None:
            yield piece

    async def body(self, limit_bytes: int) -> bytes:
        """All of it. Raises `NoAnswer`."""
        whole = bytearray()
        while (piece := await self.next()) is not None:
            whole += piece
            if len(whole) > limit_bytes:
                raise NoAnswer(f"an answer of more than {limit_bytes} bytes")
        return bytes(whole)

    def close(self) -> None:
        """It is not read any further."""
        if self._stream is not None:
            self._stream.reset()
            self._stream = None
        self._is_ended = True
        self._tell()

    async def begun(self, stream: Stream) -> None:
        """Until there is a head. Raises `NoAnswer`."""
        self._stream = stream
        while not self.status:
            if self._broken is not None:
                raise self._broken
            await self._news()

    # What the stream tells

    def headed(self, fields: Fields) -> None:
        said = dict(fields)
        status = said.pop(":status", "")
        if self.status or not status.isdigit():
            self.broke("an answer without a status", is_unseen=False)
            return
        self.headers = said
        self.status = int(status)
        self._tell()

    def received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._tell()

    def ended(self) -> None:
        self._is_ended = True
        if not self.status:
            self._broken = NoAnswer("an answer without a head")
        self._tell()

    def broke(self, why: str, *, is_unseen: bool) -> None:
        self._broken = Unseen(why) if is_unseen else NoAnswer(f"the answer broke off: {why}")
        self._tell()

    def relieved(self) -> None:
        """A request is written whole."""

    async def _news(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _tell(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Unseen(NoAnswer):
    """Envoy has not seen the request: its connection was about to be closed."""


async def ask(way: WayOut, question: Question) -> Answer:
    """The answer, once it has begun. Raises `NoAnswer`."""
    try:
        return await _asked(way, question)
    except Unseen:
        return await _asked(way, question)


async def _asked(way: WayOut, question: Question) -> Answer:
    answer = Answer()
    try:
        stream = await way.open(question.fields(), question.body, answer)
    except NoWay as error:
        raise NoAnswer(str(error)) from None
    try:
        await answer.begun(stream)
    except BaseException:
        answer.close()
        raise
    return answer
