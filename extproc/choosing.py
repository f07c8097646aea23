"""Which targets serve a model, in order: the model that was asked for, and what is known of the
request → the targets that it is tried at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar, assert_never

from msgspec import Struct, structs

from extproc.facts import Facts
from extproc.latencies import Latencies, Tried
from extproc.named import Models, Named
from extproc.policies.budget import DEFAULT_OUTPUT_TOKENS
from extproc.policies.variables import ESTIMATE, Sources, getters, known_values, sources
from extproc.rendezvous import preferred
from extproc.turns import AS_WRITTEN, Turns
from gateway.catalog import cost
from gateway.cel import (
    CelError,
    Expression,
    TextExpression,
    bind,
    compile_expression,
    compile_text,
)
from gateway.choice import (
    STICKY_HEADER,
    Cheapest,
    Choice,
    Conditional,
    Fastest,
    InTurn,
    One,
    Weighted,
    expressions,
    is_priced,
    is_timed,
)
from gateway.model import Model, Target
from gateway.price import Price
from gateway.usage import Usage


class InvalidModel(Exception):
    """A model reached the request path whose expressions do not compile; the check lets none."""


class Chosen(Struct, frozen=True):
    """The targets of a request, in order; none, when no condition of the model holds."""

    targets: tuple[Target, ...]
    places: tuple[int, ...]
    """Of each target, among all that might have been chosen (`gateway.choice.One`)."""
    is_fixed: bool
    """Nothing was to be chosen: they are the same for every request for this model."""
    order: tuple[int, ...] = ()
    """In which they are tried, by their index, when some are set aside; empty: as they stand."""


class World(Struct, frozen=True):
    """What a choice depends on, beside the request."""

    choose: Callable[[], float]
    """Gives numbers in [0, 1)."""
    price: Callable[[Target], Price | None]
    latencies: Latencies
    turns: Turns = AS_WRITTEN


class _Asked(Struct, frozen=True):
    """One request for a model."""

    facts: Facts
    named: Named


_Checked = TypeVar("_Checked", Expression, TextExpression)
_Turns = tuple[One, ...]
_Choose = Callable[[_Asked], _Turns]


class Chooser:
    """The models of a program."""

    def __init__(self, models: Sequence[Model], world: World) -> None:
        compile_ = _Compiler(models, world)
        self._models = Models(models)
        self._world = world
        self.turns = world.turns
        self._fixed = {
            model.name: structs.replace(
                _chosen(tuple(tier[0] for tier in model.tiers)), is_fixed=True
            )
            for model in models
            if "*" not in model.name
            and model.choice is None
            and not model.is_internal
            and all(len(tier) == 1 for tier in model.tiers)
        }
        """Of the models that leave nothing to choose."""
        self._choices = {
            each.name: compile_.choice(each.choice) for each in models if each.choice is not None
        }
        self._names = compile_.names
        self._is_priced = any(is_priced(each.choice) for each in models)
        self.is_timed = any(is_timed(each.choice) for each in models)
        """Whether some model is to be fast, and has to be told who was."""

    def reads(self, name: str) -> bool:
        """Whether some choice depends on this variable."""
        return name in self._names or (name == ESTIMATE and self._is_priced)

    def knows(self, asked: str) -> bool:
        """Whether there is such a model."""
        return self._found(asked) is not None

    def targets(self, asked: str, facts: Facts) -> Chosen | None:
        """None: nobody serves it."""
        fixed = self._fixed.get(asked)
        if fixed is not None:
            return fixed
        found = self._found(asked)
        if found is None:
            return None
        choose = self._choices.get(found.model.name)
        if choose is not None:
            turns = choose(_Asked(facts, found))
            return Chosen(
                tuple(each.target for each in turns), tuple(each.place for each in turns), False
            )
        return _chosen(self._by_weight(found))

    def _found(self, asked: str) -> Named | None:
        """An internal one hides those of its name."""
        found = self._models.find(asked)
        return None if found is None or found.model.is_internal else found

    def _by_weight(self, found: Named) -> Iterable[Target]:
        for written in found.model.tiers:
            tier = [_filled(target, found) for target in written]
            if len(tier) == 1:
                yield tier[0]
            else:
                weights = [target.weight for target in tier]
                yield tier[_drawn(weights, self._world, tier.__getitem__)]


class _Compiler:
    """Choices made ready for requests."""

    def __init__(self, models: Sequence[Model], world: World) -> None:
        self._world = world
        found = [expressions(each.choice) for each in models if each.choice is not None]
        self._conditions = {
            text: _compiled(compile_expression(text), text) for each, _ in found for text in each
        }
        self._texts = {
            text: _compiled(compile_text(text), text) for _, each in found for text in each
        }
        used: tuple[Expression | TextExpression, ...] = (
            *self._conditions.values(),
            *self._texts.values(),
        )
        headers = frozenset[str]().union(*(each.headers for each in used))
        self._getters = getters(headers)
        self.names = frozenset[str]().union(*(each.names for each in used))

    def choice(self, choice: Choice) -> _Choose:
        match choice:
            case One():
                return lambda asked: (replace(choice, target=_filled(choice.target, asked.named)),)
            case InTurn():
                parts = self._all(choice.choices)
                return lambda asked: tuple(turn for part in parts for turn in part(asked))
            case Weighted():
                return self._sticky(choice) if choice.sticky else self._weighted(choice)
            case Conditional():
                return self._conditional(choice)
            case Cheapest():
                return self._cheapest(choice)
            case Fastest():
                return self._fastest(choice)
            case _:
                assert_never(choice)

    def _all(self, choices: Iterable[Choice]) -> tuple[_Choose, ...]:
        return tuple(map(self.choice, choices))

    def _weighted(self, choice: Weighted) -> _Choose:
        parts = self._all(each.choice for each in choice.shares)
        weights, world = [each.weight for each in choice.shares], self._world

        def turns(asked: _Asked) -> _Turns:
            found: dict[int, _Turns] = {}

            def first(place: int) -> Target | None:
                found[place] = parts[place](asked)
                return found[place][0].target if found[place] else None

            return found[_drawn(weights, world, first)]

        return turns

    def _sticky(self, choice: Weighted) -> _Choose:
        parts = {each.reference: self.choice(each.choice) for each in choice.shares}
        weights = {each.reference: each.weight for each in choice.shares}
        key_of, choose = self._key(choice.sticky), self._world.choose

        def turns(asked: _Asked) -> _Turns:
            key = key_of(asked.facts) or f"by chance: {choose()}"
            return tuple(turn for name in preferred(key, weights) for turn in parts[name](asked))

        return turns

    def _key(self, sticky: str) -> Callable[[Facts], str]:
        """What a request sticks by; empty: it has none."""
        if sticky.startswith(STICKY_HEADER):
            header = sticky.removeprefix(STICKY_HEADER)
            return lambda facts: facts.headers.get(header, "")
        match sticky:
            case "key":
                return lambda facts: facts.principal.key if facts.principal else ""
            case "user":
                return lambda facts: facts.principal.user if facts.principal else ""
            case "team":
                return lambda facts: facts.principal.team if facts.principal else ""
        expression = self._texts[sticky]
        read = self._sources([expression])

        def evaluated(facts: Facts) -> str:
            found = expression.evaluate(known_values(read, facts))
            return "" if isinstance(found, CelError) else found

        return evaluated

    def _conditional(self, choice: Conditional) -> _Choose:
        branches = [
            (None if each.when is None else self._conditions[each.when], self.choice(each.choice))
            for each in choice.branches
        ]
        read = self._sources([condition for condition, _ in branches if condition])

        def turns(asked: _Asked) -> _Turns:
            bindings = bind(known_values(read, asked.facts))
            for condition, part in branches:
                if condition is None or condition.evaluate_bound(bindings) is True:
                    return part(asked)
            return ()

        return turns

    def _cheapest(self, choice: Cheapest) -> _Choose:
        parts, price = self._all(choice.choices), self._world.price

        def turns(asked: _Asked) -> _Turns:
            usage = _usage(asked.facts)
            found = [turns for part in parts if (turns := part(asked))]
            prices = [price(turns[0].target) for turns in found]
            costs = [(True, 0) if each is None else (False, cost(each, usage)) for each in prices]
            return _in_order(found, sorted(range(len(found)), key=costs.__getitem__))

        return turns

    def _fastest(self, choice: Fastest) -> _Choose:
        parts, world = self._all(choice.choices), self._world

        def turns(asked: _Asked) -> _Turns:
            found = [turns for part in parts if (turns := part(asked))]
            first = [Tried(turns[0].target.provider, turns[0].target.model) for turns in found]
            return _in_order(found, world.latencies.order(first, world.choose))

        return turns

    def _sources(self, used: Sequence[Expression | TextExpression]) -> Sources:
        names = dict.fromkeys(name for each in used for name in sorted(each.names))
        return sources(names, self._getters)


def _compiled(found: _Checked | str, text: str) -> _Checked:
    if isinstance(found, str):
        raise InvalidModel(f"{text!r}: {found}")
    return found


def _in_order(found: Sequence[_Turns], order: Iterable[int]) -> _Turns:
    return tuple(turn for place in order for turn in found[place])


def _usage(facts: Facts) -> Usage:
    """What a request is thought to take."""
    limit = facts.max_output_tokens
    each = DEFAULT_OUTPUT_TOKENS if limit is None else max(0, limit)
    return structs.replace(
        facts.demands, input_tokens=facts.estimated_input_tokens, output_tokens=each * facts.choices
    )


def _chosen(targets: Iterable[Target]) -> Chosen:
    found = tuple(targets)
    return Chosen(found, tuple(range(1, len(found) + 1)), False)


def _filled(target: Target, named: Named) -> Target:
    if named.matched is None:
        return target
    return Target(target.provider, named.filled(target.model), target.weight)


def _drawn(weights: Sequence[int], world: World, first: Callable[[int], Target | None]) -> int:
    """A place by chance, of those whose first target is not set aside; of all, when all are."""
    left = list(range(len(weights)))
    drawn = place = _by_chance(weights, world.choose())
    while (target := first(place)) is not None and not world.turns.is_open(target):
        left.remove(place)
        if not left:
            return drawn
        place = left[_by_chance([weights[each] for each in left], world.choose())]
    return place


def _by_chance(weights: Sequence[int], chosen: float) -> int:
    left = chosen * sum(weights)
    for place, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return place
    return len(weights) - 1
