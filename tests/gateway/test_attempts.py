"""Which plans there may be, and which of their tries need their own body."""

from __future__ import annotations

from gateway.attempts import is_renamed, provider_sequences, renamed_attempts
from gateway.model import Model, Target

A, B, SAME = Target("a", "ma"), Target("b", "mb"), Target("b", "ma")


def test_the_first_try_is_never_renamed() -> None:
    assert renamed_attempts([Model("m", ((A,),))]) == ()


def test_a_later_try_with_another_model_is_renamed_at_its_place() -> None:
    assert renamed_attempts([Model("m", ((A,), (B,), (SAME,)))]) == (("b", 2),)
    assert renamed_attempts([Model("m", ((A,), (SAME,), (B,)))]) == (("b", 3),)


def test_one_differing_first_choice_is_enough() -> None:
    other = Target("c", "mb")
    assert renamed_attempts([Model("m", ((A, other), (B,)))]) == (("b", 2),)


def test_what_a_star_stands_for_is_the_same_in_all_tries() -> None:
    assert not is_renamed(Target("a", "*"), Target("b", "*"))
    assert is_renamed(Target("a", "*"), Target("b", "v-*"))


def test_every_order_of_providers_that_may_be_chosen_is_there_once() -> None:
    models = [
        Model("one", ((A, B),)),
        Model("pair", ((A,), (B,))),
        Model("again", ((A, Target("a", "x")), (SAME,))),
        Model("split", ((A, B), (Target("c", "*"),))),
    ]
    assert provider_sequences(models) == (("a", "b"), ("a", "c"), ("b", "c"))
