"""Which targets serve a model."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from extproc.choosing import InvalidModel
from extproc.facts import Facts
from extproc.health import Health, States
from extproc.latencies import Latencies, Tried
from extproc.turns import Turns
from gateway.attempts import choice_of, sequences
from gateway.choice import Branch, Conditional, One
from gateway.config.load import load
from gateway.failover import Failover, HealthRules
from gateway.model import Model, Target
from gateway.price import Price
from gateway.usage import Usage
from tests.kit.choosers import chooser, facts, models

MODELS = (
    Model("pair", ((Target("a", "ma"),), (Target("b", "mb"),))),
    Model("split", ((Target("a", "ma", 80), Target("b", "mb", 20)),)),
    Model("local/*", ((Target("b", "*"),),)),
    Model("*-mini", ((Target("a", "small-*"),), (Target("b", "*-s"),))),
)
ROUTED = """
    fast: a/fast,
    smart: {failover: [b/smart, c/smart]},
    routed: {conditional: [
        {when: 'principal.team == "research"', use: smart},
        {when: llm.estimated_input_tokens > 100, use: d/long},
        {when: 'request.headers["x-tier"] == "gold"', use: e/gold},
        {use: fast}]},
    asked: {conditional: [{when: 'llm.prompt.contains("secret")', use: a/x}, {use: b/x}]},
    tight: {conditional: [{when: 'request.headers["x-tier"] == "gold"', use: e/gold}]},
    either: {failover: [tight, fast]}
