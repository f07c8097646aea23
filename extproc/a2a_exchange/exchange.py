"""One A2A request and its answer: who asks → which agent → what → whether it may be → there.

Decides, and does no I/O. Answers pass unread.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct, structs

from extproc.a2a.errors import Fault
from extproc.a2a.operations import GRPC_PATHS
from extproc.a2a_exchange import reading
from extproc.a2a_exchange.asking import Asking
from extproc.a2a_exchange.interpreting import Interpreted, passed
from extproc.a2a_exchange.judging import overseers_of
from extproc.a2a_exchange.notifying import Notifying
from extproc.a2a_exchange.overseeing import OverseenAnswer
from extproc.a2a_exchange.owning import Owning
from extproc.a2a_exchange.telling import Telling
from extproc.a2a_serving.callbacks import PLACE
from extproc.a2a_serving.saying import Speech
from extproc.a2a_serving.serving import EVENTS, WELL_KNOWN, Serving
from extproc.a2a_serving.shown import is_of_keys
from extproc.events import (
    CONTINUE,
    Action,
    Direct,
    Event,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Show,
)
from extproc.facts import Facts
from extproc.later import later
from extproc.program import NOT_READY, Program
from extproc.verdict import Deny, PolicyKind, Verdict
from gateway.a2a import Binding, Revision

_NOT_FOUND = Deny(404, "unknown_agent", "no agent is at this path")
_POST_ALONE = Deny(405, "method_not_allowed", "POST alone", headers=(("allow", "POST"),))
_GET_ALONE = Deny(405, "method_not_allowed", "GET alone", headers=(("allow", "GET, HEAD"),))
_TOO_LARGE = Deny(413, "request_too_large", "the request is larger than this gateway accepts")
_READING: Final = frozenset({"GET", "HEAD"})
_PLAIN: Final = Speech(Binding.HTTP_JSON, Revision.V1_0)
"""Where no operation is asked for."""
_ANSWERS: Final = (ResponseHeaders, ResponseBody, ResponseEnd)

_LISTS: Final = ("", f".{EVENTS}")
"""In the place of an agent: the list of them, and what happened."""

Answering: TypeAlias = Action | Awaitable[Action]


class A2aExchange:
    """Answers Envoy's messages about one HTTP request, in the order in which they come."""

    __slots__ = (
        "_agent",
        "_asking",
        "_behind",
        "_facts",
        "_limit_bytes",
        "_notifying",
        "_program",
        "_speech",
        "is_over",
        "patience",
    )

    def __init__(self, program: Program, now: datetime, limit_bytes: int) -> None:
        self._program = program
        self._facts = Facts(now=now)
        self._limit_bytes = limit_bytes
        self._agent = ""
        """Whom the path names; empty: nobody, the request itself does."""
        self._behind = ""
        """What of the path is behind the agent's name."""
        self._speech = _PLAIN
        self._asking: Asking | None = None
        self._notifying: Notifying | None = None
        """Of what an agent tells a client, of itself."""
        self.is_over = False
        """Nothing that Envoy may still say can matter: the call may end."""
        self.patience = b"" if program.a2a is None else program.a2a.patience
        """What Envoy is told before an answer that may take a while."""

    def on_event(self, event: Event) -> Action | Awaitable[Action]:
        """What Envoy is to do now; awaitable when the answer needs the world."""
        if type(event) is RequestBody:
            return self._answered(self._on_body(event.body))
        if type(event) is RequestHeaders:
            return self._answered(self._on_headers(event))
        asking = self._asking
        if asking is None or not asking.is_flowing or not isinstance(event, _ANSWERS):
            return CONTINUE
        if isinstance(event, ResponseHeaders):
            asking.began(event)
        found = _flowing(asking.answer, event)
        return self._passed(found) if isinstance(found, Struct) else later(found, self._passed)

    def let_go(self) -> bool:
        """This worker must leave: whether Envoy can go on alone."""
        asking = self._asking
        return asking is not None and asking.is_sent and not self._is_read

    def on_close(self) -> None:
        """The request is over."""
        if self._asking is not None:
            self._asking.on_close()

    @property
    def _is_read(self) -> bool:
        """Something of the answer has to be read yet."""
        answer = None if self._asking is None else self._asking.answer
        return answer is not None and not answer.is_over

    @property
    def _holds_place(self) -> bool:
        return self._asking is not None and self._asking.admission.holds_place

    def _passed(self, action: Action) -> Action:
        """Of the answer."""
        self.is_over = not (self._is_read or self._holds_place)
        return action

    def _answered(self, found: Answering) -> Action | Awaitable[Action]:
        return self._told(found) if isinstance(found, Struct) else later(found, self._told)

    def _told(self, action: Action) -> Action:
        is_sent = type(action) is Direct
        is_awaited = self._holds_place or self._is_read
        self.is_over = isinstance(action, Respond) or (is_sent and not is_awaited)
        if is_sent and self._program.audits.is_all:
            self._program.audits.passed(self._facts)
        return action

    def _on_headers(self, event: RequestHeaders) -> Answering:
        program, facts = self._program, self._facts
        headers = facts.headers = event.headers
        facts.method = headers.get(":method", "")
        facts.path = headers.get(":path", "")
        facts.source_address = event.source_address
        facts.source_identity = event.source_identity
        facts.source_subject = event.source_subject
        facts.external = event.external
        serving = program.a2a
        if serving is None:
            return self._refuse(NOT_READY)
        path = facts.path.partition("?")[0]
        if (spoken := GRPC_PATHS.get(path)) is not None:
            self._speech = Speech(Binding.GRPC, spoken[1])
        elif (place := serving.place(path)) is not None:
            self._agent, self._behind = place
            self._speech = _speech(self._behind, headers.get("a2a-version", ""))
        else:
            return self._refuse(_NOT_FOUND)
        if (hindrance := program.audits.hindrance()) is not None:
            return self._refuse(hindrance)
        if is_of_keys(self._agent, self._behind):
            told = Telling(program, serving, facts).keys()
            return self._refuse(_NOT_FOUND) if told is None else told
        if self._agent == PLACE and serving.callbacks is not None:
            overseers = overseers_of(program, serving)
            self._notifying = Notifying(serving.callbacks, facts, overseers)
            return self._notified(self._notifying.begins(self._behind))
        if self._behind in WELL_KNOWN and serving.has_public_cards:
            return self._entered(serving, is_end=event.is_end)
        verdict = program.authenticate.on_headers(facts)
        if isinstance(verdict, Verdict):
            return self._authenticated(serving, verdict, is_end=event.is_end)
        return later(
            verdict, lambda found: self._authenticated(serving, found, is_end=event.is_end)
        )

    def _authenticated(self, serving: Serving, verdict: Verdict, *, is_end: bool) -> Answering:
        if isinstance(verdict, Deny):
            return self._refuse(verdict, PolicyKind.IDENTITY)
        return self._entered(serving, is_end=is_end)

    def _entered(self, serving: Serving, *, is_end: bool) -> Answering:
        """It is known who asks."""
        if self._speech.binding is not Binding.GRPC:
            if self._agent in _LISTS:
                return self._listed(serving)
            if self._agent not in serving.directory.agents:
                return self._refuse(_NOT_FOUND)
            if self._behind in WELL_KNOWN:
                if self._facts.method not in _READING:
                    return self._refuse(_GET_ALONE)
                return Telling(self._program, serving, self._facts).card(self._agent)
        self._asking = Asking(self._program, serving, self._facts, self._agent, self._behind)
        if self._speech.binding is Binding.JSONRPC and self._facts.method != "POST":
            return self._refuse(_POST_ALONE)
        if is_end:
            return self._read(b"")
        holds_places = self._program.limits.holds_places
        if self._asking.is_watched(self._speech):
            self._asking.is_flowing = True
            return Show(is_flowing=True)
        return Show(is_to_the_end=True) if holds_places else CONTINUE

    def _listed(self, serving: Serving) -> Answering:
        if self._facts.method not in _READING:
            return self._refuse(_GET_ALONE)
        telling = Telling(self._program, serving, self._facts)
        return telling.events() if self._agent else telling.listed()

    def _notified(self, found: Action | Deny) -> Action:
        return self._refuse(found) if isinstance(found, Deny) else found

    def _on_body(self, body: bytes) -> Answering:
        if self._asking is None and self._notifying is None:
            return CONTINUE
        if len(body) > self._limit_bytes:
            return self._refuse(_TOO_LARGE)
        if self._notifying is not None:
            told = self._notifying.takes(body)
            if isinstance(told, Awaitable):
                return later(told, self._notified)
            return self._notified(told)
        return self._read(body)

    def _read(self, body: bytes) -> Answering:
        found = reading.read(self._speech.binding, self._facts, self._behind, body)
        if isinstance(found, Fault):
            return structs.replace(self._speech, raw_id=found.raw_id).fault(found)
        assert self._asking is not None
        return self._asking.asked(found, body)

    def _refuse(self, deny: Deny, otherwise: PolicyKind = PolicyKind.REQUEST) -> Respond:
        self._program.audits.refused(self._facts, deny, otherwise)
        return self._speech.refused(deny)


def _flowing(
    answer: Interpreted | Owning | OverseenAnswer | None,
    event: ResponseHeaders | ResponseBody | ResponseEnd,
) -> Answering:
    """What goes on of an answer that Envoy shows as it comes."""
    if answer is None:
        return passed(event)
    if isinstance(event, ResponseHeaders):
        return answer.begins(event)
    if isinstance(event, ResponseBody):
        return answer.take(event.body, is_end=event.is_end)
    return answer.end(event.trailers)


def _speech(behind: str, version: str) -> Speech:
    """As far as it is known before the body is. Only clients of 1.0 and later say a version; they
    understand why it is not supported."""
    is_old = behind.startswith("/v1/") or version.strip()[:1] in ("", "0")
    revision = Revision.V0_3 if is_old else Revision.V1_0
    is_jsonrpc = behind in ("", "/")
    return Speech(Binding.JSONRPC if is_jsonrpc else Binding.HTTP_JSON, revision)
