"""Requests of an LLM API without a body that is read: answered here, or passed on by their headers.

Of the answers to some of them, what was done is counted: batches, and sessions of websockets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from extproc import kept
from extproc.batches import REMOVED_HEADERS, Watching
from extproc.events import Continue, Forward, Respond, Strip
from extproc.facts import Facts
from extproc.later import later
from extproc.llm import faults, models
from extproc.llm.anthropic import batching
from extproc.lowering import MOST_LOOKS, lowered
from extproc.plan import NotOffered, Plan, Planner, Unchosen, Wanted
from extproc.policies.budget import NOTHING_HELD, Held, Lower
from extproc.policies.inquiry import Inquiry
from extproc.policies.limit import NOTHING_TAKEN, Taken
from extproc.ports import LedgerUnavailable
from extproc.program import Program
from extproc.protocols import query
from extproc.protocols.encodings import Decoder
from extproc.read import TOO_LARGE, decoder_of, decompressed
from extproc.session import Means
from extproc.uploads import CALLER, Upload, begins
from extproc.verdict import Deny, Verdict
from gateway.apis import Family, Found, WrongMethod
from gateway.names import PLAN_HEADER
from gateway.operations import Operation

JSON = (("content-type", "application/json"),)
WITHOUT_PLAN = Strip((PLAN_HEADER,))
"""No client may choose a cluster, although the plan's header would replace theirs."""
NO_LIMIT = 1 << 62
"""Of a body that is not shown."""
_LONGEST_SHOWN = 256
_AZURES = ("api-version", "deployment")
"""What clients of Azure's say in the query: a provider there is told its own."""


class Ready(Struct, frozen=True):
    """The request goes on."""

    plan: Plan
    held: Held
    forward: Forward
    means: Means | None = None
    """Of a session that a budget counts."""
    watching: Watching | Upload | None = None
    """Who looks at the answer; None: whoever does at any."""
    taken: Taken = NOTHING_TAKEN
    """Of limits."""
    beside: Inquiry[Deny | None] | None = None
    """What guards are asked meanwhile; the answer waits for it."""


class Awaiting(Struct, frozen=True):
    """The body is waited for, which then decides."""

    decided: Callable[[bytes], Decision | Awaitable[Decision]]


Decision: TypeAlias = Continue | Strip | Respond | Deny | Ready | Awaiting


def _as_it_is(ready: Ready) -> Decision | Awaitable[Decision]:
    return ready


