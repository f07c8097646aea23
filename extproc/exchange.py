"""One request and its response: detect → decode → policies in order → plan, then settle.

Decides, and does no I/O. What it holds of a budget it gives back in `on_close` at the latest,
whatever became of the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from extproc.answering import Answering
from extproc.asking import Asking
from extproc.batches import Watching
from extproc.events import (
    CONTINUE,
    Action,
    Event,
    Finish,
    Flow,
    Forward,
    Reading,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Strip,
)
from extproc.facts import Facts
from extproc.later import later
from extproc.llm.dialects import refusal
from extproc.passing import NO_LIMIT, WITHOUT_PLAN, Awaiting, Decision, Ready
from extproc.plan import Plan, Steering
from extproc.policies.authorize import Authorize
from extproc.policies.budget import NOTHING_HELD, Held
from extproc.policies.limit import NOTHING_TAKEN, Taken
from extproc.policies.variables import PARAMS, PROMPT, params_of
from extproc.program import NOT_READY, Program
from extproc.reviewing import CODING, UNCHANGED, Passed, Review, review_of
from extproc.route_answers import PLAIN, RouteAnswer
from extproc.session import Session
from extproc.uploads import Upload, is_upload
from extproc.verdict import PASS, Amend, Deny, Pass, PolicyKind, Verdict

_Answers: TypeAlias = Answering | Session | Watching | Upload | RouteAnswer
_VERDICTS = (Pass, Deny, Amend)
_VIA_UPSTREAM = "via_upstream"
"""Envoy's RESPONSE_CODE_DETAILS of what it did not say itself; of successes it tells none."""


