"""Which targets are set aside, because they failed, and how they come back.

A target that failed several times in a row, or said when to come back, is set aside for a while:
others are tried before it. Then one request at a time probes it; when one is answered, a tenth of
the requests go there first, then half, then all. What is decided is in functions over frozen
phases; `Health` keeps them, for one worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.failover import HealthRules
from gateway.model import Target

logger = logging.getLogger(__name__)

PROBE_SECONDS = 10.0
"""After which a probe of which nothing was heard is followed by another."""
WATCH_SECONDS = 0.1
"""How often an answer of a target is looked at against which nothing is held."""
SHARES = (0.1, 0.5)
"""Of the requests that go to a target which is coming back, each for half a cool-down."""
_MOST_SPELLS = 32
_MOST_STATES = 10_000
"""Clients choose the names that stand for `*`, so targets have no natural end."""

Key: TypeAlias = tuple[str, str]
"""A provider and the name of a model there."""


@dataclass(frozen=True, slots=True)
class Failing:
    """It failed so many times in a row, and is not set aside yet."""

    failures: int


@dataclass(frozen=True, slots=True)
class Aside:
    """Others are tried before it; after `until`, one request at a time probes it."""

    until: float
    spell: int
    """How many times in a row it was set aside without coming back."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A request is on its way to it, of which something will be heard until then."""

    until: float
    spell: int


@dataclass(frozen=True, slots=True)
class Returning:
    """A probe was answered."""

    since: float
    spell: int


Phase: TypeAlias = Failing | Aside | Probed | Returning | None
"""None: nothing is held against it."""


def turn(phase: Phase, now: float, rules: HealthRules, chance: float) -> tuple[bool, Phase]:
    """Whether a target that would be tried first is, and what it is then."""
    match phase:
        case None | Failing():
            return True, phase
        case Aside(until, spell) | Probed(until, spell):
            return (False, phase) if now < until else (True, Probed(now + PROBE_SECONDS, spell))
        case Returning(since, _):
            stage = int((now - since) / (rules.cool_down_seconds / len(SHARES)))
            if stage >= len(SHARES):
                return True, None
            return chance < SHARES[max(0, stage)], phase


def is_ready(phase: Phase, now: float) -> bool:
    """Whether a target behind others keeps its place."""
    return not isinstance(phase, Aside | Probed) or now >= phase.until


def after_failure(
    phase: Phase, now: float, rules: HealthRules, told: float | None, chance: float
) -> Phase:
    """`told`: for how long the provider wants to be left alone."""
    spell = 0
    match phase:
        case None:
            failures = 1
        case Failing(before):
            failures = before + 1
        case Aside(until, spell) if now < until:  # it was under way
            end = until if told is None else max(until, now + min(told, rules.most_seconds))
            return Aside(end, spell)
        case Aside(_, spell) | Probed(_, spell) | Returning(_, spell):
            failures = rules.failures
    if told is not None:
        return Aside(now + min(told, rules.most_seconds), spell)
    if failures < rules.failures:
        return Failing(failures)
    spell = min(spell + 1, _MOST_SPELLS)
    return Aside(now + cool_down(rules, spell, chance), spell)


def after_success(phase: Phase, now: float, rules: HealthRules) -> Phase:
    """What it answered, it answered as a provider that works."""
    match phase:
        case None | Failing():
            return None
        case Aside(until, spell):  # what was under way says nothing of now
            return phase if now < until else Returning(now, spell)
        case Probed(_, spell):
            return Returning(now, spell)
        case Returning(since, _):
            return None if now - since >= rules.cool_down_seconds else phase


def cool_down(rules: HealthRules, spell: int, chance: float) -> float:
    """Twice as long each time, and never for all at the same moment: 80 % to 120 % of it."""
    longest = rules.cool_down_seconds * 2 ** (spell - 1)
    return float(min(rules.most_seconds, longest * (0.8 + 0.4 * chance)))


class States:
    """What is held against targets; outlives the programs that read it."""

    __slots__ = ("phases", "watched")

    def __init__(self) -> None:
        self.phases: dict[Key, Phase] = {}
        self.watched: dict[Key, float] = {}
        """When an answer of those was last looked at."""


