"""Targets that fail are set aside, and come back by and by; the clock is a number."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.health import (
    PROBE_SECONDS,
    WATCH_SECONDS,
    Aside,
    Failing,
    Health,
    Probed,
    Returning,
    States,
    after_failure,
    cool_down,
)
from gateway.failover import HealthRules
from gateway.model import Target

RULES = HealthRules(failures=3, cool_down_seconds=10, most_seconds=60)
PAIR = (Target("a", "ma"), Target("b", "mb"))
AS_WRITTEN, TURNED = None, (1, 0)


@dataclass(slots=True)
class World:
    """A worker's health with hands on its clock and its dice."""

    rules: HealthRules = RULES
    now: float = 1000.0
    chance: float = 0.5
    states: States = field(default_factory=States)

    def health(self) -> Health:
        return Health(self.rules, self.states, lambda: self.now, lambda: self.chance)

    def order(self) -> tuple[int, ...] | None:
        return self.health().order(PAIR)

    def fail(self, times: int = 1, told: float | None = None, of: int = 0) -> None:
        for _ in range(times):
            self.health().failed(PAIR[of].provider, PAIR[of].model, told)

    def succeed(self, of: int = 0) -> None:
        self.health().succeeded(PAIR[of].provider, PAIR[of].model)


def test_nothing_is_held_against_who_has_not_failed() -> None:
    world = World()
    world.succeed()
    assert world.order() is AS_WRITTEN
    assert world.states.phases == {}


def test_failures_in_a_row_set_aside() -> None:
    world = World()
    world.fail(2)
    assert world.order() is AS_WRITTEN
    world.fail()
    assert world.order() == TURNED


def test_a_success_between_them_is_a_new_beginning() -> None:
    world = World()
    world.fail(2)
    world.succeed()
    world.fail(2)
    assert world.order() is AS_WRITTEN


def test_one_is_enough_when_the_provider_says_when_to_come_back() -> None:
    world = World()
    world.fail(told=20)
    assert world.order() == TURNED
    world.now += 19.9
    assert world.order() == TURNED
    world.now += 0.2
    assert world.order() is AS_WRITTEN


def test_nobody_is_set_aside_for_longer_than_the_most() -> None:
    world = World()
    world.fail(told=86_400)
    world.now += RULES.most_seconds
    assert world.order() is AS_WRITTEN


def test_one_request_at_a_time_probes() -> None:
    world = World()
    world.fail(3)
    world.now += 10
    assert world.order() is AS_WRITTEN
    assert world.order() == TURNED
    world.now += PROBE_SECONDS  # nothing was heard of it
    assert world.order() is AS_WRITTEN


def test_a_probe_that_fails_sets_aside_for_twice_as_long() -> None:
    world = World()
    world.fail(3)
    world.now += 10
    world.order()
    world.fail()
    world.now += 19
    assert world.order() == TURNED
    world.now += 2
    assert world.order() is AS_WRITTEN


def test_who_answers_again_gets_a_tenth_then_half_then_all() -> None:
    world = World()
    world.fail(3)
    world.now += 10
    world.order()
    world.succeed()
    shares = []
    for _ in range(3):
        taken = 0
        for percent in range(100):
            world.chance = percent / 100
            taken += world.order() is AS_WRITTEN
        shares.append(taken)
        world.now += 5
    assert shares == [10, 50, 100]
    assert world.states.phases == {}


def test_a_failure_on_the_way_back_sets_aside_at_once() -> None:
    world = World()
    world.fail(3)
    world.now += 10
    world.order()
    world.succeed()
    world.fail()
    assert world.order() == TURNED


def test_an_answer_that_was_under_way_ends_nothing() -> None:
    world = World()
    world.fail(told=20)
    world.succeed()
    assert world.order() == TURNED


def test_when_all_are_set_aside_they_are_tried_as_written() -> None:
    world = World()
    world.fail(3)
    world.fail(3, of=1)
    assert world.order() is AS_WRITTEN


def test_who_stands_behind_others_is_ready_again_without_a_probe() -> None:
    world = World()
    world.fail(3, of=1)
    three = (*PAIR, Target("c", "mc"))
    assert world.health().order(three) == (0, 2, 1)
    world.now += 15
    assert world.health().order(three) is AS_WRITTEN
    assert world.health().order(three) is AS_WRITTEN


def test_models_of_one_provider_are_apart() -> None:
    world = World()
    world.fail(3)
    other = (Target("a", "other"), PAIR[0], PAIR[1])
    assert world.health().order(other) == (0, 2, 1)


def test_who_cannot_be_reached_is_set_aside_at_once() -> None:
    world = World()
    world.health().lost("a", "ma")
    assert world.order() == TURNED
    assert world.states.phases[A] == Aside(1010, 1)


def test_a_single_target_is_never_asked_about() -> None:
    world = World()
    world.fail(3)
    assert world.health().order(PAIR[:1]) is AS_WRITTEN


