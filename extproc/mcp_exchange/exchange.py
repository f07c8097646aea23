"""One MCP request and its answer: who asks → what → whether it may be → to which server.

Decides, and does no I/O. What differs between a server alone and several as one is a `Talk`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Final

from msgspec import Struct

from extproc.admission import Admission
from extproc.events import (
    CONTINUE,
    Action,
    Continue,
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
from extproc.mcp import headers as mcp_headers
from extproc.mcp import messages
from extproc.mcp.jsonrpc import INVALID_REQUEST, PARSE_ERROR, Fault
from extproc.mcp.messages import Batch
from extproc.mcp.views import binding_of
from extproc.mcp_exchange.asked import Answering, Caller, Talk
from extproc.mcp_exchange.federated import FederatedTalk
from extproc.mcp_exchange.flowing import FlowingAnswer
from extproc.mcp_exchange.one import OneTalk
from extproc.mcp_serving.consent_desk import ConsentDesk
from extproc.mcp_serving.front import Front
from extproc.mcp_serving.saying import fault, refused
from extproc.mcp_serving.tokens import Entered
from extproc.program import NOT_READY, Program
from extproc.verdict import Deny, PolicyKind, Verdict

_ANSWERS: Final = (ResponseHeaders, ResponseBody, ResponseEnd)
_METHODS: Final = frozenset({"POST", "GET", "DELETE"})
_BATCHES: Final = "2025-03-26"
"""The only revision that has them, and the one that is meant where a header says none."""
_NOT_FOUND = Deny(404, "unknown_view", "no MCP server is at this path")
_FORBIDDEN_ORIGIN = Deny(403, "forbidden_origin", "pages of this origin may not ask")
_ALLOWED = (("allow", "POST, GET, DELETE"),)
_WRONG_METHOD = Deny(405, "method_not_allowed", "POST, GET or DELETE", headers=_ALLOWED)
_NO_BODY = Fault(PARSE_ERROR, "the request has no body")
_NO_BATCHES = Fault(INVALID_REQUEST, f"revision {_BATCHES} alone has batches")
_ODD_ID = Fault(INVALID_REQUEST, "the id of a request is a string or an integer")
_TOO_LARGE = Deny(413, "request_too_large", "the request is larger than this gateway accepts")


class McpExchange:
    """Answers Envoy's messages about one HTTP request, in the order in which they come."""

    __slots__ = (
        "_admission",
        "_facts",
        "_flowing",
        "_front",
        "_limit_bytes",
        "_program",
        "_shown",
        "_talk",
        "is_over",
        "patience",
    )

    def __init__(self, program: Program, now: datetime, limit_bytes: int) -> None:
        self._program = program
        self._facts = Facts(now=now)
        self._admission = Admission(program)
        self._limit_bytes = limit_bytes
        self._talk: Talk | None = None
        self._shown: tuple[str, ...] = ()
        """The servers that are shown who calls."""
        self._flowing: FlowingAnswer | None = None
        """Its time may end before it does."""
        self._front: Front | ConsentDesk | None = None
        """Who is asked instead of a server."""
        self.is_over = False
        """Nothing that Envoy may still say can matter: the call may end."""
        self.patience = b"" if program.mcp is None else program.mcp.patience
        """What Envoy is told before an answer that may take a while."""

    def on_event(self, event: Event) -> Action | Awaitable[Action]:
        """What Envoy is to do now; awaitable when the answer needs the world."""
        if type(event) is RequestBody:
            return self._answered(self._on_body(event.body))
        if type(event) is RequestHeaders:
            return self._answered(self._on_headers(event))
        talk = self._talk
        if talk is None:
            return CONTINUE
        if type(event) is ResponseHeaders and event.status == 401 and self._shown:
            self._forget()
        if self._flowing is not None and isinstance(event, _ANSWERS):
            self.patience = b""  # Envoy waits for nothing
            return self._answered(self._flowing.on_event(event))
        if type(event) is ResponseHeaders:
            return self._answered(talk.on_response(event))
        if type(event) is ResponseBody:
            return self._answered(talk.on_answer(event))
        return CONTINUE

    def let_go(self) -> bool:
        """This worker must leave: whether Envoy can go on alone."""
        return self._is_done

    @property
    def _is_done(self) -> bool:
        """Nothing of the answer has to be seen."""
        if self._flowing is not None and self._flowing.is_begun:
            return self._flowing.is_over
        return self._talk is not None and self._talk.is_over

    def on_close(self) -> None:
        """The request is over."""
        self._admission.on_close()
        if self._flowing is not None:
            self._flowing.on_close()
        if self._talk is not None:
            self._talk.on_close()

    def _answered(self, found: Answering) -> Action | Awaitable[Action]:
        if not isinstance(found, Struct):
            return later(found, self._told)
        return self._told(found)

    def _told(self, action: Action) -> Action:
        is_refused = isinstance(action, Respond)
        is_done = self._is_done
        self.is_over = is_refused or (is_done and not self._admission.holds_place)
        if type(action) is Direct and self._program.audits.is_all:
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
        serving = program.mcp
        if serving is None:
            return self._refuse(NOT_READY)
        if (hindrance := program.audits.hindrance()) is not None:
            return self._refuse(hindrance)
        for front in (serving.desk, serving.front):
            if front is not None and front.is_at(facts.path):
                self._front = front
                return front.on_headers(facts.method, facts.path, headers, is_end=event.is_end)
        view = serving.views.find(facts.path)
        if view is None:
            return self._refuse(_NOT_FOUND)
        origin = headers.get("origin")
        if origin is not None and not serving.views.may_ask(origin, headers.get(":authority", "")):
            return self._refuse(_FORBIDDEN_ORIGIN)
        if facts.method not in _METHODS:
            return self._refuse(_WRONG_METHOD)
        if facts.method == "POST" and event.is_end:
            return fault(_NO_BODY)
        caller = Caller(program, serving, view, facts, self._admission)
        verdict = (serving.authenticate or program.authenticate).on_headers(facts)
        if isinstance(verdict, Verdict):
            return self._authenticated(caller, verdict)
        return later(verdict, lambda found: self._authenticated(caller, found))

    def _authenticated(self, caller: Caller, verdict: Verdict) -> Answering:
        verdict = self._protected(caller, verdict)
        if isinstance(verdict, Deny):
            return self._refuse(verdict, PolicyKind.IDENTITY)
        caller.binding = binding_of(self._facts.principal)
        exchanger, facts = caller.serving.exchanger, self._facts
        if exchanger is None or not exchanger.is_for(caller.view):
            return self._exchanged(caller, None)
        entering = exchanger.enter(caller.view, facts.principal, facts.headers)
        if isinstance(entering, Entered | Deny):
            return self._exchanged(caller, entering)
        return later(entering, lambda found: self._exchanged(caller, found))

    def _exchanged(self, caller: Caller, found: Entered | Deny | None) -> Answering:
        """With the tokens that were given for the caller's; then with those that the caller has
        agreed to."""
        connections = caller.serving.connections
        is_over = isinstance(found, Deny) or connections is None
        if is_over or connections is None or not connections.is_for(caller.view):
            return self._entered(caller, found)
        before = found if isinstance(found, Entered) else Entered(caller.view, {})
        entering = connections.enter(before, self._facts.principal)
        if isinstance(entering, Entered | Deny):
            return self._entered(caller, entering)
        return later(entering, lambda entered: self._entered(caller, entered))

    def _entered(self, caller: Caller, found: Entered | Deny | None = None) -> Answering:
        """With the caller's tokens for servers, where these want some."""
        if isinstance(found, Deny):
            return self._refuse(found, PolicyKind.IDENTITY)
        if found is not None:
            caller.view, caller.tokens = found.view, found.tokens
            caller.unconnected = found.unconnected
            self._shown = tuple(found.tokens)
        self._talk = talk = FederatedTalk(caller) if caller.view.is_federated else OneTalk(caller)
        action = talk.on_headers(self._facts.method)
        if isinstance(action, Continue | Show) and caller.serving.is_timed(caller.view):
            self._flowing = FlowingAnswer(talk, caller.serving.clock)
            return Show(is_flowing=True)
        return action

    def _forget(self) -> None:
        serving = self._program.mcp
        if serving is not None and serving.exchanger is not None:
            serving.exchanger.forget(self._shown, self._facts.headers)

    def _protected(self, caller: Caller, verdict: Verdict) -> Verdict:
        """With where to get a token, where that is said."""
        protection, view = caller.serving.protection, caller.view.name
        if protection is None:
            return verdict
        if isinstance(verdict, Deny):
            return protection.challenged(verdict, view)
        principal = self._facts.principal
        is_modern = mcp_headers.is_modern(caller.revision)
        return protection.admitted(principal, view, is_modern=is_modern) or verdict

    def _on_body(self, body: bytes) -> Answering:
        if self._front is not None:
            return self._front.on_body(self._facts.path, self._facts.headers, body)
        talk = self._talk
        if talk is None:
            return CONTINUE
        if len(body) > self._limit_bytes:
            return self._refuse(_TOO_LARGE)
        found = messages.read(body)
        if isinstance(found, Fault):
            return fault(found)
        if isinstance(found, Batch):
            if any(each.is_asked_oddly for each in found.messages):
                return fault(_ODD_ID)
            if self._facts.headers.get(mcp_headers.PROTOCOL_VERSION, _BATCHES) != _BATCHES:
                return fault(_NO_BATCHES)
            return talk.on_batch(found)
        if found.is_asked_oddly:
            return fault(_ODD_ID)
        mismatch = mcp_headers.mismatch(self._facts.headers, found)
        if mismatch is not None:
            return fault(mismatch)
        if self._flowing is None:
            return talk.on_message(found)
        return self._in_time(self._flowing, found.raw_id, talk.on_message(found))

    def _in_time(self, flowing: FlowingAnswer, raw_id: bytes, found: Answering) -> Answering:
        """It may go on, and has so much time then as its tool says."""
        if isinstance(found, Awaitable):
            return later(found, lambda action: self._in_time(flowing, raw_id, action))
        if type(found) is Direct and self._talk is not None:
            flowing.sent(raw_id, self._talk.timeout_seconds)
        return found

    def _refuse(self, deny: Deny, otherwise: PolicyKind = PolicyKind.REQUEST) -> Respond:
        self._program.audits.refused(self._facts, deny, otherwise)
        return refused(deny)