class Passing:
    """One request, whose caller is known."""

    __slots__ = ("_facts", "_limit_bytes", "_planner", "_program")

    def __init__(
        self, program: Program, facts: Facts, planner: Planner, limit_bytes: int = NO_LIMIT
    ) -> None:
        self._program = program
        self._facts = facts
        self._planner = planner
        self._limit_bytes = limit_bytes
        """Of the body, where Envoy shows it."""

    def decide(self, found: Found) -> Decision | Awaitable[Decision]:
        match found.operation:
            case Operation.MODELS:
                shape = models.shape_of(found.family, self._facts.headers)
                body = models.encode_list(shape, self._listed(), self._program.created)
                return Respond(200, JSON, body, "dragoman_models")
            case Operation.MODEL:
                return self._model(found)
            case Operation.REALTIME:
                return self._realtime(found)
            case _:
                return self._unread(found)

    def _unread(self, found: Found) -> Decision | Awaitable[Decision]:
        """Nothing of it is looked at but its headers; of batches, the answer is, and what is to be
        done, where guards read requests and it stands there."""
        program = self._program
        is_shown = program.guards.is_any and self._limit_bytes != NO_LIMIT and program.stored_at
        if is_shown and _makes_messages(found, self._facts.method):
            decoder = decoder_of(self._facts.headers, self._limit_bytes)
            if isinstance(decoder, Deny):
                return decoder
            return Awaiting(lambda body: self._batch(found, body, decoder))
        return self._unguarded(found)

    def _batch(
        self, found: Found, body: bytes, decoder: Decoder | None
    ) -> Decision | Awaitable[Decision]:
        """A batch of messages that is to be made."""
        if len(body) > self._limit_bytes:
            return TOO_LARGE
        plain = body if decoder is None else decompressed(body, decoder)
        if isinstance(plain, Deny):
            return plain
        document = batching.decode(plain)
        if isinstance(document, Deny):
            return document
        texts = batching.texts(document)
        if isinstance(texts, Deny):
            return texts
        facts = self._facts
        facts.body, facts.texts, facts.reword = plain, texts, batching.reword
        models = batching.models_of(document)

        def guarded(passed: Ready) -> Decision | Awaitable[Decision]:
            judging = kept.judged(self._program, facts, models, batching.texts)
            return later(judging, lambda verdict: self._judged(found, passed, body, verdict))

        plan = self._planner.stored(
            self._program.stored_at, Wanted(found.operation, False, facts.path)
        )
        return kept_by_nobody(found.operation) if plan is None else self._passed(plan, guarded)

    def _judged(
        self, found: Found, passed: Ready, body: bytes, verdict: Verdict
    ) -> Decision | Awaitable[Decision]:
        """As guards have left it."""
        if isinstance(verdict, Deny):
            return _unless(verdict, passed)
        facts, batches = self._facts, self._program.batches
        sent = None if facts.body == body else facts.body
        facts.body, facts.texts, facts.reword = b"", (), None
        ready = replace(passed, forward=replace(passed.forward, body=sent))
        if not batches.is_watched(found, facts.method):
            return ready
        ready = replace(ready, watching=batches.watching(found, facts))
        left = batches.is_left(found, facts)
        return _if_left(left, ready) if isinstance(left, Awaitable) else _unless(left, ready)

    def _unguarded(self, found: Found) -> Decision | Awaitable[Decision]:
        facts, batches = self._facts, self._program.batches
        is_watched = batches.is_watched(found, facts.method)
        rest = found.rest
        if found.family is Family.AZURE:
            rest = query.without(rest, _AZURES)
        if found.operation is Operation.GEMINI_UPLOADS:
            rest = query.without(rest, (CALLER,))
        wanted = Wanted(found.operation, False, facts.path, is_read=False, rest=rest)
        if is_watched:
            wanted = replace(wanted, removed_headers=REMOVED_HEADERS)
        plan = self._planner.stored(self._program.stored_at, wanted)
        if plan is None:
            return kept_by_nobody(found.operation)
        if begins(found, facts.headers):
            uploads = self._program.uploads
            upload = Upload(facts.headers, None if uploads is None else uploads.sealing(facts))
            return self._passed(plan, lambda passed: replace(passed, watching=upload))
        if not is_watched:
            return self._passed(plan)

        def watched(passed: Ready) -> Decision | Awaitable[Decision]:
            ready = replace(passed, watching=batches.watching(found, facts))
            left = batches.is_left(found, facts)
            return _if_left(left, ready) if isinstance(left, Awaitable) else _unless(left, ready)

        return self._passed(plan, watched)

    def unknown(self) -> Decision | Awaitable[Decision]:
        """A path that is none of an API."""
        path, provider = self._facts.path, self._program.llm.pass_unknown_to
        if provider is None or self._program.paths.is_disguised(path):
            reason = f"unsupported path {path.partition('?')[0]!r}"
            return Deny(404, "unknown_url", reason)
        rest = self._program.paths.below(path)
        wanted = Wanted(Operation.FILES, False, path, is_read=False, rest=rest)
        return self._passed(self._planner.passing(provider, wanted))

    def _realtime(self, found: Found) -> Decision | Awaitable[Decision]:
        """A websocket; what is said in it is seen where a budget counts it."""
        is_azures = found.family is Family.AZURE
        try:
            model = query.model_of_query(self._facts.path, "deployment" if is_azures else "")
        except query.AmbiguousQuery as error:
            return Deny(400, "invalid_query", str(error))
        fault = faults.of_model(model)
        if fault is not None:
            return fault
        _, mark, asked = self._facts.path.partition("?")
        rest = query.without(mark + asked, _AZURES) if is_azures else mark + asked
        wanted = Wanted(found.operation, True, self._facts.path, is_read=False, rest=rest)
        self._facts.is_stream = True
        if self._program.budgets.is_lowering:
            return self._lowered(model, wanted, MOST_LOOKS)
        return self._opened(model, wanted)

    def _lowered(self, model: str, wanted: Wanted, looks: int) -> Decision | Awaitable[Decision]:
        """The session of another model, where too little is left for this one."""
        self._facts.model = model
        low = lowered(self._program, self._facts, self._planner, wanted) if looks else None
        if low is None:
            return self._opened(model, wanted)
        if isinstance(low, Lower):
            return self._opened(low.model, wanted, f"{low.budget}; model={low.model}")
        return self._lowered_later(low, model, wanted, looks - 1)

    async def _lowered_later(
        self, looking: Awaitable[object], model: str, wanted: Wanted, looks: int
    ) -> Decision:
        try:
            await looking
        except LedgerUnavailable:  # it is for what reserves to say what comes of that
            looks = 0
        decision = self._lowered(model, wanted, looks)
        return await decision if isinstance(decision, Awaitable) else decision

    def _opened(self, model: str, wanted: Wanted, low: str = "") -> Decision | Awaitable[Decision]:
        """`low`: what the client is told of a budget."""
        self._facts.model = model
        plan = self._planner.plan(model, wanted, self._facts)
        if plan is None:
            return unknown_model(model)
        if isinstance(plan, Unchosen):
            return unchosen(model)
        if isinstance(plan, NotOffered):
            return not_offered(model, wanted.operation)

        def told(passed: Ready) -> Decision | Awaitable[Decision]:
            return self._counted(replace(passed, forward=replace(passed.forward, low=low)))

        return self._passed(plan, told if low else self._counted)

    def _counted(self, passed: Ready) -> Decision | Awaitable[Decision]:
        """A session, when something is left for its first response."""
        program = self._program
        means = Means(program.budgets, self._facts, self._planner.price, program.clock)
        means.expect(None)
        held = program.budgets.begin(self._facts, passed.plan.dearest)
        if isinstance(held, (Held, Deny)):
            return _counted(passed, held, means)
        return _counted_later(passed, held, means)

    def _passed(
        self, plan: Plan, then: Callable[[Ready], Decision | Awaitable[Decision]] = _as_it_is
    ) -> Decision | Awaitable[Decision]:
        """Within the rules and limits; `then` what else is to be done."""
        facts = self._facts
        facts.provider = plan.providers[0]
        for policy in self._program.header_policies:
            verdict = policy.on_request(facts)
            if isinstance(verdict, Deny):
                return verdict

        def limited(taken: Taken | Deny) -> Decision | Awaitable[Decision]:
            if isinstance(taken, Deny):
                return taken
            forward = Forward(plan.reply, None, told=taken.told)
            return then(Ready(plan, NOTHING_HELD, forward, taken=taken))

        taken = self._program.limits.take(facts, size_bytes=facts.length_bytes)
        return limited(taken) if isinstance(taken, (Taken, Deny)) else later(taken, limited)

    def _listed(self) -> Sequence[str]:
        """The models that the caller may ask for."""
        opens = self._program.key_models
        if opens is None:
            return self._program.models
        return opens.opened(self._facts.principal, self._program.models)

    def _model(self, found: Found) -> Respond | Deny:
        shape = models.shape_of(found.family, self._facts.headers)
        name = models.asked_name(shape, found.model)
        opens = self._program.key_models
        if opens is not None and not opens.opened(self._facts.principal, (name,)):
            return unknown_model(name)
        if not self._planner.knows(name):
            return unknown_model(name)
        body = models.encode_one(shape, name, self._program.created)
        return Respond(200, JSON, body, "dragoman_model")


