"""One operation that is asked of an agent: whether it may be, and how it goes there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from extproc.a2a import chain, webhooks
from extproc.a2a.edits import Carried, Edit, edited
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms.calls import Call, Target
from extproc.a2a.forms.interpreter import Interpreter
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.requests import A2aRequest
from extproc.a2a.webhooks import Unusable
from extproc.a2a_exchange import hops
from extproc.a2a_exchange.assigned import Assigned
from extproc.a2a_exchange.described import call_of
from extproc.a2a_exchange.extended import (
    CODINGS,
    NOBODY,
    Extended,
    answer,
    broken,
    is_watched,
)
from extproc.a2a_exchange.gathering import Gathering
from extproc.a2a_exchange.interpreting import (
    Change,
    Interpreted,
    Spoken,
    bridged_body,
    is_bridged,
    removed_headers,
    set_headers,
    target_of,
)
from extproc.a2a_exchange.overseeing import OverseenAnswer
from extproc.a2a_exchange.owning import CODINGS as READ_CODINGS
from extproc.a2a_exchange.owning import Owning, is_owned
from extproc.a2a_exchange.placing import (
    Carrier,
    Placing,
    edit_of,
    is_about_all,
    said_otherwise,
)
from extproc.a2a_exchange.pushing import Pushing, is_about_webhooks, said_to, says_webhooks
from extproc.a2a_exchange.reviewing import Passed, Reviewing
from extproc.a2a_serving.directory import READABLE, Found, NoCard
from extproc.a2a_serving.saying import Speech, without_card
from extproc.a2a_serving.serving import Serving
from extproc.admission import Admission
from extproc.events import Action, Direct, Respond, ResponseHeaders
from extproc.facts import Facts
from extproc.later import later
from extproc.ports import ServiceUnavailable
from extproc.program import Program
from extproc.verdict import Deny
from gateway import names
from gateway.a2a import TENANT_SEPARATOR, A2aAgent, Binding, Member, Revision

Answering: TypeAlias = Action | Awaitable[Action]


class Asking:
    """Of one HTTP request."""

    __slots__ = (
        "_agent",
        "_assigned",
        "_behind",
        "_changed",
        "_facts",
        "_front",
        "_program",
        "_query",
        "_reviewing",
        "_serving",
        "admission",
        "answer",
        "is_flowing",
        "is_sent",
    )

    def __init__(
        self, program: Program, serving: Serving, facts: Facts, agent: str, behind: str
    ) -> None:
        """`agent`: whom the path names; empty: nobody. `behind`: what of it is behind that."""
        self._program, self._serving, self._facts = program, serving, facts
        self._agent, self._behind = agent, behind
        self._changed: bytes | None = None
        """The body in the place of the client's: guards have changed its texts, or it says the
        agent's own ids. None: it stays."""
        self._query = facts.path.partition("?")[2]
        self._assigned: Assigned | None = None
        """Who gets it, of those that the agent stands for; None: the agent stands for itself."""
        self._front = ""
        """The agent that stands for it; empty: it stands for itself."""
        self.admission = Admission(program)
        self.is_sent = False
        self.is_flowing = False
        """Envoy will show the answer as it comes."""
        self.answer: Interpreted | Owning | OverseenAnswer | None = None
        """Who reads the answer as it passes; None: nobody."""
        self._reviewing = Reviewing(program, serving, facts)

    def is_watched(self, speech: Speech) -> bool:
        """Somebody may have to read the answer as it passes."""
        directory, owners = self._serving.directory, self._serving.owners
        if self._agent in owners or (owners and not self._agent):
            return True
        if self._reviewing.may_read((self._agent,) if self._agent else directory.agents):
            return True
        spoken = speech.binding, speech.revision
        if not self._agent:  # a call of gRPC; the body says later whom it is for
            path, callbacks = self._facts.path, self._serving.callbacks
            is_read = is_watched(path) or (callbacks is not None and says_webhooks(path))
            return is_read or spoken not in directory.common
        found = directory.known(self._agent)
        return found is None or spoken not in found.ways

    def began(self, event: ResponseHeaders) -> None:
        """An answer that somebody reads, or an error in its place."""
        if self._assigned is not None:
            self._assigned.answered(event)

    def on_close(self) -> None:
        """The request is over."""
        self.admission.on_close()
        if isinstance(self.answer, OverseenAnswer):
            self.answer.close()
        if self._assigned is not None:
            self._assigned.end()

    def asked(self, request: A2aRequest, body: bytes) -> Answering:
        """What comes of it."""
        speech = Speech(request.binding, request.revision, request.raw_id)
        agent = self._agent or self._named(request)
        if agent is None:
            message = "the tenant names no agent: it is the agent's name, as its card says"
            return speech.fault(Fault(ErrorKind.INVALID_PARAMS, message))
        program, facts = self._program, self._facts
        before = chain.read(facts.headers.get(chain.HEADER, ""))
        facts.a2a = call_of(request, agent, before)
        verdict = program.rules.early.on_request(facts)
        if isinstance(verdict, Deny):
            return self._refused(speech, verdict)
        is_card = request.operation is Operation.EXTENDED_CARD
        if is_card and self._serving.knows_callers and facts.principal is None:
            return self._refused(speech, NOBODY)
        asked = self._serving.directory.agents[agent]
        if asked.pool is None:
            return self._allowed(speech, request, body, asked)
        return self._pooled(speech, request, body, Placing(program, self._serving, facts, asked))

    def _pooled(
        self, speech: Speech, request: A2aRequest, body: bytes, placing: Placing
    ) -> Answering:
        """Of one that stands for several."""
        if placing.pool.is_group and request.operation is Operation.EXTENDED_CARD:
            kind = ErrorKind.EXTENDED_AGENT_CARD_NOT_CONFIGURED
            return speech.fault(request.fault(kind, "several agents have no extended card"))

        if is_about_all(request, placing.owners):
            return self._listed(speech, request, body, placing)

        def placed(found: Member | Deny | Fault) -> Answering:
            if isinstance(found, Member):
                return self._placed(speech, request, body, found, placing)
            return self._refused(speech, found) if isinstance(found, Deny) else speech.fault(found)

        member = placing.placed(request)
        return later(member, placed) if isinstance(member, Awaitable) else placed(member)

    def _placed(
        self, speech: Speech, request: A2aRequest, body: bytes, member: Member, placing: Placing
    ) -> Answering:
        """It is known who gets it, who is told its own ids."""
        self._assigned = Assigned(self._serving, member, placing.others(request, member))
        self._front = placing.name
        edit = edit_of(request, member, placing.owners)
        if edit is not None:
            carrier = Carrier(self._behind, self._query, body)
            said = said_otherwise(request, carrier, edit, self._facts)
            if isinstance(said, Fault):
                return speech.fault(said)
            request, carrier = said
            self._behind, self._query, body = carrier.behind, carrier.query, carrier.body
            self._changed = body or None
        return self._allowed(speech, request, body, member.agent)

    def _allowed(
        self, speech: Speech, request: A2aRequest, body: bytes, place: A2aAgent
    ) -> Answering:
        """Rules have said nothing against it. `place`: where it goes."""
        call = self._facts.a2a
        if call is not None and OPERATIONS[request.operation].has_message:
            endless = hops.endless(self._serving, call)
            if endless is not None:
                return self._refused(speech, endless)
        return self._guarded(speech, request, body, place)

    def _guarded(
        self, speech: Speech, request: A2aRequest, body: bytes, place: A2aAgent
    ) -> Answering:
        """What comes of it past the guards."""
        found = self._reviewing.sent(request, body, self._behind)
        if found is None:
            return self._admitted(speech, request, body, place)

        def passed(found: Passed | Deny) -> Answering:
            if isinstance(found, Deny):
                return self._refused(speech, found)
            if found.is_changed:
                self._changed = found.body
            return self._admitted(speech, found.request, found.body, place)

        return later(found, passed) if isinstance(found, Awaitable) else passed(found)

    def _admitted(
        self, speech: Speech, request: A2aRequest, body: bytes, place: A2aAgent
    ) -> Answering:
        """What comes of it past limits and budgets, which count messages."""
        if not OPERATIONS[request.operation].has_message:
            return self._found(speech, request, body, place.name)

        def taken(refusal: Deny | None) -> Answering:
            if refusal is not None:
                return self._refused(speech, refusal)
            return self._found(speech, request, body, place.name)

        found = self.admission.take(self._facts, place.price, len(body))
        return later(found, taken) if isinstance(found, Awaitable) else taken(found)

    def _named(self, request: A2aRequest) -> str | None:
        """Whom a request of gRPC is for: its tenant says so, or there is one agent alone."""
        agents = self._serving.directory.agents
        name = request.tenant.partition(TENANT_SEPARATOR)[0]
        if name in agents:
            return name
        return next(iter(agents)) if len(agents) == 1 else None

    def _found(self, speech: Speech, request: A2aRequest, body: bytes, agent: str) -> Answering:
        found = self._serving.directory.known(agent)
        if found is not None:
            return self._sent(speech, request, body, found)
        return self._sent_later(speech, request, body, agent)

    async def _sent_later(
        self, speech: Speech, request: A2aRequest, body: bytes, agent: str
    ) -> Action:
        try:
            found = await self._serving.directory.found(agent)
        except NoCard as error:
            return self._refused(speech, without_card(agent, error))
        sent = self._sent(speech, request, body, found)
        return await sent if isinstance(sent, Awaitable) else sent

    def _sent(self, speech: Speech, request: A2aRequest, body: bytes, found: Found) -> Answering:
        call = self._facts.a2a
        if request.message is not None and call is not None:
            mismatch = found.modes.mismatch(call.parts, request.accepted_output_modes, call.skill)
            if mismatch is not None:
                kind = ErrorKind.CONTENT_TYPE_NOT_SUPPORTED
                return speech.fault(Fault(kind, mismatch.message, mismatch.metadata))
        if not found.ways:
            return speech.fault(_no_way(request, found))
        if is_about_webhooks(request):
            return self._pushed(speech, request, body, found)
        return self._passed_on(speech, request, body, found)

    def _pushed(self, speech: Speech, request: A2aRequest, body: bytes, found: Found) -> Answering:
        """What is about webhooks."""
        callbacks = self._serving.callbacks
        if callbacks is None:
            message = "this gateway passes no push notifications on"
            return speech.fault(Fault(ErrorKind.PUSH_NOTIFICATION_NOT_SUPPORTED, message))
        key = "" if self._assigned is None else self._assigned.alone()
        pushing = Pushing(callbacks, self._facts, request, key)
        if webhooks.place(request) is None:
            return self._about_webhooks(speech, request, body, found, pushing)
        return self._pushed_later(speech, request, body, found, pushing)

    async def _pushed_later(
        self, speech: Speech, request: A2aRequest, body: bytes, found: Found, pushing: Pushing
    ) -> Action:
        try:
            await pushing.seal()
        except Unusable as error:
            return speech.fault(request.fault(ErrorKind.INVALID_PARAMS, str(error)))
        sent = self._about_webhooks(speech, request, body, found, pushing)
        return await sent if isinstance(sent, Awaitable) else sent

    def _about_webhooks(
        self, speech: Speech, request: A2aRequest, body: bytes, found: Found, pushing: Pushing
    ) -> Answering:
        """Answers that say webhooks are read: between JSON and JSON, the worker asks the agent."""
        if not webhooks.is_told(request.operation):
            return self._passed_on(speech, request, body, found, pushing)
        if request.binding in READABLE and found.is_readable:
            return self._relayed(speech, found, pushing)
        self._begin()
        return self._interpreted(speech, pushing.request, body, found, None, pushing.told)

    async def _relayed(self, speech: Speech, found: Found, pushing: Pushing) -> Action:
        agent = found.agent
        try:
            told = await pushing.relayed(self._serving.peers, found)
        except ServiceUnavailable as error:
            reason = f"the agent '{agent.name}' could not be reached: {error}"
            return self._refused(speech, Deny(503, "agent_unreachable", reason))
        return speech.fault(told) if isinstance(told, Fault) else told

    def _passed_on(
        self,
        speech: Speech,
        request: A2aRequest,
        body: bytes,
        found: Found,
        pushing: Pushing | None = None,
    ) -> Answering:
        """`pushing`: with another webhook in the place of the one that is said, if it is."""
        way = found.ways.get((request.binding, request.revision))
        extended: Extended | None = None
        if request.operation is Operation.EXTENDED_CARD:
            front = self._serving.directory.known(self._front) if self._front else None
            extended = Extended(self._program, self._serving, self._facts, found, front)
            if request.binding in READABLE and found.is_readable:
                return self._answered(speech, request, extended)
        self._begin()
        if way is None:
            asked = request if pushing is None else pushing.request
            return self._interpreted(speech, asked, body, found, extended)
        gone: tuple[str, ...] = ()
        if extended is not None:
            spoken, gone = Target(request.binding, request.revision), (CODINGS,)
            self._reads(Interpreter(request, spoken), request, spoken, extended.changed)
        elif self._assigned is not None and is_owned(request):
            self.answer, gone = Owning(request, self._assigned.shown), READ_CODINGS
        if self._oversee(request):
            gone = READ_CODINGS
        self.is_sent = True
        if self._assigned is not None and request.tenant != way.tenant:
            body = self._renamed(request, way.tenant, body)
        head = hops.told(self._facts, request)
        changed = self._changed
        if request.binding is Binding.HTTP_JSON:
            query = f"?{self._query}" if self._query else ""
            head = (*head, (":path", f"{way.path}{self._behind}{query}"))
        callback = None if pushing is None else pushing.callback
        if request.binding is Binding.GRPC:
            headers = self._facts.headers
            changed = said_to(request, body, headers, way.tenant, callback) or changed
        elif callback is not None:
            changed = webhooks.spliced(request, body, callback)
        is_read = bool(body)
        reply = way.after_body if is_read else way.after_headers
        turns: tuple[str, ...] = ()
        if self._assigned is not None:
            turns = self._assigned.turns(found, (request.binding, request.revision))
        is_first_shown = self.answer is not None and not is_read
        self.is_flowing = self.is_flowing or is_first_shown
        assert self.is_flowing or self.answer is None, "nobody would be shown the answer"
        told = self.admission.told
        return Direct(
            reply, is_read, head, gone, "", changed, told, is_flowing=is_first_shown, turns=turns
        )

    def _renamed(self, request: A2aRequest, tenant: str, body: bytes) -> bytes:
        """The body with the tenant of whoever was chosen, where JSON says one: cards say that of
        the first."""
        if request.binding is Binding.GRPC or request.revision is not Revision.V1_0:
            return body
        carried = Carried(self._behind, self._query, body)
        said = edited(request, carried, Edit(tenant=tenant))
        self._behind, self._query, self._changed = said.path, said.query, said.body or None
        return said.body

    def _begin(self) -> None:
        """One of those that an agent stands for works at it from now on."""
        if self._assigned is not None:
            self._assigned.begin()

    def _interpreted(
        self,
        speech: Speech,
        request: A2aRequest,
        body: bytes,
        found: Found,
        extended: Extended | None,
        told: Callable[[object], object] | None = None,
    ) -> Answering:
        """In another form than the client's, or with another result, which `told` says."""
        if body and not self.is_flowing:
            reason = (
                f"the agent '{found.agent.name}' speaks otherwise since a moment ago; ask again"
            )
            return self._refused(speech, Deny(503, "agent_unavailable", reason))
        target, way = target_of(request, found)
        changes = told
        if told is None and self._assigned is not None and is_owned(request):
            changes = self._assigned.changes(request.operation)
        interpreter = Interpreter(request, target, change=changes)
        is_named = request.binding is Binding.GRPC  # the tenant says whom the gateway is to ask
        call = interpreter.call(way.tenant if is_named or way.tenant else None)
        if isinstance(call, Fault):
            return speech.fault(call)
        self._reads(interpreter, request, target, None if extended is None else extended.changed)
        return self._otherwise(request, call, body, Spoken(found, target, way))

    def _otherwise(self, request: A2aRequest, call: Call, body: bytes, spoken: Spoken) -> Direct:
        """It is said to the agent so; somebody reads the answer."""
        found, target, way = spoken
        self._oversee(request)
        self.is_sent = self.is_flowing = True
        cluster = ""
        if is_bridged(request.binding, target.binding):
            cluster = names.service_cluster(names.a2a_service(found.agent.name))
        head = (*set_headers(call, way, cluster), *hops.told(self._facts, request))
        gone = removed_headers(call, cluster)
        turns: tuple[str, ...] = ()
        if self._assigned is not None and not cluster:
            turns = self._assigned.turns(found, (target.binding, target.revision))
        return Direct(
            way.after_body if body else way.after_headers,
            bool(body),
            head,
            gone,
            body=bridged_body(call) if cluster else call.body,
            told=self.admission.told,
            is_flowing=not body,
            turns=turns,
        )

    def _reads(
        self,
        interpreter: Interpreter,
        request: A2aRequest,
        target: Target,
        change: Change | None,
    ) -> None:
        """The answer."""
        self.answer = Interpreted(interpreter, request.binding, target.binding, change)

    async def _listed(
        self, speech: Speech, request: A2aRequest, body: bytes, placing: Placing
    ) -> Action:
        """The tasks of all those that the agent stands for, and that the caller may ask."""
        gathering = Gathering(self._serving, request, placing.owners)
        found = await gathering.listed(placing)
        if found is None:
            return self._listed_through(speech, gathering, body)
        if isinstance(found, Deny):
            return self._refused(speech, found)
        if isinstance(found, Fault):
            return speech.fault(found)
        return await self._reviewing.whole(request, found)

    def _oversee(self, request: A2aRequest) -> bool:
        """The answer is for those who read it, if there are some."""
        overseen = self._reviewing.answer(request, self.answer)
        self.answer = overseen or self.answer
        return overseen is not None

    def _listed_through(self, speech: Speech, gathering: Gathering, body: bytes) -> Action:
        """The same for a client of gRPC: the answer of one of them becomes that of all."""
        spoken, request = gathering.first()
        interpreter = Interpreter(request, spoken.target)
        call = interpreter.call()
        if isinstance(call, Fault):
            return speech.fault(call)
        self._reads(interpreter, request, spoken.target, gathering.changed)
        return self._otherwise(request, call, body, spoken)

    async def _answered(self, speech: Speech, request: A2aRequest, extended: Extended) -> Action:
        """The extended card, which the agent is asked for here."""
        try:
            told = await extended.told(request)
        except NoCard as error:
            return self._refused(speech, broken(extended.found.agent.name, error))
        if isinstance(told, Fault):
            return speech.fault(told)
        return answer(told, request)

    def _refused(self, speech: Speech, deny: Deny) -> Respond:
        self._program.audits.refused(self._facts, deny)
        return speech.refused(deny)


def _no_way(request: A2aRequest, found: Found) -> Fault:
    """Nobody knows how the agent is spoken to."""
    message = f"the agent '{found.agent.name}' is nowhere where the gateway may ask it"
    return request.fault(ErrorKind.UNSUPPORTED_OPERATION, message)
