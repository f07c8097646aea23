"""What is forwarded of a request: the client's body, changed by splices, or said in the dialect of
the providers; and which providers it can be said to.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from extproc.facts import Facts
from extproc.llm import additions, forms, history, translate
from extproc.llm.anthropic.elsewhere import BETAS
from extproc.llm.dialect import Call
from extproc.llm.dialects import INSTEAD, SPEAKERS, Handling, codec_of
from extproc.llm.openai_chat.servers import in_terms, server_of
from extproc.llm.tool_names import Names
from extproc.plan import Plan, Planner, Wanted
from extproc.policies.guard import Guards
from extproc.protocols import bodies, json_spans
from extproc.verdict import Deny
from gateway.betas import Betas, taken
from gateway.model import BodyForm, Dialect, Lossiness


class Question(Struct, frozen=True):
    """A request whose body was read."""

    call: Call
    body: bytes
    wanted: Wanted
    handled: Handling
    betas: Betas = ()
    """What the client asks for of Anthropic's, in a header or in its body."""
    facts: Facts | None = None
    """Of the request; None: no guard is asked again about what is said of it."""

    @property
    def model(self) -> str:
        """Which is asked for it: another than it names, where a budget is low."""
        return self.call.model if self.facts is None else self.facts.model


class Forwarded(Struct, frozen=True):
    """What goes to Envoy, and the plan whose tries can all be told it."""

    plan: Plan
    body: bytes
    tool_names: Mapping[str, Names] = MappingProxyType({})
    """By the names of codecs: what some provider is told in the place of the client's own."""


class Sayer:
    """For the requests of a program."""

    def __init__(
        self, planner: Planner, lossiness: Lossiness, guards: Guards | None = None
    ) -> None:
        self._guards = guards
        self._planner = planner
        self._lossiness = lossiness

    def say(self, plan: Plan, question: Question) -> Forwarded | Deny:
        """The body of a plan with foreign tries, without those that would lose what may not be
        lost. Of other plans, `spliced` says it.
        """
        if plan.tries[0].is_instead:
            encode = INSTEAD[question.wanted.operation]
            body = encode(question.call.document, plan.tries[0].model)
            return body if isinstance(body, Deny) else Forwarded(plan, body)
        refusals: dict[Dialect, Deny] = {}
        bodies: dict[Dialect, translate.Translated] = {}
        while True:
            self._translate(plan, question, bodies, refusals)
            if not any(each.dialect in refusals for each in plan.tries):
                break
            left = self._planner.without(plan, question.model, question.wanted, refusals.keys())
            if not isinstance(left, Plan):
                return next(iter(refusals.values()))
            plan = left
        dialect = plan.forwarded.dialect
        told = {
            SPEAKERS[each].codec.name: said.tool_names
            for each, said in bodies.items()
            if said.tool_names
        }
        if dialect is not None and dialect is not question.handled.dialect:
            return Forwarded(plan, _finished(bodies[dialect].body, plan), told)
        if _is_mixed(plan, question):
            wanted = replace(question.wanted, is_sealed=True)
            unsealed = self._planner.without(plan, question.model, wanted, refusals.keys())
            plan = unsealed if isinstance(unsealed, Plan) else plan
        call, body, betas = question.call, question.body, question.betas
        return Forwarded(plan, spliced(plan, call, body, question.handled, betas), told)

    def _translate(
        self,
        plan: Plan,
        question: Question,
        bodies: dict[Dialect, translate.Translated],
        refusals: dict[Dialect, Deny],
    ) -> None:
        """Fill in what the foreign dialects of a plan make of it."""
        client = question.handled.dialect
        if client is None:
            return
        for each in plan.tries:
            dialect = each.dialect
            if dialect is None or dialect is client or dialect in bodies or dialect in refusals:
                continue
            told = plan.forwarded if plan.forwarded.dialect is dialect else each.written
            codecs = SPEAKERS[client].codec, codec_of(dialect, told.vendor, told.form)
            call = _with_betas(question, told.betas)
            said = translate.request(call, codecs, told.target or each.model, self._lossiness)
            facts = question.facts
            if self._guards is not None and facts is not None and not isinstance(said, Deny):
                said = _guarded(said.body, dialect, self._guards, facts) or said
            if isinstance(said, Deny):
                refusals[dialect] = said
            else:
                bodies[dialect] = said


def _is_mixed(plan: Plan, question: Question) -> bool:
    """Something in the request is for some tries, and must not be seen by the client's dialect."""
    client = question.handled.dialect
    if client is None or len({each.dialect is client for each in plan.tries}) < 2:
        return False
    return history.is_foreign(question.body, question.call, client)


def _with_betas(question: Question, takes: str) -> Call:
    """The call, with the betas of a client that has them in a header."""
    call = question.call
    if not question.betas or question.handled.dialect is not Dialect.ANTHROPIC:
        return call
    betas = taken(question.betas, takes.split(",")) if takes else question.betas
    return replace(call, document={**call.document, BETAS: list(betas)})


def _guarded(body: bytes, dialect: Dialect, guards: Guards, facts: Facts) -> Deny | None:
    """What stands apart in the words of the client, in two messages say, may become one text."""
    reading = SPEAKERS[dialect].reading
    texts = reading.texts(json_spans.decode(body))
    if isinstance(texts, Deny):
        return texts
    return guards.objection(facts, texts, body, reading.reword)


def spliced(plan: Plan, call: Call, body: bytes, handled: Handling, asked: Betas = ()) -> bytes:
    """The client's own body, for the first try's model."""
    told, dialect = plan.forwarded, handled.dialect
    if plan.is_renamed_alone and call.is_bare:  # nobody has sealed anything in it
        if not told.model or told.model == call.model:
            return body
        return json_spans.replace_string(body, "model", plan.model)
    is_all_own = not plan.is_foreign or all(each.dialect is dialect for each in plan.tries)
    if dialect is not None and is_all_own:
        body = history.own(body, call, dialect, SPEAKERS[dialect].codec)
    if told.model and told.model != call.model:
        body = bodies.replace(body, handled.reading.rename(call, told.model))
    if told.terms:
        body = in_terms(body, call.document, server_of(told.terms))
    betas = taken(asked, told.betas.split(",")) if told.betas and asked else ()
    return _finished(body, plan, betas)


def _finished(body: bytes, plan: Plan, betas: Betas = ()) -> bytes:
    told = plan.forwarded
    if told.form is BodyForm.PLAIN and not told.additions:
        return body
    return additions.added(forms.said_as(body, told.form, betas), told.additions, told.dialect)
