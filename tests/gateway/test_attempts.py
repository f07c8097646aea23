"""Which plans there may be, and which of their tries need their own body."""

from __future__ import annotations

import pytest

from gateway.attempts import (
    TooManyOrders,
    plan_sequences,
    provider_sequences,
    rewritten_attempts,
    sequences,
)
from gateway.choice import Fastest, One
from gateway.model import Endpoint, Model, Provider, Target, Upstream
from gateway.operations import Operation
from tests.gateway.config.loading import meant
from tests.kit.choosers import models

A, B, SAME = Target("a", "ma"), Target("b", "mb"), Target("b", "ma")


def provider(name: str, *operations: Operation) -> Provider:
    upstream = Upstream((Endpoint("127.0.0.1", 1),), name, False, 5)
    offers = tuple((each, f"/{each}") for each in operations)
    return Provider(name, "openai", upstream, "/v1", offers, 60)


CHATTING = {name: provider(name, Operation.CHAT) for name in "abc"}
MIXED = {**CHATTING, "b": provider("b", Operation.MESSAGES)}


def rewritten(*each: Model) -> tuple[tuple[str, int], ...]:
    return rewritten_attempts(each, CHATTING)


def test_a_single_try_is_told_what_is_forwarded() -> None:
    assert rewritten(Model("m", ((A,),))) == ()
    assert rewritten_attempts([Model("m", ((B,),))], MIXED) == ()


def test_a_later_try_with_another_model_is_rewritten_at_its_place() -> None:
    assert rewritten(Model("m", ((A,), (B,)))) == (("b", 2),)
    assert rewritten(Model("m", ((A,), (SAME,), (B,)))) == (("b", 3),)


def test_a_try_may_follow_any_that_stands_before_it_since_not_all_offer_all_operations() -> None:
    assert rewritten(Model("m", ((A,), (B,), (SAME,)))) == (("b", 2), ("b", 3))


def test_one_differing_first_choice_is_enough() -> None:
    other = Target("c", "mb")
    assert rewritten(Model("m", ((A, other), (B,)))) == (("b", 2),)


def test_what_a_star_stands_for_is_the_same_in_all_tries() -> None:
    assert rewritten(Model("m", ((Target("a", "*"),), (Target("b", "*"),)))) == ()
    assert rewritten(Model("m", ((Target("a", "*"),), (Target("b", "v-*"),)))) == (("b", 2),)


def test_where_dialects_are_mixed_every_try_may_be_rewritten() -> None:
    assert rewritten_attempts([Model("m", ((A,), (SAME,)))], MIXED) == (("a", 1), ("b", 2))


def test_where_the_order_is_open_each_may_follow_each_at_the_place_where_it_is_written() -> None:
    (model,) = models("m: {cheapest: [a/x, b/y, c/x]}")
    assert rewritten(model) == (("a", 1), ("b", 2), ("c", 3))
    (model,) = models("m: {cheapest: [a/x, b/x]}")
    assert rewritten(model) == ()
    assert rewritten_attempts([model], MIXED) == (("a", 1), ("b", 2))


def test_branches_of_which_one_is_taken_never_follow_each_other() -> None:
    when = "{when: llm.is_stream, use: a/x}"
    (model,) = models(f"m: {{conditional: [{when}, {{use: b/y}}]}}")
    assert rewritten_attempts([model], MIXED) == ()
    assert provider_sequences([model]) == ()


def test_every_order_that_a_choice_may_come_to_is_there() -> None:
    virtual = models("m: {fastest: [s, c/z]}, s: {failover: [a/x, b/y]}")
    assert provider_sequences(virtual) == (("a", "b"), ("a", "b", "c"), ("c", "a", "b"))
    stuck = models("m: {weighted: {a/x: 1, b/y: 1, a/z: 1}, sticky: user}")
    assert provider_sequences(stuck) == (("a", "a", "b"), ("a", "b", "a"), ("b", "a", "a"))


def test_orders_beyond_a_bound_are_not_made() -> None:
    choice = Fastest(tuple(One(Target(name, name), place) for place, name in enumerate("abcdef")))
    with pytest.raises(TooManyOrders):
        sequences(choice)


def test_every_order_of_providers_that_may_be_chosen_is_there_once() -> None:
    written = [
        Model("one", ((A, B),)),
        Model("pair", ((A,), (B,))),
        Model("again", ((A, Target("a", "x")), (SAME,))),
        Model("split", ((A, B), (Target("c", "*"),))),
    ]
    assert provider_sequences(written) == (("a", "b"), ("a", "c"), ("b", "c"))


def test_what_is_left_of_a_plan_where_not_all_can_be_asked_is_a_plan_too() -> None:
    text = """
        llm:
          failover: {health: {failures: FAILURES}}
          providers: {a: {type: openai}, b: {type: openai}, c: {type: anthropic}, d: {type: gemini}}
          models: {m: {failover: [a/x, c/y, b/z]}, chats: {failover: [c/x, d/x]}}
    """
    assert plan_sequences(meant(text.replace("FAILURES", "0"))) == (
        ("a", "b"),  # of embeddings, and of what cannot be said to `c`
        ("a", "c", "b"),
        ("c", "d"),
    )
    assert plan_sequences(meant(text.replace("FAILURES", "1"))) == (
        ("a", "b"),
        ("a", "c", "b"),
        ("b", "a"),
        ("c", "d"),
        ("d", "c"),
    )


@pytest.mark.parametrize(
    ("a", "b", "model", "rewritten"),
    [
        ("", "", "", ()),
        ("overrides: {top_k: 1}", "overrides: {top_k: 1}", "", ()),
        ("overrides: {top_k: 1}", "", "", (("a", 1), ("b", 2))),
        ("", "", "prompt_caching: {}", (("a", 1), ("b", 2))),
    ],
)
def test_tries_with_other_additions_need_other_bodies(
    a: str, b: str, model: str, rewritten: tuple[tuple[str, int], ...]
) -> None:
    text = f"""
        llm:
          providers: {{a: {{type: openai, {a}}}, b: {{type: groq, {b}}}}}
          models: {{m: {{failover: [a/x, b/x], {model}}}}}
    """
    gateway = meant(text)
    providers = {each.name: each for each in gateway.providers}
    assert rewritten_attempts(gateway.models, providers) == rewritten
