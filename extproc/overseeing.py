"""An answer that guards look at, from what Envoy shows of it to what it is told: in one piece where
its status must wait for their verdict, else piece by piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from msgspec import Struct

from extproc.events import ResponseBody, Watch
from extproc.guarding import Guarded, Watchman, guarded
from extproc.inquiring import Inquirer
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.pieces import LARGEST_ANSWER_BYTES
from extproc.llm.translate import Translation
from extproc.llm.usage_reader import UsageReader
from extproc.protocols.encodings import BadEncoding, Decoder, TooLarge, UnknownEncoding
from extproc.verdict import Deny
from gateway.model import Dialect

LARGEST_BUFFERED_BYTES = 1 << 20
"""Of an answer that Envoy holds back until it is whole; its buffers have room for as much."""
_JSON = "application/json"


class Guarding(Struct, frozen=True):
    """Who looks at what an answer says."""

    watchman: Watchman
    dialect: Dialect | None
    """The client's; None: it is no conversation."""
    is_stream: bool
    """The client asked for one."""
    is_framed: bool
    """A stream of it comes in AWS events that hold those of the model."""
    is_array: bool
    """A stream of it comes as one JSON array."""
    inquirer: Inquirer
    """Who asks services."""


class Said(Struct, frozen=True):
    """What goes on in the place of a piece."""

    body: bytes
    denied: Deny | None
    """The answer ends here: its client has not been told a status, or the body says it, too."""
    is_end: bool


class Overseen:
    """One answer."""

    __slots__ = (
        "_conforming",
        "_decoder",
        "_guarded",
        "_guards",
        "_in_turn",
        "_is_partial",
        "_is_whole",
        "_source",
        "_waiting",
    )

    def __init__(
        self,
        guards: Guarding,
        headers: Mapping[str, str],
        source: Translation | UsageReader | None,
    ) -> None:
        """`source` makes it the client's words, or reads its usage. Raises `UnreadableAnswer`."""
        self._guards = guards
        self._source = source
        self._decoder: Decoder | None = None
        self._in_turn = asyncio.Lock()
        self._waiting = 0
        """Pieces that wait for services, or for those before them."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        is_stream = guards.is_stream and (guards.is_array or kind != _JSON)
        coding = headers.get("content-encoding", "identity")
        if coding != "identity" and (source is None or isinstance(source, UsageReader)):
            try:
                self._decoder = Decoder(coding, LARGEST_ANSWER_BYTES)
            except UnknownEncoding as error:
                raise UnreadableAnswer(str(error)) from None
        self._is_whole = is_small(headers)
        self._is_partial = not is_stream and not self._is_whole
        make = guards.watchman.conforming
        self._conforming = None if make is None else make(is_stream)
        self._guarded: Guarded = guarded(
            guards.watchman,
            guards.dialect,
            is_stream=is_stream,
            is_framed=guards.is_framed,
            is_array=guards.is_array,
        )

    def watch(
        self, set_headers: Sequence[tuple[str, str]], remove_headers: Sequence[str] = ()
    ) -> Watch:
        """How it is to be shown."""
        removed = dict.fromkeys(("content-length", "content-encoding", *remove_headers))
        return Watch(tuple(set_headers), tuple(removed), self._is_whole, self._is_partial)

    def take(self, event: ResponseBody, asked: Asked) -> Said | Awaitable[Said]:
        """A piece of it; awaitable where services have to be asked. Raises `UnreadableAnswer`."""
        said = None
        if not self._waiting:
            said = self._feed(event)
            if not self._guarded.questions:
                return self._said(said, event, asked)
        self._waiting += 1
        return self._take_in_turn(event, asked, said)

    async def _take_in_turn(self, event: ResponseBody, asked: Asked, said: bytes | None) -> Said:
        """Pieces go on in the order in which they came."""
        try:
            async with self._in_turn:
                if self._denied is not None:
                    return Said(b"", None, False)  # it has ended before
                if said is None:
                    said = self._feed(event)
                while questions := self._guarded.questions:
                    opinions = await self._guards.inquirer.opinions(questions)
                    said += self._guarded.answered(opinions)
                return self._said(said, event, asked)
        finally:
            self._waiting -= 1

    @property
    def is_waiting(self) -> bool:
        """Pieces of it wait."""
        return self._waiting > 0

    async def settled(self) -> None:
        """When all pieces that came have gone."""
        async with self._in_turn:
            return

    def _feed(self, event: ResponseBody) -> bytes:
        is_end = self._is_last(event)
        if self._is_partial and not is_end:
            raise UnreadableAnswer("it is larger than what can be guarded before it is sent")
        try:
            return self._past(self._plain(event.body, is_end=is_end), is_end=is_end)
        except (BadEncoding, TooLarge) as error:
            raise UnreadableAnswer(str(error)) from None

    def _said(self, said: bytes, event: ResponseBody, asked: Asked) -> Said:
        deny = self._denied
        if deny is not None and not self.waits:
            said += self._guarded.refused(deny, self._guards.dialect, asked)
        return Said(said, deny, self._is_last(event))

    def _is_last(self, event: ResponseBody) -> bool:
        return event.is_end or self._is_whole  # trailers may follow

    @property
    def waits(self) -> bool:
        """Its status has not gone on: a denial is the whole answer."""
        return self._is_whole or self._is_partial

    def end(self) -> None:
        """Nothing of it follows."""
        if self._conforming is not None:
            self._conforming.end()
        self._guards.watchman.end()

    @property
    def _denied(self) -> Deny | None:
        if self._conforming is not None and self._conforming.denied is not None:
            return self._conforming.denied
        return self._guarded.denied

    def _past(self, data: bytes, *, is_end: bool) -> bytes:
        """What of it goes past all guards: those of its form, and those of its texts."""
        if self._conforming is not None:
            data = self._conforming.feed(data, is_end=is_end)
            if self._conforming.denied is not None:
                return b""
        return self._guarded.feed(data, is_end=is_end)

    def _plain(self, data: bytes, *, is_end: bool) -> bytes:
        """In the client's words, without a content coding."""
        source = self._source
        if source is not None and not isinstance(source, UsageReader):
            return source.feed(data, is_end=is_end)
        if self._decoder is not None:
            data = self._decoder.feed(data)
            if is_end:
                self._decoder.end()
        if source is not None:
            source.feed(data)
        return data


def is_small(headers: Mapping[str, str]) -> bool:
    """It fits Envoy's buffers, and says so."""
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) <= LARGEST_BUFFERED_BYTES