def _makes_messages(found: Found, method: str) -> bool:
    """Whether a request has a batch of messages made, which stand in it."""
    is_new = not found.rest.partition("?")[0].strip("/")
    return found.operation is Operation.MESSAGE_BATCHES and method == "POST" and is_new


def misplaced(facts: Facts) -> Deny:
    """Something is at this path, by another method: or a name of a model stands before a verb of
    Google's that nobody has here, `imagen-4:predict`."""
    name = facts.path.partition("?")[0].rpartition("/")[2]
    verb = name.rpartition(":")[2] if ":" in name else ""
    if facts.method == "POST" and verb.isalpha():
        return Deny(404, "unknown_url", f"nothing is served at ':{verb}' of models")
    return Deny(405, "method_not_allowed", f"{facts.method} is not allowed here")


def asked_for(program: Program, facts: Facts) -> Found | WrongMethod | None:
    """What a request line asks for; None: nothing that is served."""
    found = program.paths.find(facts.method, facts.path)
    if not isinstance(found, Found) or found.operation is not Operation.FILES:
        return found
    if models.ANTHROPIC_HEADER in facts.headers:  # of several vendors at the same path
        return Found(Operation.MESSAGE_FILES, Family.ANTHROPIC, rest=found.rest)
    if models.GEMINI_HEADER in facts.headers:
        return program.paths.find_below(Family.GEMINI, facts.method, facts.path) or found
    return found


async def _if_left(left: Awaitable[Deny | None], ready: Ready) -> Decision:
    return _unless(await left, ready)


def _unless(refused: Deny | None, ready: Ready) -> Deny | Ready:
    if refused is None:
        return ready
    ready.taken.leave()
    return refused


def _counted(passed: Ready, held: Held | Deny, means: Means) -> Deny | Ready:
    if isinstance(held, Deny):
        return _unless(held, passed)
    if held is NOTHING_HELD:
        return passed
    shown = replace(passed.forward, plan_reply=passed.plan.reply_of_session)
    return replace(passed, held=held, forward=shown, means=means)


async def _counted_later(passed: Ready, held: Awaitable[Held | Deny], means: Means) -> Decision:
    return _counted(passed, await held, means)


def unknown_model(name: str) -> Deny:
    reason = f"the model {name[:_LONGEST_SHOWN]!r} does not exist"
    return Deny(404, "model_not_found", reason, param="model")


def unchosen(name: str) -> Deny:
    reason = f"no condition of the model {name[:_LONGEST_SHOWN]!r} holds for this request"
    return Deny(404, "model_not_found", reason, param="model")


def kept_by_nobody(operation: Operation) -> Deny:
    reason = f"no provider is to be asked for {operation} (llm.stored_at)"
    return Deny(404, "operation_not_offered", reason)


def not_offered(model: str, operation: Operation) -> Deny:
    reason = f"no provider of the model {model[:_LONGEST_SHOWN]!r} offers {operation}"
    return Deny(400, "operation_not_offered", reason, param="model")
