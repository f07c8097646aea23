"""What a backend answers on a plain route, on its way to the client past the guards that read it.

A whole answer waits, headers and all, until it has been judged. Of a stream, events go on in their
order when all that they say may go. What no guard changes stays as it is, with its content coding;
other content types are not shown. docs/guardrails.md, "Plain routes".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from msgspec import structs

from extproc import route_events, route_texts
from extproc.events import (
    CONTINUE,
    Action,
    ChangeHeaders,
    Flow,
    Replace,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Watch,
)
from extproc.facts import Facts
from extproc.guarding import Reading, StreamedAnswer, Watchman, WholeAnswer
from extproc.inquiring import Inquirer
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.dialects import refusal
from extproc.message_texts import rewords
from extproc.new_bodies import DIGESTS
from extproc.overseeing import is_small
from extproc.policies.inquiry import Asked
from extproc.policies.remote.words import Opinion
from extproc.protocols.encodings import BadEncoding, Decoder, TooLarge, UnknownEncoding
from extproc.rewording import Reworded, Rewording
from extproc.route_events import RouteFrames
from extproc.route_guarding import RouteGuards, forbidden
from extproc.route_texts import AnyForm, Said, Unreadable
from extproc.verdict import By, Deny, PolicyKind
from gateway.guards import TextScope

LARGEST_BYTES: Final = 16 << 20
"""Of an answer without its content coding, and of what is held back of a stream."""
PLAIN: Final = (("accept-encoding", "identity"),)
"""What backends are asked for, whose answers are read."""
_CODING: Final = "content-encoding"
_LENGTH: Final = "content-length"
_NO_LONGER: Final = (*DIGESTS, "accept-ranges", "etag")
"""Of an answer that is another than the backend's."""
_VIA_UPSTREAM: Final = "via_upstream"
_BODILESS: Final = frozenset({204, 304})
_PARTIAL: Final = 206
_PARTS: Final = "multipart/byteranges"
_REWORD: Final = rewords(route_texts.SHAPE, TextScope.ASSISTANT)


def _reworded(document: bytes, rewording: Rewording) -> Reworded | Deny:
    found = _REWORD(document, rewording)
    if isinstance(found, Deny):
        return found
    return route_texts.with_escapes(document, found, rewording)


_READING: Final = Reading(route_texts.said_in, _reworded)
_ANSWER: Final = By(PolicyKind.ANSWER)
_TOO_LARGE: Final = Deny(
    502, "answer_too_large", "the answer is larger than what guards read", by=_ANSWER
)


class RouteAnswer:
    """The answer to one request."""

    __slots__ = ("_facts", "_guards", "_inquirer", "_read", "is_begun", "is_over")

    is_translating = True
    """The client gets nothing without us."""

    def __init__(self, guards: RouteGuards, facts: Facts, inquirer: Inquirer) -> None:
        self._guards, self._facts, self._inquirer = guards, facts, inquirer
        self._read: _Whole | _Stream | None = None
        self.is_begun = False
        self.is_over = False
        """Nothing of it follows that has to be read."""

    def on_headers(self, event: ResponseHeaders) -> Action | Deny:
        """How it is to be shown, if at all."""
        self.is_begun = True
        try:
            found = self._reader(event)
        except (Unreadable, UnknownEncoding) as error:
            self.is_over = True
            return unreadable(str(error))
        if found is None:
            self.is_over = True
            return CONTINUE
        self._read = found
        action = found.watch(event.headers)
        self.is_over = found.is_over
        return action

    def on_body(self, event: ResponseBody) -> Action | Deny | Awaitable[Action | Deny]:
        """A piece of it."""
        read = self._read
        if read is None:
            return CONTINUE
        return self._ended(read, read.take(event))

    def on_end(self, event: ResponseEnd) -> Action | Deny | Awaitable[Action | Deny]:
        """Its trailers, behind which nothing follows."""
        read = self._read
        if not isinstance(read, _Stream):
            return CONTINUE
        return self._ended(read, read.end())

    def cut(self) -> None:
        """It goes to nobody."""
        self.on_close()
        self.is_over = True

    def on_close(self) -> None:
        """The request is over: what guards have found is told, once."""
        if self._read is not None:
            self._read.close()

    def _ended(
        self, read: _Whole | _Stream, found: Action | Deny | Awaitable[Action | Deny]
    ) -> Action | Deny | Awaitable[Action | Deny]:
        if isinstance(found, Awaitable):
            return self._later(read, found)
        if read.is_over:
            self.is_over = True
            read.close()
        return found

    async def _later(
        self, read: _Whole | _Stream, found: Awaitable[Action | Deny]
    ) -> Action | Deny:
        action = self._ended(read, await found)
        assert not isinstance(action, Awaitable), "it has been awaited"
        return action

    def _reader(self, event: ResponseHeaders) -> _Whole | _Stream | None:
        """Raises `Unreadable`, `UnknownEncoding`."""
        headers, status = event.headers, event.status
        is_own = event.details not in ("", _VIA_UPSTREAM)  # Envoy says it itself
        if is_own or event.is_end or status < 200 or status in _BODILESS:
            return None
        if self._facts.method == "HEAD" or headers.get(_LENGTH) == "0":
            return None
        content_type = headers.get("content-type", "").strip()
        kind = content_type.partition(";")[0].strip().lower()
        if "," in kind:
            raise Unreadable("there are several content types")
        is_other = kind.startswith("multipart/") and kind != "multipart/form-data"
        form = None if is_other else route_texts.form_of(content_type)
        is_stream = route_events.is_stream(kind)
        if status == _PARTIAL and (form is not None or is_stream or kind == _PARTS):
            raise Unreadable("it is a part of one")
        if form is None and not is_stream:
            return None
        coding = headers.get(_CODING, "identity")
        decoder = None if coding == "identity" else Decoder(coding, LARGEST_BYTES)
        if is_stream:
            return _Stream(self._guards, self._facts, self._inquirer, RouteFrames(kind), decoder)
        assert form is not None
        watchman = Watchman(self._guards.answers, self._facts, reading=_READING)
        return _Whole(watchman, self._inquirer, form, decoder)