class Health:
    """The targets of a program."""

    __slots__ = ("_choose", "_clock", "_phases", "_rules", "_watched")

    def __init__(
        self,
        rules: HealthRules,
        states: States,
        clock: Callable[[], float],
        choose: Callable[[], float],
    ) -> None:
        """`clock` gives seconds that never go back, `choose` numbers in [0, 1)."""
        self._rules = rules
        self._phases = states.phases
        self._watched = states.watched
        self._clock = clock
        self._choose = choose

    @property
    def is_asked(self) -> bool:
        """Whether anything is ever set aside."""
        return self._rules.failures > 0

    def is_due(self, keys: Sequence[Key]) -> bool:
        """Whether it has to be known what becomes of a request to these targets, in this order.

        To look at an answer costs both sides some 15 µs, so where all is well, not all are.
        """
        phases, watched, now = self._phases, self._watched, self._clock()
        if phases and any(key in phases for key in keys):
            return True
        if now - watched.get(keys[0], -WATCH_SECONDS) < WATCH_SECONDS:
            return False
        if len(watched) >= _MOST_STATES:
            watched.clear()
        watched[keys[0]] = now
        return True

    def order(self, targets: Sequence[Target]) -> tuple[int, ...] | None:
        """The order in which they are tried, by their index; None: as they are.

        None is left out: when all are set aside, they are tried as they are.
        """
        phases = self._phases
        if not phases or len(targets) < 2:
            return None
        first: list[int] = []
        last: list[int] = []
        now = self._clock()
        for index, target in enumerate(targets):
            key = target.provider, target.model
            phase = phases.get(key)
            if phase is None:
                first.append(index)
                continue
            if first:
                is_in_turn = is_ready(phase, now)
            else:
                is_in_turn, then = turn(phase, now, self._rules, self._choose())
                self._keep(key, phase, then)
            (first if is_in_turn else last).append(index)
        return (*first, *last) if first and last else None

    def is_open(self, target: Target) -> bool:
        """Whether it may be asked, where others can be in its place."""
        phase = self._phases.get((target.provider, target.model)) if self._phases else None
        return phase is None or turn(phase, self._clock(), self._rules, self._choose())[0]

    def asked(self, target: Target) -> None:
        """A request goes there and nowhere else, though others were to choose from."""
        key = target.provider, target.model
        phase = self._phases.get(key) if self._phases else None
        if phase is not None:
            self._keep(key, phase, turn(phase, self._clock(), self._rules, self._choose())[1])

    def failed(self, provider: str, model: str, told: float | None) -> None:
        """The target failed; `told` is for how long it wants to be left alone."""
        if not self.is_asked:
            return
        key = provider, model
        phase = self._phases.get(key)
        then = after_failure(phase, self._clock(), self._rules, told, self._choose())
        self._keep(key, phase, then)

    def lost(self, provider: str, model: str) -> None:
        """It cannot be reached at all: who asks it gets an error, so nobody else is to."""
        for _ in range(self._rules.failures):
            self.failed(provider, model, None)

    def succeeded(self, provider: str, model: str) -> None:
        """The target answered."""
        if not self._phases:
            return
        key = provider, model
        phase = self._phases.get(key)
        if phase is not None:
            self._keep(key, phase, after_success(phase, self._clock(), self._rules))

    def _keep(self, key: Key, phase: Phase, then: Phase) -> None:
        if then == phase:
            return
        _say(key, phase, then, self._clock())
        if then is None:
            self._phases.pop(key, None)
            return
        if key not in self._phases and len(self._phases) >= _MOST_STATES:
            self._phases.pop(next(iter(self._phases)))
        self._phases[key] = then


def _say(key: Key, phase: Phase, then: Phase, now: float) -> None:
    provider, model = key
    if isinstance(then, Aside) and then != phase:
        logger.info("%s/%s is set aside for %.1f s", provider, model, then.until - now)
    elif isinstance(then, Returning):
        logger.info("%s/%s answers again; a part of the requests goes there", provider, model)
    elif then is None and isinstance(phase, Returning):
        logger.info("%s/%s is back", provider, model)
