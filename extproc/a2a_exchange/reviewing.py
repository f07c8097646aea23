"""Who reads a request for an agent, and what the agent answers: guards, and rules of responses."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from msgspec import structs

from extproc.a2a.requests import A2aRequest
from extproc.a2a_exchange import reading
from extproc.a2a_exchange.judging import Judges, overseers_of
from extproc.a2a_exchange.overseeing import AsItIs, OverseenAnswer, Source
from extproc.a2a_serving.saying import Speech
from extproc.a2a_serving.serving import Serving
from extproc.events import Action, Respond
from extproc.facts import A2aCall, Facts
from extproc.later import later
from extproc.policies.inquiry import Inquiry
from extproc.program import Program
from extproc.verdict import Deny


class Passed(NamedTuple):
    """A request past the guards."""

    request: A2aRequest
    body: bytes
    is_changed: bool


Found: TypeAlias = Passed | Deny


class Reviewing:
    """Of one HTTP request."""

    __slots__ = ("_facts", "_overseers", "_program", "_serving")

    def __init__(self, program: Program, serving: Serving, facts: Facts) -> None:
        self._program, self._serving, self._facts = program, serving, facts
        self._overseers = overseers_of(program, serving)

    def sent(
        self, request: A2aRequest, body: bytes, behind: str
    ) -> Found | Awaitable[Found] | None:
        """What goes on past the guards; None: none reads it. `behind`: what of the path is behind
        the agent's name."""
        guards, facts = self._serving.guards, self._facts
        if guards is None or not guards.reads_requests(facts, request):
            return None

        def passed(found: bytes | Deny) -> Found:
            if isinstance(found, Deny):
                return found
            if found is body:
                return Passed(request, body, False)
            changed = reading.read(request.binding, facts, behind, found)
            assert isinstance(changed, A2aRequest), "texts alone have changed"
            return Passed(changed, found, True)

        judged = guards.sent(facts, request, body)
        if isinstance(judged, Inquiry):
            return later(self._program.inquirer.settled(judged), passed)
        return passed(judged)

    def may_read(self, agents: Iterable[str]) -> bool:
        """Whether somebody may read what one of the agents says, before it is known what is
        asked."""
        overseers = self._overseers
        if overseers is None:
            return False
        calls = (A2aCall("", agent) for agent in agents)
        return any(overseers.reads(structs.replace(self._facts, a2a=each)) for each in calls)

    def answer(self, request: A2aRequest, source: Source | None) -> OverseenAnswer | None:
        """The answer, for those who read it; None: nobody does. `source`: who changes it before."""
        found: OverseenAnswer | None = None
        for judges in self._judges(request):
            speech = Speech(request.binding, request.revision, request.raw_id)
            found = OverseenAnswer(judges, speech, found or source or AsItIs())
        return found

    async def whole(self, request: A2aRequest, answer: Respond) -> Action:
        """The same of one that is there at once."""
        told: Action = answer
        for judges in self._judges(request):
            if not isinstance(told, Respond) or told.status != answer.status:
                break  # somebody has refused it
            speech = Speech(request.binding, request.revision, request.raw_id)
            judged = OverseenAnswer(judges, speech, AsItIs()).whole(told)
            told = await judged if isinstance(judged, Awaitable) else judged
        return told

    def _judges(self, request: A2aRequest) -> Iterator[Judges]:
        """Of the agent that answers; where all in a group do, of each: a group is no way around
        what is said of them."""
        overseers, call = self._overseers, self._facts.a2a
        if overseers is None or call is None:
            return
        asked = self._serving.directory.agents[call.agent].pool
        calls = [call]
        if asked is not None and asked.is_group:
            calls = [structs.replace(call, agent=name, group=call.agent) for name in asked.names]
        for each in calls:
            facts = self._facts if each is call else structs.replace(self._facts, a2a=each)
            if overseers.read(facts, request.operation):
                yield Judges(overseers, facts, request.operation, request.binding)