class _Whole:
    """One that waits until it is there."""

    __slots__ = ("_decoder", "_form", "_inquirer", "_is_whole", "is_over", "watchman")

    def __init__(
        self, watchman: Watchman, inquirer: Inquirer, form: AnyForm, decoder: Decoder | None
    ) -> None:
        self.watchman = watchman
        self._inquirer = inquirer
        self._form = form
        self._decoder = decoder
        self._is_whole = False
        self.is_over = False

    def watch(self, headers: Mapping[str, str]) -> Action | Deny:
        self._is_whole = is_small(headers)
        length = headers.get(_LENGTH, "")
        if length.isdecimal() and int(length) > LARGEST_BYTES:
            self.is_over = True
            return _TOO_LARGE
        return Watch(is_whole=self._is_whole, is_beginning=not self._is_whole)

    def close(self) -> None:
        self.watchman.end()

    def take(self, event: ResponseBody) -> Action | Deny | Awaitable[Action | Deny]:
        self.is_over = True
        if not (event.is_end or self._is_whole):  # of the latter, trailers may follow
            return _TOO_LARGE
        try:
            said = Said("", self._plain(event.body), self._form)
            document = route_texts.document_of(said)
            whole = WholeAnswer(self.watchman)
            told = whole.feed(document, is_end=True)
        except TooLarge:
            return _TOO_LARGE
        except (Unreadable, UnreadableAnswer, BadEncoding) as error:
            return unreadable(str(error))
        if whole.questions:
            return self._asked(said, document, whole, told)
        return _instead(said, document, whole, told)

    async def _asked(
        self, said: Said, document: bytes, whole: WholeAnswer, told: bytes
    ) -> Action | Deny:
        while questions := whole.questions:
            told += whole.answered(await self._inquirer.opinions(questions))
        return _instead(said, document, whole, told)

    def _plain(self, body: bytes) -> bytes:
        if len(body) > LARGEST_BYTES:
            raise TooLarge
        if self._decoder is None:
            return body
        plain = self._decoder.feed(body)
        self._decoder.end()
        return plain


def _instead(said: Said, document: bytes, whole: WholeAnswer, told: bytes) -> Action | Deny:
    if whole.denied is not None:
        return forbidden(whole.denied)
    if told == document:
        return CONTINUE
    try:
        new = route_texts.said_by(document, told, said)
    except Unreadable as error:
        return unreadable(str(error))
    return Replace(new.body, (_CODING, *_NO_LONGER))


