"""What a call of a tool, a prompt or a resource takes of limits and budgets, until it is over."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeAlias

from extproc.facts import Facts
from extproc.later import later
from extproc.policies.budget import NOTHING_HELD, Held
from extproc.policies.limit import NOTHING_TAKEN, Taken
from extproc.program import Program
from extproc.told import Told
from extproc.verdict import Deny

Refusal: TypeAlias = Deny | None


class Admission:
    """Of one HTTP request, which calls one thing at most."""

    __slots__ = ("_held", "_is_closed", "_program", "_taken")

    def __init__(self, program: Program) -> None:
        self._program = program
        self._taken: Taken = NOTHING_TAKEN
        self._held: Held = NOTHING_HELD
        self._is_closed = False

    @property
    def told(self) -> tuple[Told, ...]:
        """Where the caller's limits stand, for the headers of the answer."""
        return self._taken.told

    @property
    def holds_place(self) -> bool:
        """It counts among what is open at once, until it is over."""
        return self._taken.holds_place

    def take(self, facts: Facts, money: int, size_bytes: int) -> Refusal | Awaitable[Refusal]:
        """Why it may not be now; None: it may. `money` is what it costs, in nanodollars."""
        taken = self._program.limits.take(facts, None, size_bytes)
        if isinstance(taken, Taken | Deny):
            return self._limited(facts, money, taken)
        return later(taken, lambda found: self._limited(facts, money, found))

    def on_close(self) -> None:
        """It is over; what was sent is paid."""
        self._is_closed = True
        self._taken.leave()
        self._held.settle_estimate()

    def _limited(
        self, facts: Facts, money: int, taken: Taken | Deny
    ) -> Refusal | Awaitable[Refusal]:
        if isinstance(taken, Deny):
            return taken
        self._taken = taken
        held = self._program.budgets.begin_call(facts, money)
        if isinstance(held, Held | Deny):
            return self._reserved(held)
        return later(held, self._reserved)

    def _reserved(self, held: Held | Deny) -> Refusal:
        if isinstance(held, Deny):
            self._taken.leave()
            return held
        if self._is_closed:  # who asked has gone meanwhile: nothing was sent
            held.release()
            self._taken.leave()
        else:
            self._held = held
        return None
