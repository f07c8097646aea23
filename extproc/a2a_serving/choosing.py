"""Which of those that an agent stands for gets what belongs to nobody yet.

Among those that are well: by how much they work at, by weight, or the first. A conversation that a
client has named goes to the same one whoever is asked, in this worker and in any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from extproc.a2a_serving.directory import Directory
from extproc.rendezvous import most_preferred
from gateway.a2a import Choosing, Member


class Chooser:
    """Of a program; knows what its members work at."""

    __slots__ = ("_busy", "_choose", "_directory")

    def __init__(self, directory: Directory, choose: Callable[[], float]) -> None:
        """`choose` gives numbers in [0, 1)."""
        self._directory = directory
        self._choose = choose
        self._busy: dict[str, int] = {}
        """Requests that this worker has sent, and that are not over, by the name of the place."""

    def chosen(self, among: Sequence[Member], choosing: Choosing, context: str = "") -> Member:
        """One of them, at least one. `context`: what the client calls the conversation, if it has
        named one."""
        left = _first(self._well(among))
        if len(left) == 1:
            return left[0]
        if context:
            name = most_preferred(context, {each.agent.name: each.weight for each in left})
            return next(each for each in left if each.agent.name == name)
        if choosing is Choosing.WEIGHTED:
            return self._drawn(left)
        least = min(map(self._load, left))
        return self._drawn([each for each in left if self._load(each) == least])

    def begin(self, name: str) -> None:
        """Something was sent to that place."""
        self._busy[name] = self._busy.get(name, 0) + 1

    def end(self, name: str) -> None:
        """It is over."""
        self._busy[name] -= 1

    def _well(self, among: Sequence[Member]) -> Sequence[Member]:
        """Where none is, any may be by now."""
        ill = self._directory.ill
        return [each for each in among if each.agent.name not in ill] or among if ill else among

    def _load(self, member: Member) -> float:
        return self._busy.get(member.agent.name, 0) / member.weight

    def _drawn(self, among: Sequence[Member]) -> Member:
        drawn = self._choose() * sum(each.weight for each in among)
        for each in among:
            drawn -= each.weight
            if drawn < 0:
                return each
        return among[-1]


def _first(among: Sequence[Member]) -> Sequence[Member]:
    """Of each agent the instances whose turn it is, then of all the agents whose place it is."""
    for each in among:
        if each.turn or each.place:
            break
    else:  # in no order
        return among
    turns: dict[str, int] = {}
    for each in among:
        turns[each.of] = min(each.turn, turns.get(each.of, each.turn))
    left = [each for each in among if each.turn == turns[each.of]]
    place = min(each.place for each in left)
    return [each for each in left if each.place == place]
