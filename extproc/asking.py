"""The request's half of an exchange on the LLM API: what is asked for, whether it may be, and where
it goes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from functools import partial

from msgspec import structs

from extproc import kept, shaping
from extproc.answering import NOBODY, Streamed, Waiting
from extproc.calls import caller
from extproc.events import CONTINUE, Forward, Respond
from extproc.facts import NO_DEMANDS, NO_MEMBERS, Facts
from extproc.guarding import Watchman
from extproc.later import later
from extproc.llm import models
from extproc.llm.anthropic import elsewhere
from extproc.llm.bedrock.inference import betas_of
from extproc.llm.dialect import Call
from extproc.llm.dialects import COUNTING, FAMILIES, HANDLINGS, KEPT, PASSED, SPEAKERS, Handling
from extproc.llm.reserving import SHORT_BYTES, is_detached, is_unbounded
from extproc.llm.told_apart import is_told_apart
from extproc.llm.tool_names import Names
from extproc.lowering import MOST_LOOKS, lowered
from extproc.overseeing import Guarding
from extproc.passing import (
    JSON,
    WITHOUT_PLAN,
    Decision,
    Passing,
    Ready,
    asked_for,
    kept_by_nobody,
    misplaced,
    not_offered,
    unchosen,
    unknown_model,
)
from extproc.plan import NotOffered, Plan, Steering, Unchosen, Wanted
from extproc.policies.budget import NOTHING_HELD, Held, Lower
from extproc.policies.inquiry import Inquiry
from extproc.policies.limit import NOTHING_TAKEN, Taken
from extproc.ports import LedgerUnavailable
from extproc.program import Program
from extproc.protocols import bodies, encodings
from extproc.read import (
    TOO_LARGE,
    UNBOUNDED,
    Read,
    asked_of,
    betas_header,
    betas_named,
    codec_for,
    decoded,
    decoder_of,
    decompressed,
    is_array,
    may_ask,
    of_vertex,
)
from extproc.saying import Question, spliced
from extproc.verdict import PASS, Amend, Deny, Verdict
from extproc.watching import Framing, watchman_of
from gateway.apis import Family, Found, WrongMethod
from gateway.betas import Betas
from gateway.model import Dialect
from gateway.operations import Operation

_AS_ASKED = KEPT | frozenset(COUNTING)
"""Operations that no budget leads to another model."""
_INVOCATIONS = frozenset({Operation.INVOKE, Operation.INVOKE_STREAM})


class Asking:
    """One request: `find`, `on_headers`, and `on_body` where it has one that is read."""

    __slots__ = (
        "_beside",
        "_betas",
        "_call",
        "_decoder",
        "_facts",
        "_is_framed",
        "_is_more_told",
        "_limit_bytes",
        "_low",
        "_plain",
        "_planner",
        "_program",
        "_received",
        "_steering",
        "_stream",
        "_taken",
        "_tool_names",
        "_watchman",
        "found",
    )

    def __init__(
        self, program: Program, facts: Facts, steering: Steering, limit_bytes: int
    ) -> None:
        self._program = program
        self._facts = facts
        self._planner = program.planners[steering]
        self._steering = steering
        self._limit_bytes = limit_bytes
        self._received = self._plain = b""
        """The body as it came, and without its content coding."""
        self._is_framed = False
        self._is_more_told: bool | None = None
        self._decoder: encodings.Decoder | None = None
        self._call: Call | None = None
        self._stream: Streamed | None = None
        self._taken = NOTHING_TAKEN
        self._low = ""
        """The budget of which little is left, and the model that is asked instead."""
        self._watchman: Watchman | None = None
        """Who looks at the answer."""
        self._beside: Inquiry[Deny | None] | None = None
        """What guards are asked meanwhile."""
        self._tool_names: Mapping[str, Names] = {}
        """Where providers are told others than the client's."""
        self._betas: Betas = ()
        """Those that stand in the client's body: of a client of Bedrock's."""
        self.found: Found | WrongMethod | None = None
        """What the request line asks for."""

    @property
    def _passing(self) -> Passing:
        return Passing(self._program, self._facts, self._planner, self._limit_bytes)

    @property
    def dialect(self) -> Dialect | None:
        """In which the client expects to be refused."""
        if isinstance(self.found, Found):
            is_mistrals = self.found.operation is Operation.CHAT  # also on Vertex
            return FAMILIES[Family.OPENAI if is_mistrals else self.found.family]
        if models.ANTHROPIC_HEADER in self._facts.headers:
            return Dialect.ANTHROPIC
        family = self._program.paths.family(self._facts.path)
        return None if family is None else FAMILIES[family]

    def find(self) -> None:
        self.found = asked_for(self._program, self._facts)

    def on_headers(self, *, is_end: bool) -> Decision | Awaitable[Decision]:
        """The caller is known."""
        found, facts = self.found, self._facts
        if found is None:
            return self._passing.unknown()
        if isinstance(found, WrongMethod):
            return misplaced(facts)
        if found.operation not in HANDLINGS:
            return self._passing.decide(found)
        if is_end:
            return Deny(400, "invalid_json", "the request has no body")
        decoder = decoder_of(facts.headers, self._limit_bytes)
        if isinstance(decoder, Deny):
            return decoder
        self._decoder = decoder
        # no client may choose a cluster, although the plan's header would replace theirs
        return WITHOUT_PLAN if self._steering is Steering.HEADER else CONTINUE

    def on_body(self, body: bytes) -> Decision | Awaitable[Decision]:
        """The whole body is there."""
        found, facts = self.found, self._facts
        if len(body) > self._limit_bytes:
            return TOO_LARGE
        if not isinstance(found, Found) or found.operation not in HANDLINGS:
            return CONTINUE  # it was refused, or has been sent on without being read
        plain = body if self._decoder is None else decompressed(body, self._decoder)
        if isinstance(plain, Deny):
            return plain
        if found.operation in _INVOCATIONS:
            found, plain = self._turned(found, plain)
        if found.family is Family.VERTEX and found.operation is Operation.MESSAGES:
            turned = of_vertex(found, plain)
            if isinstance(turned, Deny):
                return turned
            self.found = found = turned.found
            plain, self._betas = turned.body, turned.betas
        handled = HANDLINGS[found.operation]
        call = decoded(handled, plain, found, facts.headers)
        if isinstance(call, Deny):
            return call
        read = Read(body, plain, call, found, handled)
        if self._program.budgets.is_lowering and found.operation not in _AS_ASKED:
            return self._lowered(read, MOST_LOOKS)
        return self._decide(read, call.model)

    def _lowered(self, read: Read, looks: int) -> Decision | Awaitable[Decision]:
        """The same of another model, where too little is left for this one."""
        call = read.call
        if not looks:
            return self._decide(read, call.model)
        self._learn(call, read.handled, call.model)
        wanted = Wanted(read.found.operation, call.is_stream, self._facts.path)
        low = lowered(self._program, self._facts, self._planner, wanted)
        if isinstance(low, Lower):
            self._low = f"{low.budget}; model={low.model}"
            return self._decide(read, low.model)
        if low is None:
            return self._decide(read, call.model)
        return self._lowered_later(low, read, looks - 1)

    async def _lowered_later(self, looking: Awaitable[object], read: Read, looks: int) -> Decision:
        try:
            await looking
        except LedgerUnavailable:  # it is for what reserves to say what comes of that
            looks = 0
        decision = self._lowered(read, looks)
        return await decision if isinstance(decision, Awaitable) else decision

    def _decide(self, read: Read, model: str) -> Decision | Awaitable[Decision]:
        """What becomes of it, if this model is asked."""
        plain, call, found, handled = read.plain, read.call, read.found, read.handled
        facts = self._facts
        is_kept = found.operation in KEPT
        if self._program.shaper is not None and not is_kept:
            named = call if model == call.model else structs.replace(call, model=model)
            shaped = self._program.shaper.shaped(
                plain, named, shaping.Asked(found.operation, handled, facts)
            )
            if isinstance(shaped, Deny):
                return shaped
            if shaped is not plain:  # what is sent is what is read
                plain = shaped
                again = decoded(handled, plain, found, facts.headers)
                if isinstance(again, Deny):
                    return again
                call = again
        self._call = call
        wanted = Wanted(found.operation, call.is_stream, facts.path)
        if handled.form is not None and bodies.is_form(plain):
            wanted = structs.replace(wanted, is_json=False)
        if found.operation is Operation.GENERATE_STREAM and is_array(found, facts.path):
            wanted = structs.replace(wanted, is_sse=False)
        facts.body = plain
        fault = self._learn(call, handled, model)  # what a choice of targets may depend on
        keepers = self._program.stored_at
        plan: Plan | NotOffered | Unchosen | None = (
            self._planner.stored(keepers, wanted, model)
            if is_kept
            else self._planner.plan(model, wanted, facts)
        )
        if plan is None:
            return kept_by_nobody(found.operation) if is_kept else unknown_model(model)
        if not isinstance(plan, Plan):
            if isinstance(plan, Unchosen):
                return unchosen(model)
            if found.operation not in COUNTING:
                return not_offered(model, found.operation)
        self._received = read.received
        self._plain = plain
        facts.provider = plan.first_provider
        return fault or self._judge() or self._guard(plan, call, wanted, handled)

    def _guard(
        self, plan: Plan | NotOffered, call: Call, wanted: Wanted, handled: Handling
    ) -> Decision | Awaitable[Decision]:
        """What guards say, whom to ask may take a while."""
        facts, guards = self._facts, self._program.guards
        if not guards.is_any:
            return self._allowed(plan, call, wanted, handled)
        is_kept = wanted.operation in KEPT
        verdict = PASS if is_kept else guards.on_request(facts)
        if not is_kept and verdict is PASS and not guards.has_beside:  # as most are
            return self._allowed(plan, call, wanted, handled)

        def guarded(verdict: Verdict) -> Decision | Awaitable[Decision]:
            if isinstance(verdict, Deny):
                return verdict
            if isinstance(verdict, Amend):
                facts.body = verdict.body
            self._beside = guards.beside(facts)
            return self._allowed(plan, call, wanted, handled)

        if is_kept:
            judging = kept.judged(self._program, facts, (facts.model,), handled.reading.texts)
            return later(judging, guarded)
        if isinstance(verdict, Inquiry):
            return later(self._program.inquirer.settled(verdict), guarded)
        return guarded(verdict)

    def _allowed(
        self, plan: Plan | NotOffered, call: Call, wanted: Wanted, handled: Handling
    ) -> Decision | Awaitable[Decision]:
        """Nobody objects."""
        if not isinstance(plan, Plan):
            return Respond(200, JSON, COUNTING[wanted.operation].answer(call), "dragoman_count")
        as_array = isinstance(self.found, Found) and is_array(self.found, self._facts.path)
        framing = Framing(handled.dialect, wanted.operation, self._is_framed, as_array)
        watchman = watchman_of(self._program, self._facts, self._call, framing)
        if isinstance(watchman, Deny):
            return watchman
        self._watchman = watchman
        if self._watchman is not None:
            wanted = structs.replace(wanted, is_guarded=True)
            shown = self._planner.without(plan, self._facts.model, wanted, ())
            plan = shown if isinstance(shown, Plan) else plan
        return self._planned(plan, call, wanted, handled)

    def _turned(self, found: Found, body: bytes) -> tuple[Found, bytes]:
        """An invocation of Claude that nobody offers is one of Anthropic's messages."""
        wanted = Wanted(found.operation, found.is_stream, self._facts.path)
        plan = self._planner.plan(found.model, wanted, self._facts)
        if not isinstance(plan, NotOffered):
            return found, body
        said = elsewhere.from_path(body, found.model, is_stream=found.is_stream)
        if isinstance(said, Deny) or not said.version:
            return found, body  # not Claude's form
        self._is_framed = True
        self._betas = said.betas
        self.found = replace(found, operation=Operation.MESSAGES)
        return self.found, said.body

    def waiting(self, plan: Plan, held: Held) -> Waiting | None:
        """Who waits for the answer of a plan; None: nothing that follows matters."""
        found, facts, program = self.found, self._facts, self._program
        latencies = None if self._call is None else program.latencies
        # whose place nobody could be in is not set aside
        health = None if self._call is None or plan.is_alone else program.health
        is_told = plan.is_foreign or self._is_framed
        watchman = self._watchman
        is_seen = is_told or held is not NOTHING_HELD or latencies is not None
        is_seen = is_seen or watchman is not None
        if not is_seen and (health is None or not health.is_due(plan.targets)):
            return None
        handled = HANDLINGS.get(found.operation, PASSED) if isinstance(found, Found) else PASSED
        waiting = Waiting(
            handled,
            None,
            NOBODY,
            facts.is_stream,
            self._is_read_by_envoy(handled, plan),
            facts.demands,
            latencies,
            health,
            facts.now,
            False,
            self._stream,
            None if self._call is None else caller(facts),
            program.outages,
            price=self._planner.price,
        )
        is_asked = watchman is not None or is_told
        asked = asked_of(facts, self._call, self._tool_names) if is_asked else NOBODY
        if watchman is not None and isinstance(found, Found):
            is_framed = self._is_framed or found.operation is Operation.INVOKE_STREAM
            guards = Guarding(
                watchman,
                handled.dialect,
                facts.is_stream,
                is_framed,
                is_array(found, facts.path),
                program.inquirer,
            )
            waiting = structs.replace(waiting, guards=guards, asked=asked)
        if not is_told or not isinstance(found, Found):
            return waiting
        return structs.replace(
            waiting,
            codec=codec_for(found, facts.path, handled, is_framed=self._is_framed),
            asked=asked,
            demands=NO_DEMANDS,
            is_framed=self._is_framed,
        )

    def _is_read_by_envoy(self, handled: Handling, plan: Plan) -> bool:
        is_passing = self._watchman is None and self._steering is Steering.METADATA
        if not (handled.is_read_by_envoy and is_passing):
            return False
        if self._is_more_told is None and (handled.tells_more or plan.apart) and self._call:
            asked, tells = self._call.document, handled.tells_more
            self._is_more_told = bool(tells and tells(asked)) or is_told_apart(asked, plan.apart)
        return not self._is_more_told

    def _streamed(self, plan: Plan, handled: Handling) -> Streamed | None:
        """A stream that a budget waits for; None: not for tokens alone, or it goes on by itself."""
        if handled.demands is not None or is_detached(self._call):
            return None
        facts, streams, first = self._facts, self._program.cut_streams, plan.tries[0]
        is_read = self._is_read_by_envoy(handled, plan)
        mark = streams.mark(first.provider, first.model) if is_read else None
        limit = facts.max_output_tokens
        return Streamed(streams, mark, None if limit is None else limit * facts.choices)

    def forget_request(self) -> None:
        """An answer may stream for long; what was asked need not stay in memory."""
        facts = self._facts
        facts.body = self._received = self._plain = b""
        facts.document, facts.texts = NO_MEMBERS, ()
        self._call = None

    def _learn(self, call: Call, handled: Handling, model: str) -> Deny | None:
        """Fill in the facts that policies read."""
        facts, reading = self._facts, handled.reading
        facts.model = model
        facts.is_stream = call.is_stream
        facts.max_output_tokens = call.max_output_tokens
        facts.choices = call.choices
        facts.demands = handled.demands(call) if handled.demands else NO_DEMANDS
        facts.document = call.document
        facts.reword = reading.reword
        if self._program.reads_calls and handled.dialect is not None:
            facts.conversation = partial(SPEAKERS[handled.dialect].codec.decode_request, call)
        fault = None
        if self._program.reads_texts:
            texts = reading.texts(call.document) if call.texts is None else call.texts
            if isinstance(texts, Deny):
                fault = texts
            else:
                facts.texts = texts
                if call.size_bytes > SHORT_BYTES:  # else the estimate does not look at them
                    call = structs.replace(call, texts=texts)
        if self._program.reads_estimates or (facts.principal and facts.principal.budgets):
            facts.estimated_input_tokens = reading.estimate_input_tokens(call)
        return fault

    def _judge(self) -> Deny | None:
        facts = self._facts
        for policy in self._program.request_policies:
            verdict = policy.on_request(facts)
            if isinstance(verdict, Deny):
                return verdict
        return None

    def _planned(
        self, plan: Plan, call: Call, wanted: Wanted, handled: Handling
    ) -> Decision | Awaitable[Decision]:
        body = self._facts.body
        is_masked = body is not self._plain  # and is read again, where what it says is told
        if is_masked and (plan.is_foreign or handled.dialect is not None):
            again = handled.reading.decode(body, call.model, is_stream=call.is_stream)
            if isinstance(again, Deny):
                return again
            call = again
        if plan.is_foreign:
            if handled.dialect is Dialect.BEDROCK:
                self._betas = betas_of(call.document)
            betas = self._betas or betas_named(handled, self._facts)
            question = Question(call, body, wanted, handled, betas, self._facts)
            said = self._program.sayers[self._steering].say(plan, question)
            if isinstance(said, Deny):
                return said
            plan, body, self._tool_names = said.plan, said.body, said.tool_names
        else:
            body = spliced(plan, call, body, handled)
        facts = self._facts
        is_free = wanted.operation in COUNTING  # no vendor asks anything for it
        if self._program.limits.are_for(facts):
            tokens = None if is_free else self._program.budgets.asked(facts).total_tokens
            taken = self._program.limits.take(facts, tokens, len(self._received))
            if not isinstance(taken, (Taken, Deny)):
                return later(
                    taken, lambda it: self._limited(it, plan, body, handled, is_free=is_free)
                )
            return self._limited(taken, plan, body, handled, is_free=is_free)
        return self._limited(NOTHING_TAKEN, plan, body, handled, is_free=is_free)

    def _limited(
        self, taken: Taken | Deny, plan: Plan, body: bytes, handled: Handling, *, is_free: bool
    ) -> Decision | Awaitable[Decision]:
        if isinstance(taken, Deny):
            return taken
        self._taken = taken
        if is_free:
            return self._ready(NOTHING_HELD, plan, body, handled)
        held = self._program.budgets.begin(self._facts, plan.dearest)
        if isinstance(held, (Held, Deny)):
            return self._ready(held, plan, body, handled)
        return later(held, lambda it: self._ready(it, plan, body, handled))

    def _ready(self, held: Held | Deny, plan: Plan, body: bytes, handled: Handling) -> Deny | Ready:
        taken = self._taken
        if isinstance(held, Deny):
            taken.settle(0)
            taken.leave()
            return held
        if taken is not NOTHING_TAKEN and taken.waits_for_usage:
            held = held.limited(taken, self._program.budgets.asked(self._facts))
        call = self._call
        if held is not NOTHING_HELD and call is not None:
            if is_unbounded(call):
                held.release()
                taken.leave()
                return UNBOUNDED
            if call.is_stream and plan.forwarded.dialect is handled.dialect:
                if not call.tells_usage and may_ask(plan):
                    body = bodies.replace(body, handled.reading.ask_usage(call))
                self._stream = self._streamed(plan, handled)
        reply = plan.told(self._program.choose, None if self._stream is None else self._stream.mark)
        sent = None if body is self._received else body
        told = betas_header(self._betas, plan) if self._betas else ()
        forward = Forward(reply, sent, told, taken.told, self._low)
        return Ready(plan, held, forward, taken=taken, beside=self._beside)