class Exchange:
    """Answers Envoy's messages about one HTTP request, in the order in which they come."""

    patience = b""
    """Envoy waits long enough as it is."""

    __slots__ = (
        "_answering",
        "_asking",
        "_awaiting",
        "_beside",
        "_facts",
        "_held",
        "_is_closed",
        "_is_judged",
        "_limit_bytes",
        "_passage",
        "_program",
        "_review",
        "_taken",
        "denied",
        "is_over",
        "plan",
    )

    def __init__(
        self,
        program: Program,
        now: datetime,
        route: str = "",
        limit_bytes: int = NO_LIMIT,
        steering: Steering = Steering.METADATA,
    ) -> None:
        """`route` names a plain route; on LLM routes it is empty."""
        self._program = program
        self._facts = Facts(now=now, route=route)
        self._asking = Asking(program, self._facts, steering, limit_bytes)
        self._limit_bytes = limit_bytes
        self._awaiting: Awaiting | None = None
        """Who waits for the body of what else is not read."""
        self._review: Review | None = None
        """What guards of a plain route read, where they wait for the body."""
        self._passage = UNCHANGED
        """What they have changed."""
        self._answering: _Answers | None = None
        self._held: Held = NOTHING_HELD
        self._taken: Taken = NOTHING_TAKEN
        self._beside: asyncio.Task[Deny | None] | None = None
        """Guards that are asked while the request goes on."""
        self._is_closed = False
        self._is_judged = False
        """Rules are to be asked about the answer."""
        self.is_over = False
        """Nothing that Envoy may still say can matter: the call may end."""
        self.denied: Deny | None = None
        """Why it was refused."""
        self.plan: Plan | None = None
        """Where it goes."""

    def on_event(self, event: Event) -> Action | Awaitable[Action]:
        """What Envoy is to do now; awaitable when the answer needs the world."""
        # asking isinstance takes longer, where the answer is no
        if type(event) is RequestBody:
            if self._review is not None:
                return self._on_reviewed_body(self._review, event.body)
            if self._awaiting is not None:
                return self._decided(self._awaiting.decided(event.body))
            return self._decided(self._asking.on_body(event.body))
        if type(event) is RequestHeaders:
            return self._on_headers(event)
        if type(event) is ResponseHeaders:
            return self._on_response(event)
        if type(event) is ResponseBody:
            return self._on_answer(event)
        answering = self._answering
        if type(answering) is not Answering:
            if type(answering) is RouteAnswer and type(event) is ResponseEnd:
                return self._told(answering, answering.on_end(event))
            return CONTINUE
        if type(event) is ResponseEnd and event.usage is not None:
            answering.settle_told(event.usage)
        turn = answering.turn()
        return CONTINUE if turn is None else self._in_turn(turn)

    async def _in_turn(self, turn: Awaitable[None]) -> Action:
        await turn
        return CONTINUE

    def let_go(self) -> bool:
        """This worker must leave: whether Envoy can go on alone, with the estimate booked."""
        answering = self._answering
        if isinstance(answering, Session):
            answering.leave()
            return False
        if self._beside is not None or self._is_judged:
            return False
        if answering is None and self._taken.holds_place:
            self._taken.leave()  # it is open still, and nobody counts it any more
            return True
        if answering is None or not answering.is_begun or answering.is_translating:
            return False
        self._held.settle_estimate()
        return True

    def on_close(self) -> None:
        """The request is over. A provider that may have worked, and did not say how much, costs
        what was sent, or what was estimated.
        """
        self._is_closed = True
        if self._beside is not None:
            self._beside.cancel()
        if self._taken is not NOTHING_TAKEN:
            self._taken.leave()
        if self._answering is not None:
            self._answering.on_close()
        else:
            self._held.settle_estimate()

    def _on_headers(self, event: RequestHeaders) -> Action | Awaitable[Action]:
        facts = self._facts
        headers = facts.headers = event.headers
        facts.method = headers.get(":method", "")
        facts.path = headers.get(":path", "")
        facts.source_address = event.source_address
        facts.source_identity = event.source_identity
        facts.source_subject = event.source_subject
        facts.external = event.external
        facts.length_bytes = _length(headers, is_end=event.is_end)
        if facts.route and facts.route not in self._program.routes:
            return self._refuse(NOT_READY)  # Envoy knows more than this program
        audits = self._program.audits
        if audits.is_written and (hindrance := audits.hindrance()) is not None:
            return self._refuse(hindrance)
        if not facts.route:
            self._asking.find()  # first, so that a refusal is in the client's dialect
            found, uploads = self._asking.found, self._program.uploads
            if uploads is not None and is_upload(found):
                headers = facts.headers = uploads.known(facts)
        if facts.route in self._program.open_routes:
            return self._reviewed(is_end=event.is_end)
        decision = self._program.authenticate.on_headers(facts)
        if decision is PASS and not facts.route:  # as most are
            return self._decided(self._asking.on_headers(is_end=event.is_end))
        if isinstance(decision, _VERDICTS):  # asking for Awaitable takes longer
            return self._authenticated(decision, event)
        return self._authenticated_later(decision, event)

    def _authenticated(
        self, decision: Verdict, event: RequestHeaders
    ) -> Action | Awaitable[Action]:
        """It is known who calls, or that nobody may."""
        if isinstance(decision, Deny):
            return self._refuse(decision, PolicyKind.IDENTITY)
        if self._facts.route:
            return self._on_plain_route(is_end=event.is_end)
        return self._decided(self._asking.on_headers(is_end=event.is_end))

    async def _authenticated_later(
        self, decision: Awaitable[Verdict], event: RequestHeaders
    ) -> Action:
        action = self._authenticated(await decision, event)
        return await action if isinstance(action, Awaitable) else action

    def _decided(self, decision: Decision | Awaitable[Decision]) -> Action | Awaitable[Action]:
        if decision is CONTINUE:
            return CONTINUE
        if isinstance(decision, Ready):
            return self._ready(decision)
        if isinstance(decision, Deny):
            return self._refuse(decision)
        if not isinstance(decision, Struct):
            return self._decided_later(decision)
        if isinstance(decision, Awaiting):
            self._awaiting = decision
            return WITHOUT_PLAN
        if isinstance(decision, Respond):
            self._passed()
        return decision

    async def _decided_later(self, decision: Awaitable[Decision]) -> Action:
        decided = self._decided(await decision)
        return decided if not isinstance(decided, Awaitable) else await decided

    def _ready(self, ready: Ready) -> Action:
        if self._is_closed:
            ready.held.release()
            ready.taken.leave()
            return CONTINUE
        self._passed()
        self._held, self._taken, self.plan = ready.held, ready.taken, ready.plan
        rules, texts, document = self._rules_of_answer(), self._facts.texts, self._facts.document
        if ready.means is not None:
            self._answering = Session(ready.plan, ready.held, ready.means)
        elif ready.watching is not None:
            self._answering = ready.watching
        else:
            waiting = self._asking.waiting(ready.plan, ready.held)
            if waiting is not None:
                self._answering = Answering(waiting, ready.plan, ready.held)
        if self._answering is None or self._answering.is_over:
            self._end_if(True)
        if ready.beside is not None:
            self._beside = asyncio.ensure_future(self._program.inquirer.settled(ready.beside))
            self.is_over = False
        self._asking.forget_request()
        if rules is not None and rules.reads(PROMPT):
            self._facts.texts = texts
        if rules is not None and rules.reads(PARAMS):
            self._facts.document = params_of(document)
        return ready.forward

    def _rules_of_answer(self) -> Authorize | None:
        """Those that are to be asked when it begins."""
        rules, facts = self._program.rules.late, self._facts
        self._is_judged = (
            rules is not None
            and facts.route not in self._program.open_routes
            and rules.are_for(facts)
        )
        return rules if self._is_judged else None

    def _on_response(self, event: ResponseHeaders) -> Action | Awaitable[Action]:
        beside, self._beside = self._beside, None
        return self._on_answered(event) if beside is None else self._waited_for(beside, event)

    async def _waited_for(
        self, beside: asyncio.Task[Deny | None], event: ResponseHeaders
    ) -> Action:
        """Nothing of the answer goes on before guards have let the request pass."""
        self._beside = beside
        denied = await beside
        self._beside = None
        return self._on_answered(event) if denied is None else self._refuse(denied)

    def _on_answered(self, event: ResponseHeaders) -> Action:
        answering, refused = self._answering, self._judged(event)
        if answering is None:  # we refused it ourselves, or nobody asked us
            self._end_if(True)
            return CONTINUE if refused is None else self._refuse(refused)
        action = answering.on_headers(event)
        if refused is not None:
            answering.cut()
            action = refused
        if answering.is_over:
            self._end_if(True)
        return self._refuse(action) if isinstance(action, Deny) else action

    def _judged(self, event: ResponseHeaders) -> Deny | None:
        """What rules say of an answer, whose status has not gone on. They see no answer of Envoy's
        own, in which there is nothing of an upstream."""
        rules, facts, plan = self._program.rules.late, self._facts, self.plan
        if rules is None or not self._is_judged:
            return None
        self._is_judged = False
        if event.details not in ("", _VIA_UPSTREAM):
            return None
        tried = None if plan is None else plan.tried(event.attempt, event.cluster)
        facts.status, facts.answer_headers = event.status, event.headers
        facts.answered_by = "" if tried is None else tried.provider
        verdict = rules.on_response(facts)
        return verdict if isinstance(verdict, Deny) else None

    def _on_answer(self, event: ResponseBody) -> Action | Awaitable[Action]:
        answering = self._answering
        if answering is None:
            return CONTINUE
        return self._told(answering, answering.on_body(event))

    def _told(
        self, answering: _Answers, action: Action | Deny | Awaitable[Action | Deny]
    ) -> Action | Awaitable[Action]:
        if isinstance(action, Struct | Deny):
            return self._answered(answering, action)
        return self._answered_later(answering, action)

    async def _answered_later(
        self, answering: _Answers, action: Awaitable[Action | Deny]
    ) -> Action:
        return self._answered(answering, await action)

    def _answered(self, answering: _Answers, action: Action | Deny) -> Action:
        """What becomes of a piece of the answer; when it is the last one, it is told why."""
        self._end_if(answering.is_over, action)
        if isinstance(action, Deny):
            return self._refuse(action)
        if isinstance(action, Finish | Flow) and action.denied is not None:
            self.denied = action.denied
            self._program.audits.refused(self._facts, action.denied)
        return action

    def _end_if(self, is_over: bool, action: object = None) -> None:
        """What holds a place is over when Envoy ends the call, which is at its last byte."""
        is_waited_for = self._taken.holds_place and not isinstance(action, Finish)
        self.is_over = is_over and not is_waited_for and not self._is_judged

    def _on_plain_route(self, *, is_end: bool) -> Action | Awaitable[Action]:
        self.is_over = True
        for policy in self._program.header_policies:
            verdict = policy.on_request(self._facts)
            if isinstance(verdict, Deny):
                return self._refuse(verdict)
        return self._reviewed(is_end=is_end)

    def _reviewed(self, *, is_end: bool) -> Action | Awaitable[Action]:
        """Past the guards of a plain route, which may wait for the body."""
        guards = self._program.route_guards
        if guards is None:
            return self._admit()
        if guards.may_read_answer(self._facts):
            self._facts.shown_headers = (*self._facts.shown_headers, *PLAIN)
        # Envoy tells a limit where it shows bodies; a moment after a change, it may not do so yet
        is_end = is_end or self._limit_bytes == NO_LIMIT
        review = review_of(self._program, self._facts, self._limit_bytes, is_end=is_end)
        if review is None:
            return self._admit()
        if isinstance(review, Deny):
            return self._refuse(review)
        if not review.awaits_body:
            return self._guarded(review.judged(b""))
        self._review, self.is_over = review, False
        credentials, shown = self._facts.credential_headers, self._facts.shown_headers
        removed = (*credentials, CODING) if review.is_coded else credentials
        self._rules_of_answer()
        is_answered = self._is_judged or guards.may_read_answer(self._facts)
        reading = Reading(is_answered, self._program.limits.holds_places)
        return Strip(removed, (), shown, reading)

    def _on_reviewed_body(self, review: Review, body: bytes) -> Action | Awaitable[Action]:
        self._facts.length_bytes = len(body)
        return self._guarded(review.judged(body))

    def _guarded(
        self, found: Passed | Deny | Awaitable[Passed | Deny]
    ) -> Action | Awaitable[Action]:
        """Guards of a plain route have said what they think, or will."""
        if isinstance(found, Passed):
            self._passage = found
            return self._admit()
        if isinstance(found, Deny):
            self.is_over = True
            return self._refuse(found)
        self.is_over = False
        return later(found, self._guarded)

    def _admit(self) -> Action | Awaitable[Action]:
        """To a plain route, within its limits."""
        facts = self._facts
        taken = self._program.limits.take(facts, size_bytes=facts.length_bytes)
        if isinstance(taken, (Taken, Deny)):
            return self._admitted(taken)
        self.is_over = False
        return later(taken, self._admitted)

    def _admitted(self, taken: Taken | Deny) -> Action:
        if isinstance(taken, Deny):
            self.is_over = True
            return self._refuse(taken)
        if self._is_closed:
            taken.leave()
            return CONTINUE
        self._taken = taken
        self._passed()
        self._rules_of_answer()
        guards = self._program.route_guards
        if guards is not None and guards.reads_answer(self._facts):
            self._answering = RouteAnswer(guards, self._facts, self._program.inquirer)
        self._end_if(self._answering is None)
        body, path = self._passage
        changed = ((":path", path),) if path else ()
        if self._review is not None:  # the answer to the headers has said the rest
            is_said = body is not None or changed or taken.told
            return Forward(b"", body, changed, taken.told) if is_said else CONTINUE
        credentials = self._facts.credential_headers
        shown = (*self._facts.shown_headers, *changed)
        if credentials or taken.told or shown:
            return Strip(credentials, taken.told, shown)
        return CONTINUE

    def _passed(self) -> None:
        """Nobody has anything against the request."""
        if self._program.audits.is_all:
            self._program.audits.passed(self._facts)

    def _refuse(self, deny: Deny, otherwise: PolicyKind = PolicyKind.REQUEST) -> Action:
        """`otherwise`: by whom, where it does not say."""
        self.denied = deny
        self._program.audits.refused(self._facts, deny, otherwise)
        return refusal(self._asking.dialect, deny)


def _length(headers: Mapping[str, str], *, is_end: bool) -> int | None:
    """Of the body that is to come; None: nobody says."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdecimal():
        return int(length)
    return 0 if is_end else None
