"""Which of those that an agent stands for has a request: who was chosen or, where there was no
connection to that one, another of the same agent, to whom Envoy then gave it.

Others get only what is the same for them: a message that belongs to nobody yet, at the same path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from extproc.a2a import substitution
from extproc.a2a.operations import Operation
from extproc.a2a.owners import shown
from extproc.a2a.substitution import Substitution
from extproc.a2a_exchange.owning import is_nobody
from extproc.a2a_serving.directory import Found
from extproc.a2a_serving.serving import Serving
from extproc.a2a_serving.turns import ALONE, turns
from extproc.events import ResponseHeaders
from gateway.a2a import Binding, Member, Revision


class Assigned:
    """One request."""

    __slots__ = ("_has_begun", "_others", "_serving", "_turns", "member")

    def __init__(self, serving: Serving, member: Member, others: Sequence[Member] = ()) -> None:
        """`others`: of the same agent, who may get it too, in their order."""
        self._serving = serving
        self.member = member
        self._others = others
        self._turns = ALONE
        self._has_begun = False
        """It counts among what that one works at."""

    def alone(self) -> str:
        """Nobody else may get it than the one of this key."""
        self._others = ()
        return self.member.key

    def begin(self) -> None:
        """It works at it from now on."""
        self._serving.chooser.begin(self.member.agent.name)
        self._has_begun = True

    def end(self) -> None:
        """The request is over."""
        if self._has_begun:
            self._serving.chooser.end(self.member.agent.name)

    def turns(self, found: Found, spoken: tuple[Binding, Revision]) -> tuple[str, ...]:
        """The clusters of all who may get it, in order; empty: the one alone. `found`: the one that
        was chosen."""
        if self._others:
            directory = self._serving.directory
            self._turns = turns(directory, self.member, found, spoken, self._others)
        return tuple(self._turns)

    def answered(self, event: ResponseHeaders) -> None:
        """By whom, as Envoy says. Those to whom there was no connection are asked for their cards
        at once."""
        if event.cluster in self._turns:
            for cluster, member in self._turns.items():
                if cluster == event.cluster:
                    self._moved(member)
                    break
                self._serving.directory.doubt(member.agent.name)
        if is_nobody(event):
            self._serving.directory.doubt(self.member.agent.name)

    def shown(self) -> Substitution:
        """What becomes of the ids in its answer, once that has begun."""
        return shown(self.member.key)

    def changes(self, operation: Operation) -> Callable[[object], object]:
        """The same of a result in 1.0."""
        return lambda result: substitution.in_result(operation, result, self.shown())

    def _moved(self, member: Member) -> None:
        if member is not self.member:
            self.end()
            self.member = member
            self.begin()
