"""Requests for an agent that stands for several: whose they are, or who gets them, and how they say
to it what its own ids are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import Final, TypeAlias

from msgspec import Struct, structs

from extproc.a2a import grpc_frames
from extproc.a2a.edits import Carried, Edit, edited, with_ids, with_own_ids
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.owners import Owners
from extproc.a2a.requests import A2aRequest
from extproc.a2a_exchange import reading
from extproc.a2a_serving.directory import Found
from extproc.a2a_serving.serving import Serving
from extproc.a2a_serving.standing import Standing
from extproc.facts import A2aCall, Facts
from extproc.program import Program
from extproc.verdict import Deny
from gateway.a2a import A2aAgent, Binding, Member, Pool

_MOST_OTHERS: Final = 2
Refused: TypeAlias = Deny | Fault


class Carrier(Struct, frozen=True):
    """How a request came: what of its path is behind the agent, its query, its body."""

    behind: str
    query: str
    body: bytes


class Placing:
    """Of one request. `agent` has a pool."""

    __slots__ = ("_agent", "_among", "_facts", "_pool", "_program", "_serving", "owners")

    def __init__(
        self,
        program: Program,
        serving: Serving,
        facts: Facts,
        agent: A2aAgent,
    ) -> None:
        assert agent.pool is not None
        self._program, self._serving, self._facts = program, serving, facts
        self._agent, self._pool = agent, agent.pool
        self._among: Sequence[Member] = ()
        """Who can take it, where it belongs to nobody yet."""
        self.owners: Owners = serving.owners[agent.name]

    @property
    def name(self) -> str:
        """What clients call the agent."""
        return self._agent.name

    @property
    def pool(self) -> Pool:
        """Among whom."""
        return self._pool

    def placed(self, request: A2aRequest) -> Member | Refused | Awaitable[Member | Refused]:
        """Who gets it, as the facts say from then on. What names a task that says nobody's name is
        for the first, who may have had it before there were others."""
        key = self.owners.asked(request)
        members = self._pool.members
        if key:
            return self._allowed([each for each in members if each.key == key])
        if request.task_id:
            return self._allowed(members[:1])
        standing = self._serving.standings.of(self._agent)
        if standing.is_known:
            return self._chosen(request, standing)
        return self._chosen_later(request)

    def others(self, request: A2aRequest, member: Member) -> Sequence[Member]:
        """Who may get a message that belongs to nobody yet where there is no connection to that
        one: instances of the same agent that are well, in their order."""
        if not self._among or not OPERATIONS[request.operation].has_message:
            return ()
        ill, chooser = self._serving.directory.ill, self._serving.chooser
        left = [
            each
            for each in self._among
            if each is not member and each.of == member.of and each.agent.name not in ill
        ]
        found: list[Member] = []
        while len(left) > 1 and len(found) < _MOST_OTHERS:
            found.append(chooser.chosen(left, self._pool.choosing, request.context_id))
            left.remove(found[-1])
        return [*found, *left][:_MOST_OTHERS]

    def seen(self) -> Iterator[Member]:
        """Those that the caller may ask."""
        for each in self._pool.members:
            if not isinstance(self._verdict(each), Deny):
                yield each

    async def _chosen_later(self, request: A2aRequest) -> Member | Refused:
        await self._serving.directory.asked_all((self._agent.name,))
        return self._chosen(request, self._serving.standings.of(self._agent))

    def _chosen(self, request: A2aRequest, standing: Standing) -> Member | Refused:
        """Of those that can take it."""
        fitting = self._fitting(request, standing.told)
        if isinstance(fitting, Deny | Fault):
            return fitting
        self._among = fitting
        return self._allowed(fitting, request.context_id)

    def _allowed(self, among: Sequence[Member], named: str = "") -> Member | Refused:
        """One of them whom the caller may ask. `named`: a context that the client has named."""
        left = list(among)
        denied: Deny | None = None
        while left:
            member = self._serving.chooser.chosen(left, self._pool.choosing, named)
            verdict = self._verdict(member)
            if not isinstance(verdict, Deny):
                if self._pool.is_group:
                    self._facts.a2a = self._of(member)
                return member
            denied = denied or verdict
            left = [each for each in left if each.of != member.of]
        assert denied is not None
        return denied

    @property
    def _call(self) -> A2aCall:
        call = self._facts.a2a
        assert call is not None
        return call

    def _of(self, member: Member) -> A2aCall:
        """What is asked of an agent in a group."""
        return structs.replace(self._call, agent=member.of, group=self._agent.name)

    def _verdict(self, member: Member) -> Deny | None:
        """What rules say of an agent in a group; of instances they have said it."""
        if not self._pool.is_group:
            return None
        facts = structs.replace(self._facts, a2a=self._of(member))
        verdict = self._program.rules.early.on_request(facts)
        return verdict if isinstance(verdict, Deny) else None

    def _fitting(
        self, request: A2aRequest, told: Sequence[tuple[Member, Found]]
    ) -> list[Member] | Refused:
        """Those that can take a message."""
        call = self._call
        if not told:
            directory = self._serving.directory
            members = (each for each in self._pool.members if not each.is_draining)
            reasons = (directory.health(each.agent.name).reason for each in members)
            why = next(filter(None, reasons), "")
            reason = f"the agent '{self._agent.name}' tells no card: {why}"
            return Deny(503, "agent_unavailable", reason)
        if not self._pool.is_group:  # one agent, whose modes are looked at later
            return [member for member, _ in _speaking(told, request)]
        if not self._serving.allows_loops:
            told = tuple(pair for pair in told if pair[0].of not in call.chain) or told
        if call.skill:
            told = tuple(pair for pair in told if _has_skill(*pair, call.skill))
            if not told:
                why = f"no agent of '{self._agent.name}' has the skill {call.skill[:64]!r}"
                return request.fault(ErrorKind.UNSUPPORTED_OPERATION, why)
        mismatches = [_mismatch(*pair, request, call) for pair in told]
        left = [pair for pair, mismatch in zip(told, mismatches, strict=True) if mismatch is None]
        if not left:
            return next(each for each in mismatches if each is not None)
        return [member for member, _ in _speaking(left, request)]


def edit_of(request: A2aRequest, member: Member, owners: Owners) -> Edit | None:
    """What of a request must be said otherwise to its owner; None: nothing."""
    task = context = references = None
    if request.task_id:
        task = _other(owners.task(request.task_id).own, request.task_id)
    if request.context_id:
        context = _other(owners.context(request.context_id).own, request.context_id)
    if request.reference_task_ids:
        owned = map(owners.task, request.reference_task_ids)
        its = tuple(
            found.own if found.key == member.key else said
            for said, found in zip(request.reference_task_ids, owned, strict=True)
        )
        references = None if its == request.reference_task_ids else its
    if task is None and context is None and references is None:
        return None
    return Edit(task_id=task, context_id=context, reference_task_ids=references)


def _other(own: str, said: str) -> str | None:
    return None if own == said else own


def said_otherwise(
    request: A2aRequest, carrier: Carrier, edit: Edit, facts: Facts
) -> tuple[A2aRequest, Carrier] | Fault:
    """The request with those changes: read anew, but for messages, whose ids are in the body."""
    body = with_own_ids(request, carrier.body, edit)
    if body is not None:
        return with_ids(request, edit), Carrier(carrier.behind, carrier.query, body)
    headers, is_grpc = facts.headers, request.binding is Binding.GRPC
    body = grpc_frames.read_one(carrier.body, headers) if is_grpc else carrier.body
    said = edited(request, Carried(carrier.behind, carrier.query, body), edit)
    changed = Carrier(said.path, said.query, grpc_frames.frame(said.body) if is_grpc else said.body)
    if request.message is not None:
        return with_ids(request, edit), changed
    found = reading.read(request.binding, facts, changed.behind, changed.body, changed.query)
    return found if isinstance(found, Fault) else (found, changed)


def is_about_all(request: A2aRequest, owners: Owners) -> bool:
    """A list of tasks that are nobody's in particular."""
    return request.operation is Operation.LIST_TASKS and not owners.asked(request)


def _has_skill(member: Member, found: Found, skill: str) -> bool:
    return skill in found.modes.inputs_of and (not member.skills or skill in member.skills)


def _mismatch(member: Member, found: Found, request: A2aRequest, call: A2aCall) -> Fault | None:
    """Why a message is not for its modes."""
    if not OPERATIONS[request.operation].has_message:
        return None
    skills = (call.skill,) if call.skill else tuple(sorted(member.skills)) or ("",)
    accepted = request.accepted_output_modes
    each = [found.modes.mismatch(call.parts, accepted, skill) for skill in skills]
    first = each[0]
    if first is None or None in each:
        return None
    kind = ErrorKind.CONTENT_TYPE_NOT_SUPPORTED
    return Fault(kind, first.message, first.metadata, request.raw_id)


def _speaking(
    told: Sequence[tuple[Member, Found]], request: A2aRequest
) -> Sequence[tuple[Member, Found]]:
    """Those that can be asked, and stream where the client wants a stream; where none does, whoever
    is asked says so."""
    left = [pair for pair in told if pair[1].ways] or told
    if not request.is_stream:
        return left
    return [pair for pair in left if pair[1].card.capabilities.streaming] or left