def test_where_others_can_be_chosen_who_is_set_aside_is_not() -> None:
    world = World()
    assert world.health().is_open(PAIR[0])
    world.fail(3)
    assert not world.health().is_open(PAIR[0])
    assert world.health().is_open(PAIR[1])


def test_who_was_chosen_again_is_probed_by_one_request_at_a_time() -> None:
    world = World()
    world.fail(3)
    world.now += 10
    assert world.health().is_open(PAIR[0])
    world.health().asked(PAIR[0])
    assert not world.health().is_open(PAIR[0])
    world.succeed()
    assert not world.health().is_open(PAIR[0])  # a tenth of the requests
    world.chance = 0.05
    assert world.health().is_open(PAIR[0])


def test_zero_failures_is_off() -> None:
    world = World(HealthRules(failures=0))
    world.fail(9, told=20)
    assert world.order() is AS_WRITTEN
    assert not world.health().is_asked


def test_other_rules_keep_what_is_known() -> None:
    world = World()
    world.fail(3)
    world.rules = HealthRules(failures=5)
    assert world.order() == TURNED


def test_no_number_of_names_fills_the_memory() -> None:
    world = World()
    health = world.health()
    for number in range(10_050):
        health.failed("a", f"m{number}", None)
    assert len(world.states.phases) == 10_000


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_cool_down_has_its_bounds(spell: int, chance: float) -> None:
    seconds = cool_down(RULES, min(spell, 32), chance)
    assert 0.8 * RULES.cool_down_seconds <= seconds <= RULES.most_seconds


PHASES = st.one_of(
    st.none(),
    st.builds(Failing, st.integers(1, 2)),
    st.builds(Aside, st.floats(0, 200), st.integers(0, 32)),
    st.builds(Probed, st.floats(0, 200), st.integers(0, 32)),
    st.builds(Returning, st.floats(0, 100), st.integers(0, 32)),
)


@given(
    PHASES,
    st.floats(0, 200),
    st.one_of(st.none(), st.floats(0.001, 1e6)),
    st.floats(0, 1, exclude_max=True),
)
def test_no_failure_brings_anybody_back(
    phase: Aside | Failing | Probed | Returning | None,
    now: float,
    told: float | None,
    chance: float,
) -> None:
    then = after_failure(phase, now, RULES, told, chance)
    assert isinstance(then, Failing | Aside)
    if isinstance(then, Aside) and then != phase:
        assert now < then.until <= max(now + RULES.most_seconds, getattr(phase, "until", 0))


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("fail"), st.one_of(st.none(), st.floats(0.1, 1000))),
            st.tuples(st.just("succeed"), st.none()),
            st.tuples(st.just("ask"), st.none()),
            st.tuples(st.just("wait"), st.floats(0, 100)),
        ),
        max_size=60,
    )
)
def test_whoever_works_again_comes_back(steps: list[tuple[str, float | None]]) -> None:
    world = World()
    for what, number in steps:
        match what:
            case "fail":
                world.fail(told=number)
            case "succeed":
                world.succeed()
            case "ask":
                assert world.order() in (AS_WRITTEN, TURNED)
            case _:
                world.now += number or 0
    world.chance = 0.99
    for _ in range(3):  # the longest time aside, the probe, the way back
        world.now += RULES.most_seconds + PROBE_SECONDS
        world.order()
        world.succeed()
    assert world.order() is AS_WRITTEN
    assert world.states.phases == {}


@pytest.mark.parametrize("count", [2, 3, 8])
def test_an_order_has_everybody_once(count: int) -> None:
    world = World()
    targets = tuple(Target("p", str(number)) for number in range(count))
    for number in range(0, count, 2):
        for _ in range(3):
            world.health().failed("p", str(number), None)
    found = world.health().order(targets)
    assert found is not None
    assert sorted(found) == list(range(count))
    assert [index % 2 for index in found] == sorted((index % 2 for index in found), reverse=True)


A, B = ("a", "ma"), ("b", "mb")


def test_where_all_is_well_an_answer_is_looked_at_now_and_then() -> None:
    world = World()
    health = world.health()
    assert [health.is_due((A, B)) for _ in range(3)] == [True, False, False]
    assert health.is_due((B, A))
    world.now += WATCH_SECONDS
    assert [health.is_due((A, B)) for _ in range(3)] == [True, False, False]


def test_of_who_has_failed_every_answer_is_looked_at() -> None:
    world = World()
    world.fail(of=1)
    assert [world.health().is_due((A, B)) for _ in range(3)] == [True, True, True]
    world.succeed(of=1)
    assert [world.health().is_due((A, B)) for _ in range(3)] == [True, False, False]


def test_what_is_looked_at_is_bounded_too() -> None:
    world = World()
    for number in range(10_050):
        world.health().is_due((("a", f"m{number}"), B))
    assert len(world.states.watched) < 10_000
