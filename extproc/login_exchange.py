"""One request of somebody who logs in, or out, or of an issuer who tells of that. Each is answered
here."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime

from extproc.events import CONTINUE, Action, Event, RequestBody, RequestHeaders
from extproc.facts import Facts
from extproc.later import later
from extproc.llm.dialects import refusal
from extproc.logging_in.desk import Answer
from extproc.program import NOT_READY, Program
from extproc.verdict import Deny, PolicyKind


class LoginExchange:
    """Answers Envoy's messages about one HTTP request, in the order in which they come."""

    patience = b""
    """Envoy waits long enough as it is."""

    __slots__ = ("_facts", "_program", "is_over")

    def __init__(self, program: Program, now: datetime) -> None:
        self._program = program
        self._facts = Facts(now=now)
        self.is_over = False
        """Nothing that Envoy may still say can matter: the call may end."""

    def on_event(self, event: Event) -> Action | Awaitable[Action]:
        """What Envoy is to do now; awaitable when the answer needs the world."""
        desk, facts = self._program.login_desk, self._facts
        if type(event) is RequestHeaders:
            facts.headers = event.headers
            facts.method, facts.path = event.headers.get(":method", ""), event.headers[":path"]
            facts.source_address = event.source_address
            if desk is None:
                return self._answered(NOT_READY)
            return self._told(
                desk.on_headers(facts.method, facts.path, facts.headers, is_end=event.is_end)
            )
        if type(event) is RequestBody and desk is not None:
            return self._told(desk.on_body(facts.path, facts.headers, event.body))
        return CONTINUE

    def let_go(self) -> bool:
        """This worker must leave: whether Envoy can go on alone."""
        return False

    def on_close(self) -> None:
        """The request is over."""

    def _told(self, found: Answer | Awaitable[Answer]) -> Action | Awaitable[Action]:
        if isinstance(found, Awaitable):
            return later(found, self._answered)
        return self._answered(found)

    def _answered(self, found: Answer) -> Action:
        if found is CONTINUE:
            return CONTINUE
        self.is_over = True
        if isinstance(found, Deny):
            self._program.audits.refused(self._facts, found, PolicyKind.IDENTITY)
            return refusal(None, found)
        return found
