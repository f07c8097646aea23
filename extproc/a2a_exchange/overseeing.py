"""An agent's answer on its way to the client, past the guards and rules that read it.

A whole answer waits, headers and all, until it has been judged. Of a stream, events go on in their
order when all that they say may go. What no guard changes stays as it is. In gRPC, trailers alone
can end what has begun: they say why, once the agent's have come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar

from msgspec import Struct, structs

from extproc.a2a import agent_errors, errors
from extproc.a2a.errors import Fault
from extproc.a2a.grpc_frames import ENCODING
from extproc.a2a_exchange.frames import GrpcFrames
from extproc.a2a_exchange.interpreting import passed
from extproc.a2a_exchange.judging import Judges, Past
from extproc.a2a_serving.saying import Speech, fault_of
from extproc.event_frames import EventFrames
from extproc.events import (
    Action,
    ChangeHeaders,
    Flow,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
)
from extproc.later import later
from extproc.llm.dialect import UnreadableAnswer
from extproc.policies.inquiry import Asked
from extproc.policies.remote.words import Opinion
from extproc.protocols import json_spans
from extproc.verdict import By, Deny, PolicyKind
from gateway.a2a import Binding

LARGEST_BYTES: Final = 16 << 20
"""Of what waits for services."""
PATIENCE_SECONDS: Final = 5.0
"""So long what an agent says after a refusal is dropped; then the answer ends without trailers."""
_EVENTS: Final = "text/event-stream"
_JSON: Final = "application/json"
_LENGTH: Final = "content-length"
_STATUS: Final = "grpc-status"
_TRAILERS: Final = (_STATUS, "grpc-message", errors.DETAILS)
_NO_HEADERS: Final[Mapping[str, str]] = {}
_CODED: Final = Deny(
    502,
    "unreadable_answer",
    "guards cannot read the answer: it has a content coding that nobody asked for",
    by=By(PolicyKind.ANSWER),
)
_TOO_LARGE: Final = Deny(
    502,
    "answer_too_large",
    f"more than {LARGEST_BYTES >> 20} MiB of the answer wait for guards",
    by=By(PolicyKind.ANSWER),
)

T = TypeVar("T")
Answering: TypeAlias = Action | Awaitable[Action]
_Asking: TypeAlias = Generator[Sequence[Asked], Sequence[Opinion], T]
"""What asks services, and ends with something."""


class Source(Protocol):
    """The answer as the client would see it, part by part."""

    def begins(self, event: ResponseHeaders) -> Answering:
        """What is done with its headers."""

    def take(self, data: bytes, *, is_end: bool) -> Answering:
        """What goes on for a piece."""

    def end(self, trailers: Mapping[str, str]) -> Answering:
        """The same for the trailers, which are its end."""


class AsItIs:
    """An answer that nobody has changed before."""

    def begins(self, event: ResponseHeaders) -> Action:
        return passed(event)

    def take(self, data: bytes, *, is_end: bool) -> Action:
        return passed(ResponseBody(data, is_end))

    def end(self, trailers: Mapping[str, str]) -> Action:
        return passed(ResponseEnd(None, trailers))


class OverseenAnswer:
    """The answer to one request."""

    __slots__ = (
        "_before",
        "_events",
        "_guarded",
        "_head",
        "_in_turn",
        "_is_begun",
        "_is_closed",
        "_is_early",
        "_is_overrun",
        "_is_said",
        "_judges",
        "_refusal",
        "_refused_at",
        "_source",
        "_speech",
        "_trailers",
        "_waiting",
        "_waiting_bytes",
        "is_over",
    )

    def __init__(self, judges: Judges, speech: Speech, source: Source) -> None:
        self._judges = judges
        self._speech = speech
        self._source = source
        self._guarded: Past | None = None
        """None: it is not read."""
        self._events: EventFrames | None = None
        """Of server-sent events, whose comments do not wait."""
        self._head: ChangeHeaders | None = None
        """Headers that have not gone on."""
        self._is_begun = False
        """There were headers."""
        self._is_early = True
        """Headers go on at once."""
        self._is_said = False
        """They have."""
        self._before = _NO_HEADERS
        """The agent's headers."""
        self._trailers = _NO_HEADERS
        """The agent's."""
        self._refusal: Deny | None = None
        """What trailers have to say."""
        self._refused_at = 0.0
        self._is_closed = False
        """Nothing more goes on: the client has its answer."""
        self._in_turn = asyncio.Lock()
        self._waiting = 0
        """Parts that wait for services, or for those before them."""
        self._waiting_bytes = 0
        self._is_overrun = False
        """These are too many: Envoy does not wait for those before."""
        self.is_over = False
        """Nothing of it follows that has to be read."""

    def begins(self, event: ResponseHeaders) -> Answering:
        """What is done with the headers of the agent's answer."""
        self._judges.begin(event.status, event.headers)
        self._before = {":status": str(event.status), **event.headers}
        return self._passed(self._source.begins(event), event)

    def take(self, data: bytes, *, is_end: bool) -> Answering:
        """What goes on for a piece; pieces go on in the order in which they came."""
        return self._passed(self._source.take(data, is_end=is_end))

    def end(self, trailers: Mapping[str, str]) -> Answering:
        """The same for the trailers, which are its end."""
        self._trailers = trailers
        return self._passed(self._source.end(trailers))

    def whole(self, respond: Respond) -> Answering:
        """The same of an answer that is there at once."""
        self._judges.begin(respond.status, dict(respond.headers))
        return self._passed(respond)

    def close(self) -> None:
        """The request is over."""
        self._judges.end()
        if isinstance(self._source, OverseenAnswer):
            self._source.close()

    def _passed(self, found: Answering, event: ResponseHeaders | None = None) -> Answering:
        if not isinstance(found, Struct):
            return later(found, lambda action: self._passed(action, event))
        work = self._judged(found, event)
        asked: Sequence[Asked] = ()
        if not self._waiting:
            try:
                asked = next(work)
            except StopIteration as done:
                action: Action = done.value
                return action
        size = len(found.body) if isinstance(found, Flow) else 0
        self._waiting += 1
        self._waiting_bytes += size
        if self._waiting_bytes > LARGEST_BYTES and not asked:
            self._is_overrun = True
            if isinstance(found, Flow):
                work = self._judged(structs.replace(found, body=b""), event)
        return self._later(work, asked, size)

    async def _later(self, work: _Asking[Action], asked: Sequence[Asked], size: int) -> Action:
        try:
            async with self._in_turn:
                try:
                    asked = asked or next(work)
                    while True:
                        asked = work.send(await self._judges.opinions(asked))
                except StopIteration as done:
                    action: Action = done.value
                    return action
        finally:
            self._waiting -= 1
            self._waiting_bytes -= size

    def _judged(self, action: Action, event: ResponseHeaders | None) -> _Asking[Action]:
        """What is done instead of that."""
        flow = action if isinstance(action, Flow) else Flow()
        if self._is_closed:
            return Flow()
        try:
            if isinstance(action, Respond):
                return (yield from self._answered(action))
            if flow.head is not None:
                denied = self._begun(flow.head)
                if denied is not None:
                    return self._refused(denied, flow)
            if not self._is_begun:
                return flow  # which says nothing yet
            return (yield from self._flowing(flow, event))
        except UnreadableAnswer as error:
            reason = f"guards cannot read the answer: {error}"
            by = By(PolicyKind.ANSWER)
            return self._refused(Deny(502, "unreadable_answer", reason, by=by), flow)

    def _begun(self, head: ChangeHeaders) -> Deny | None:
        """Decides how it is read; why it cannot be."""
        self._head, self._is_begun = head, True
        headers = {**self._before, **dict(head.set_headers)}
        self._guarded = self._reader(int(headers[":status"]), headers)
        coding = headers.get("content-encoding", "identity")
        return _CODED if self._guarded is not None and coding != "identity" else None

    def _reader(self, status: int, headers: Mapping[str, str]) -> Past | None:
        """Of an answer with such headers; None: it says nothing that clients show anybody."""
        if self._speech.binding is Binding.GRPC:
            if status != 200:
                return None
            operation, coding = self._judges.operation, headers.get(ENCODING, "")
            self._is_early = False
            return self._judges.stream(GrpcFrames(operation, self._speech.revision, coding))
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == _EVENTS:
            self._events = EventFrames()
            return self._judges.stream(self._events)
        is_json = kind == _JSON or kind.endswith("+json")
        if headers.get(_LENGTH) == "0" or (status >= 300 and not is_json):
            return None
        self._is_early = False
        return self._judges.document()

    def _flowing(self, flow: Flow, event: ResponseHeaders | None) -> _Asking[Action]:
        """What goes on of a part."""
        if self._refusal is not None:
            return self._refused(self._refusal, flow)
        if self._is_overrun:
            return self._refused(_TOO_LARGE, flow)
        if self._guarded is None:
            return self._unread(flow, event)
        is_alone = event is not None and event.is_end  # headers without a body
        is_end = flow.is_end or flow.trailers is not None or is_alone
        said = yield from _past(self._guarded, flow.body, is_end=is_end)
        if self._events is not None:
            said += self._events.aside()
        if self._guarded.denied is not None:
            return self._refused(self._guarded.denied, flow, said)
        if is_alone and event is not None and flow.head is not None:
            fault = yield from self._fault(event.headers, flow.head)
            if isinstance(fault, Deny):
                return self._refused(fault, flow)
            self._head = fault
        trailers = flow.trailers
        if trailers is not None:
            told = yield from self._fault(self._trailers, trailers)
            if isinstance(told, Deny):
                return self._refused(told, flow, said)
            trailers = told
        if is_end:
            self._over()
        return Flow(self._released(said, is_end=is_end), said, flow.is_end, trailers)

    def _unread(self, flow: Flow, event: ResponseHeaders | None) -> Action:
        """Nobody reads it."""
        is_alone = event is not None and event.is_end
        if isinstance(self._source, AsItIs) or flow.is_end or flow.trailers or is_alone:
            self._over()
        self._head, self._is_said = None, True
        return flow

    def _answered(self, respond: Respond) -> _Asking[Action]:
        """A whole answer; where something has gone on, the gateway's own words that cut it."""
        if self._is_said:
            self._closed()
            return respond
        said = dict(respond.headers)
        guarded = self._reader(respond.status, said)
        if self._speech.binding is Binding.GRPC:
            changed = yield from self._fault(said, ChangeHeaders(respond.headers))
            if isinstance(changed, Deny):
                return self._refused(changed, Flow())
            self._over()
            return structs.replace(respond, headers=changed.set_headers)
        body = respond.body
        if guarded is not None:
            body = yield from _past(guarded, body, is_end=True)
            if guarded.denied is not None:
                return self._refused(guarded.denied, Flow())
        self._over()
        return structs.replace(respond, body=body)

    def _fault(
        self, before: Mapping[str, str], changes: ChangeHeaders
    ) -> _Asking[ChangeHeaders | Deny]:
        """What becomes of headers, or trailers, that may say an error of gRPC."""
        headers = {**before, **dict(changes.set_headers)}
        if self._speech.binding is not Binding.GRPC or _STATUS not in headers:
            return changes
        fault = agent_errors.read_grpc(headers)
        if fault is None:
            return changes
        error = {"message": fault.message, "data": dict(fault.metadata)}
        text = json_spans.encode({"error": error})
        guarded = self._judges.document()
        told = yield from _past(guarded, text, is_end=True)
        if guarded.denied is not None:
            return guarded.denied
        return changes if told == text else self._trailing(_told(fault, told), changes)

    def _trailing(self, fault: Fault, changes: ChangeHeaders) -> ChangeHeaders:
        said = dict(errors.trailers(fault, self._speech.revision))
        kept = tuple(each for each in changes.set_headers if each[0] not in _TRAILERS)
        gone = tuple(each for each in _TRAILERS if each not in said)
        return ChangeHeaders((*kept, *said.items()), (*changes.remove_headers, *gone))

    def _refused(self, deny: Deny, flow: Flow, said: bytes = b"") -> Action:
        """What ends it; `said` may go on before."""
        if self._refusal is None:
            self._judges.refused(deny)
        if not self._is_said:
            self._closed()
            return self._speech.refused(deny)
        if self._speech.binding is not Binding.GRPC:
            self._closed()
            return Flow(None, said + self._speech.closing(deny), True, flow.trailers)
        if self._refusal is None:
            self._refusal, self._refused_at = deny, self._judges.clock()
        is_late = self._judges.clock() - self._refused_at > PATIENCE_SECONDS
        if flow.trailers is None and not flow.is_end and not is_late:
            return Flow(None, said)
        self._closed()
        if flow.trailers is None:
            return Flow(None, said, True)
        trailers = self._trailing(fault_of(deny), flow.trailers)
        return Flow(None, said, flow.is_end, trailers)

    def _released(self, said: bytes, *, is_end: bool) -> ChangeHeaders | None:
        """The headers, when it is time for them."""
        head = self._head
        if head is None or not (self._is_early or said or is_end):
            return None
        self._head, self._is_said = None, True
        return ChangeHeaders(head.set_headers, (*head.remove_headers, _LENGTH))

    def _over(self) -> None:
        self.is_over = True
        self._judges.end()

    def _closed(self) -> None:
        self._is_closed = True
        self._over()


def _past(guarded: Past, data: bytes, *, is_end: bool) -> _Asking[bytes]:
    """What of a piece may go on."""
    said = guarded.feed(data, is_end=is_end)
    while questions := guarded.questions:
        said += guarded.answered((yield questions))
    return said


def _told(fault: Fault, text: bytes) -> Fault:
    """The fault, as guards have left it."""
    error = json_spans.decode(text)["error"]
    assert isinstance(error, dict), "texts alone have changed"
    return structs.replace(fault, message=error["message"], metadata=error["data"])
