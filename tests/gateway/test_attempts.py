"""Which plans there may be, and which of their tries need their own body."""

from __future__ import annotations

from gateway.attempts import provider_sequences, rewritten_attempts
from gateway.model import Endpoint, Model, Provider, Target, Upstream
from gateway.operations import Operation

A, B, SAME = Target("a", "ma"), Target("b", "mb"), Target("b", "ma")


def provider(name: str, *operations: Operation) -> Provider:
    upstream = Upstream((Endpoint("127.0.0.1", 1),), name, False, 5)
    offers = tuple((each, f"/{each}") for each in operations)
    return Provider(name, "openai", upstream, "/v1", offers, 60)


CHATTING = {name: provider(name, Operation.CHAT) for name in "abc"}
MIXED = {**CHATTING, "b": provider("b", Operation.MESSAGES)}


def rewritten(*models: Model) -> tuple[tuple[str, int], ...]:
    return rewritten_attempts(models, CHATTING)


def test_a_single_try_is_told_what_is_forwarded() -> None:
    assert rewritten(Model("m", ((A,),))) == ()
    assert rewritten_attempts([Model("m", ((B,),))], MIXED) == ()


def test_a_later_try_with_another_model_is_rewritten_at_its_place() -> None:
    assert rewritten(Model("m", ((A,), (B,), (SAME,)))) == (("b", 2),)
    assert rewritten(Model("m", ((A,), (SAME,), (B,)))) == (("b", 3),)


def test_one_differing_first_choice_is_enough() -> None:
    other = Target("c", "mb")
    assert rewritten(Model("m", ((A, other), (B,)))) == (("b", 2),)


def test_what_a_star_stands_for_is_the_same_in_all_tries() -> None:
    assert rewritten(Model("m", ((Target("a", "*"),), (Target("b", "*"),)))) == ()
    assert rewritten(Model("m", ((Target("a", "*"),), (Target("b", "v-*"),)))) == (("b", 2),)


def test_where_dialects_are_mixed_every_try_may_be_rewritten() -> None:
    assert rewritten_attempts([Model("m", ((A,), (SAME,)))], MIXED) == (("a", 1), ("b", 2))


def test_every_order_of_providers_that_may_be_chosen_is_there_once() -> None:
    models = [
        Model("one", ((A, B),)),
        Model("pair", ((A,), (B,))),
        Model("again", ((A, Target("a", "x")), (SAME,))),
        Model("split", ((A, B), (Target("c", "*"),))),
    ]
    assert provider_sequences(models) == (("a", "b"), ("a", "c"), ("b", "c"))