class _Stream:
    """One that goes on as it comes."""

    __slots__ = (
        "_decoder",
        "_denied",
        "_frames",
        "_held_bytes",
        "_in_turn",
        "_inquirer",
        "_length",
        "_streamed",
        "_waiting",
        "_waiting_bytes",
        "is_over",
        "watchman",
    )

    def __init__(
        self,
        guards: RouteGuards,
        facts: Facts,
        inquirer: Inquirer,
        frames: RouteFrames,
        decoder: Decoder | None,
    ) -> None:
        self.watchman = Watchman(guards.streams, facts, reading=_READING)
        self._length = guards.lengths.of_stream(facts)
        self._inquirer = inquirer
        self._frames = frames
        self._decoder = decoder
        self._streamed = StreamedAnswer(self.watchman, frames, route_events.read, self._look)
        self._denied: Deny | None = None
        """Nothing more of it may go on."""
        self._held_bytes = 0
        """Since all that came had gone on."""
        self._in_turn = asyncio.Lock()
        self._waiting = 0
        """Pieces that wait for services, or for those before them."""
        self._waiting_bytes = 0
        self.is_over = False

    def watch(self, headers: Mapping[str, str]) -> Action | Deny:
        removed = (_LENGTH, _CODING, *_NO_LONGER)
        return Watch(remove_headers=removed, is_flowing=True)

    def take(self, event: ResponseBody) -> Action | Deny | Awaitable[Action | Deny]:
        return self._passed(event.body, Flow(is_end=event.is_end))

    def end(self) -> Action | Deny | Awaitable[Action | Deny]:
        return self._passed(b"", Flow(trailers=ChangeHeaders(())))

    def close(self) -> None:
        self.watchman.end()
        if self._length is not None:
            self._length.end()

    def _passed(self, data: bytes, flow: Flow) -> Action | Awaitable[Action]:
        """What goes on; pieces do so in the order in which they came."""
        said: bytes | None = None
        if not self._waiting:
            said = self._fed(data, flow)
            if not self._questions:
                return self._said(said, flow)
        self._waiting += 1
        self._waiting_bytes += len(data)
        if self._waiting_bytes > LARGEST_BYTES:  # Envoy does not wait for those before
            self._denied, data = _TOO_LARGE, b""
        return self._later(data, said, flow)

    async def _later(self, data: bytes, said: bytes | None, flow: Flow) -> Action:
        try:
            async with self._in_turn:
                if self.is_over:
                    return Flow()
                if said is None:
                    said = b"" if self._denied is not None else self._fed(data, flow)
                while questions := self._questions:
                    said += self._answered(await self._inquirer.opinions(questions))
                return self._said(said, flow)
        finally:
            self._waiting -= 1
            self._waiting_bytes = self._waiting_bytes - len(data) if self._waiting else 0

    @property
    def _questions(self) -> Sequence[Asked]:
        return () if self._denied is not None else self._streamed.questions

    def _fed(self, data: bytes, flow: Flow) -> bytes:
        is_end = flow.is_end or flow.trailers is not None
        streamed = self._streamed
        try:
            if self._decoder is not None:
                data = self._decoder.feed(data)
                if is_end:
                    self._decoder.end()
            said = streamed.feed(data, is_end=is_end)
        except TooLarge:
            self._denied = _TOO_LARGE
            return b""
        except (UnreadableAnswer, BadEncoding) as error:
            self._denied = unreadable(str(error))
            return b""
        self._held_bytes = self._held_bytes + len(data) if streamed.is_holding else 0
        self._denied = _TOO_LARGE if self._held_bytes > LARGEST_BYTES else streamed.denied
        return said + self._frames.aside()

    def _answered(self, opinions: Sequence[Opinion]) -> bytes:
        try:
            said = self._streamed.answered(opinions)
        except UnreadableAnswer as error:
            self._denied = unreadable(str(error))
            return b""
        self._denied = self._denied or self._streamed.denied
        return said

    def _said(self, said: bytes, flow: Flow) -> Action:
        if self._denied is None:
            self.is_over = flow.is_end or flow.trailers is not None
            return structs.replace(flow, body=said)
        self.is_over = True
        denied = forbidden(self._denied)
        closing = self._frames.closing(refusal(None, denied).body)
        is_end = flow.trailers is None
        return structs.replace(flow, body=said + closing, is_end=is_end, denied=denied)

    def _look(self, document: dict[str, object]) -> None:
        """Sees each event before it is read."""
        if self._length is not None:
            self._length.add(route_texts.said_in(document))


def unreadable(why: str) -> Deny:
    """What guards cannot read does not pass them."""
    reason = f"guards cannot read the answer: {why}"
    return Deny(502, "unreadable_answer", reason, by=_ANSWER)