"""


def targets(asked: str, choice: float = 0.0) -> tuple[tuple[str, str], ...]:
    found = chooser(MODELS, lambda: choice).targets(asked, facts())
    assert found is not None
    return tuple((each.provider, each.model) for each in found.targets)


def served(written: str, asked: str, known: Facts | None = None, **world: object) -> list[str]:
    found = chooser(models(written), **world).targets(asked, known or facts())  # type: ignore[arg-type]
    assert found is not None
    return [f"{each.provider}/{each.model}" for each in found.targets]


def price(each_input: int, each_output: int, image: int = 0) -> Price:
    """In dollars for a million tokens; nanodollars for an image."""
    paid, made = each_input * 10**9, each_output * 10**9
    return Price(input=paid, output=made, cached_input=paid, cache_write=paid, image=image)


def test_tiers_are_tried_in_order() -> None:
    assert targets("pair") == (("a", "ma"), ("b", "mb"))


def test_weights_decide_inside_a_tier() -> None:
    chosen = [targets("split", choice)[0][0] for choice in (0.0, 0.79, 0.81, 0.999)]
    assert chosen == ["a", "a", "b", "b"]


def test_a_star_passes_on_what_it_matched() -> None:
    assert targets("local/llama-3") == (("b", "llama-3"),)
    assert targets("gpt-mini") == (("a", "small-gpt"), ("b", "gpt-s"))
    assert served("'x/*': {cheapest: ['a/*', 'b/v-*']}", "x/1") == ["a/1", "b/v-1"]


def test_a_star_does_not_match_where_its_ends_overlap() -> None:
    it = chooser(MODELS)
    assert not it.knows("mini")
    assert not it.knows("nothing")


def test_only_what_leaves_nothing_to_choose_is_fixed() -> None:
    it = chooser(MODELS)
    fixed = {
        name: found.is_fixed
        for name in ("pair", "split")
        if (found := it.targets(name, facts())) is not None
    }
    assert fixed == {"pair": True, "split": False}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (facts(), ["a/fast"]),
        (facts(team="research"), ["b/smart", "c/smart"]),
        (facts(team="research", tokens=500), ["b/smart", "c/smart"]),
        (facts(team="sales", tokens=500), ["d/long"]),
        (facts(x_tier="gold"), ["e/gold"]),
        (facts(x_tier="lead"), ["a/fast"]),
    ],
)
def test_the_first_condition_that_holds_decides(known: Facts, expected: list[str]) -> None:
    assert served(ROUTED, "routed", known) == expected


def test_a_condition_that_cannot_be_evaluated_does_not_hold() -> None:
    assert served(ROUTED, "tight") == []
    assert served(ROUTED, "either") == ["a/fast"]
    assert served(ROUTED, "either", facts(x_tier="gold")) == ["e/gold", "a/fast"]


def test_conditions_may_read_the_prompt() -> None:
    known = facts()
    known.texts = ("a secret",)
    assert served(ROUTED, "asked", known) == ["a/x"]
    assert served(ROUTED, "asked") == ["b/x"]
    assert chooser(models(ROUTED)).reads("llm.prompt")
    assert not chooser(MODELS).reads("llm.prompt")


def test_the_cheapest_for_this_request_goes_first_and_the_unpriced_last() -> None:
    prices = {
        "wordy": price(1, 100),
        "terse": price(50, 1),
    }
    written = "cheap: {cheapest: [c/unknown, a/wordy, b/terse]}"
    short, long = facts(), facts(tokens=100_000)
    assert served(written, "cheap", short, prices=prices) == ["b/terse", "a/wordy", "c/unknown"]
    assert served(written, "cheap", long, prices=prices) == ["a/wordy", "b/terse", "c/unknown"]
    long.max_output_tokens = 90_000
    assert served(written, "cheap", long, prices=prices)[0] == "b/terse"


def test_what_is_asked_for_beside_tokens_is_part_of_the_price() -> None:
    prices = {
        "painter": price(0, 0, image=9 * 10**9),
        "writer": price(0, 1),
    }
    known = facts()
    written = "m: {cheapest: [b/writer, a/painter]}"
    assert served(written, "m", known, prices=prices)[0] == "a/painter"
    known.demands = Usage(0, 0, images=2)
    assert served(written, "m", known, prices=prices)[0] == "b/writer"


def test_without_prices_the_order_is_that_of_writing() -> None:
    assert served("m: {cheapest: [c/x, a/y, b/z]}", "m") == ["c/x", "a/y", "b/z"]


def test_the_fastest_goes_first() -> None:
    latencies = Latencies(lambda: 100.0)
    latencies.observe(Tried("a", "x"), 98.0)
    latencies.observe(Tried("b", "y"), 99.0)
    it = chooser(models("m: {fastest: [a/x, b/y]}"), latencies=latencies)
    found = it.targets("m", facts())
    assert found is not None
    assert ([each.provider for each in found.targets], found.places) == (["b", "a"], (2, 1))
    assert it.is_timed
    assert not chooser(MODELS).is_timed


def turns_without(*aside: str) -> Turns:
    """Where these are set aside."""
    health = Health(HealthRules(failures=1), States(), lambda: 0.0, lambda: 0.5)
    for name in aside:
        health.failed(*name.split("/"), None)
    return Turns(Failover(), health)


@pytest.mark.parametrize(
    ("aside", "chosen"),
    [
        ((), {"a/x": 50, "b/y": 30, "c/z": 20}),
        (("a/x",), {"b/y": 60, "c/z": 40}),
        (("a/x", "c/z"), {"b/y": 100}),
        (("a/x", "b/y", "c/z"), {"a/x": 50, "b/y": 30, "c/z": 20}),
    ],
)
@pytest.mark.parametrize(
    "written",
    [
        "m: {weighted: {a/x: 50, b/y: 30, c/z: 20}}",
        "m: {weighted: {s: 50, b/y: 30, c/z: 20}}, s: a/x",
    ],
)
def test_shares_of_who_is_set_aside_go_to_the_others(
    written: str, aside: tuple[str, ...], chosen: dict[str, int]
) -> None:
    dice = random.Random(7)
    asked = chooser(models(written), dice.random, turns=turns_without(*aside))
    drawn = [asked.targets("m", facts()) for _ in range(4000)]
    found = Counter(f"{each.targets[0].provider}/{each.targets[0].model}" for each in drawn if each)
    assert found.keys() == chosen.keys()
    for name, percent in chosen.items():
        assert found[name] / 40 == pytest.approx(percent, abs=4)


STUCK = "m: {weighted: {a/x: 80, b/y: 20, c/z: 20}, sticky: STICKY}"


@pytest.mark.parametrize(
    ("sticky", "same", "other"),
    [
        ("user", facts(user="ann", team="t"), facts(user="bob", team="t")),
        ("team", facts(user="ann", team="t"), facts(user="ann", team="u")),
        ("'header:X-Session'", facts(x_session="1"), facts(x_session="2")),
        ("request.headers['x-session']", facts(x_session="1"), facts(x_session="2")),
    ],
)
def test_a_key_stays_where_it_is_and_others_follow_when_it_fails(
    sticky: str, same: Facts, other: Facts
) -> None:
    written = STUCK.replace("STICKY", f'"{sticky}"' if "[" in sticky else sticky)
    draws = random.Random(3).random
    orders = {tuple(served(written, "m", same, choose=draws)) for _ in range(20)}
    assert len(orders) == 1
    assert sorted(orders.pop()) == ["a/x", "b/y", "c/z"]
    assert len(served(written, "m", other, choose=draws)) == 3


def test_keys_are_shared_out_by_weight() -> None:
    it = chooser(models(STUCK.replace("STICKY", "user")))
    found = (it.targets("m", facts(user=f"u{number}")) for number in range(12_000))
    first = Counter(each.targets[0].provider for each in found if each is not None)
    assert first["a"] / first.total() == pytest.approx(80 / 120, abs=0.015)


def test_the_name_of_a_key_sticks_too() -> None:
    written = STUCK.replace("STICKY", "key")
    orders = {tuple(served(written, "m", facts(user=user))) for user in "abcdef"}
    assert len(orders) == 1  # all have the key `k`


def test_what_has_no_key_is_shared_out_by_chance_and_by_weight() -> None:
    draws = random.Random(11).random
    it = chooser(models(STUCK.replace("STICKY", "user")), draws)
    found = (it.targets("m", facts()) for _ in range(12_000))
    first = Counter(each.targets[0].provider for each in found if each is not None)
    assert first["a"] / first.total() == pytest.approx(80 / 120, abs=0.015)


def test_a_branch_may_be_any_model() -> None:
    written = """
        m: {failover: [{}, z]}, z: {cheapest: [w, d/x]}, w: {weighted: {s: 1, c/x: 1}},
        s: {failover: [a/x, b/x]}
    """.replace("{}", "e/x")
    assert served(written, "m") == ["e/x", "a/x", "b/x", "d/x"]
    assert served(written, "m", choose=lambda: 0.9) == ["e/x", "c/x", "d/x"]


def test_an_internal_model_is_reached_through_others_alone() -> None:
    written = (
        "hidden: {provider: a, internal: true}, m: hidden, 'i/*': {provider: c, internal: true}"
    )
    it = chooser(models(f"{written}, '*': b/x"))
    assert served(written, "m") == ["a/hidden"]
    assert not it.knows("hidden")
    assert it.targets("hidden", facts()) is None
    assert it.targets("i/y", facts()) is None
    assert it.knows("other")


def test_expressions_that_do_not_compile_are_no_program() -> None:
    choice = Conditional((Branch("nope", One(Target("a", "x"), 1)),))
    with pytest.raises(InvalidModel, match="nope"):
        chooser([Model("m", ((Target("a", "x"),),), choice=choice)])


WAYS = ("failover", "cheapest", "fastest", "weighted", "sticky", "conditional")


@st.composite
def nested(draw: st.DrawFn) -> str:
    """Models `m0`, `m1`, …, each of which may lead to those after it."""
    count = draw(st.integers(1, 4))
    written = []
    for number in range(count):
        behind = [f"m{later}" for later in range(number + 1, count)]
        choices = st.sampled_from([*behind, "a/x", "b/y", "c/x"])
        branches = draw(st.lists(choices, min_size=1, max_size=3, unique=True))
        way = draw(st.sampled_from(WAYS))
        match way:
            case "weighted" | "sticky":
                shares = ", ".join(f"{each}: {draw(st.integers(1, 9))}" for each in branches)
                sticky = ", sticky: user" if way == "sticky" else ""
                block = f"weighted: {{{shares}}}{sticky}"
            case "conditional":
                *some, last = branches
                when = "{{when: 'principal.team == \"t\"', use: {}}}"
                parts = [*(when.format(each) for each in some), f"{{use: {last}}}"]
                block = f"conditional: [{', '.join(parts)}]"
            case _:
                block = f"{way}: [{', '.join(branches)}]"
        written.append(f"m{number}: {{{block}}}")
    return ", ".join(written)


@given(nested(), st.randoms(use_true_random=False), st.sampled_from(["", "t"]))
def test_whatever_is_chosen_is_among_what_may_be(
    written: str, draws: random.Random, team: str
) -> None:
    known = ", ".join(f"{name}: {{type: openai, key: k}}" for name in "abc")
    config = load(
        f"llm: {{providers: {{{known}}}, models: {{{written}}}}}", file="t.yaml", environment={}
    )
    assume(not isinstance(config, tuple))  # there are too many targets, or orders
    prices = {"x": price(1, 2), "y": price(2, 1)}
    made = models(written, "a b c")
    it = chooser(made, draws.random, prices)
    for model in made:
        found = it.targets(model.name, facts(user=str(draws.random()), team=team))
        assert found is not None
        assert found.targets
        assert len(set(found.places)) == len(found.places)
        for target, place in zip(found.targets, found.places, strict=True):
            tier = model.tiers[place - 1]
            assert (target.provider, target.model) in {(e.provider, e.model) for e in tier}
        tried = tuple(target.provider for target in found.targets)
        assert tried in sequences(choice_of(model))
