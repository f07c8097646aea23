from __future__ import annotations

from gateway.choice import (
    Branch,
    Cheapest,
    Conditional,
    Fastest,
    InTurn,
    One,
    Share,
    Target,
    Weighted,
)
from gateway.config.llm import LlmBlock
from gateway.config.tiers import (
    choice,
    cycle,
    is_followable,
    is_plain,
    leaf_count,
    meaning,
    references,
    tier_count,
    tiers,
)


def llm(**models: object) -> LlmBlock:
    providers = {"p": {"type": "openai"}, "q": {"type": "openai"}}
    named = {name.replace("_STAR", "/*"): block for name, block in models.items()}
    return LlmBlock.model_validate({"providers": providers, "models": named})


def test_a_model_is_its_providers_model_of_the_same_name() -> None:
    assert tiers("m", llm(m={"provider": "p"})) == ((Target("p", "m"),),)
    assert tiers("m", llm(m={"provider": "p", "model": "n"})) == ((Target("p", "n"),),)


def test_a_star_stands_for_what_was_matched() -> None:
    assert tiers("p/*", llm(p_STAR={"provider": "p"})) == ((Target("p", "*"),),)
    assert tiers("p/*", llm(p_STAR={"failover": ["p/x-*", "q/y"]})) == (
        (Target("p", "x-*"),),
        (Target("q", "y"),),
    )


def test_failover_flattens() -> None:
    block = llm(
        a={"failover": ["b", "p/1", "w"]},
        b={"failover": ["p/2", "c"]},
        c="q/3",
        w={"weighted": {"p/4": 3, "c": 1}},
    )
    assert tiers("a", block) == (
        (Target("p", "2"),),
        (Target("q", "3"),),
        (Target("p", "1"),),
        (Target("p", "4", 3), Target("q", "3", 1)),
    )
    assert tier_count("a", block) == 4


def test_a_target_that_stands_twice_in_a_list_is_tried_once() -> None:
    block = llm(m={"failover": ["p/a", "q/b", "p/a"]})
    assert tiers("m", block) == ((Target("p", "a"),), (Target("q", "b"),))
    assert [place for place, _ in references(block.models["m"])] == [
        ("failover", 0),
        ("failover", 1),
    ]


def test_a_model_goes_before_a_provider_of_the_same_words() -> None:
    block = llm(m={"failover": ["p/a"]}, **{"p/a": "q/b"})
    assert tiers("m", block) == ((Target("q", "b"),),)


def test_a_models_own_name_stands_for_the_providers_model() -> None:
    assert tiers("p/a", llm(**{"p/a": "p/a"})) == ((Target("p", "a"),),)


def test_the_model_of_a_provider_may_contain_slashes() -> None:
    assert meaning("m", "p/org/model", llm()) == Target("p", "org/model")


def test_references_to_nothing_mean_nothing() -> None:
    for reference in ("x", "x/a", "p/", "p"):
        assert meaning("m", reference, llm()) is None


def test_a_circle_is_found_and_does_not_hang() -> None:
    block = llm(a="b", b={"failover": ["p/x", "c"]}, c={"weighted": {"a": 1}}, d="a")
    assert cycle("a", block) == ("a", "b", "c", "a")
    assert cycle("d", block) == ()
    assert not is_followable("d", block)


def test_a_branch_may_be_any_model_and_no_plan_has_a_place_twice() -> None:
    block = llm(
        c={"conditional": [{"when": "llm.is_stream", "use": "s"}, {"use": "p/3"}]},
        s={"weighted": {"p/1": 2, "f": 1}, "sticky": "user"},
        f={"failover": ["q/2", "w"]},
        w={"weighted": {"p/5": 1, "q/6": 1}},
    )
    one, two = One(Target("p", "1", 2), 1), One(Target("q", "2"), 2)
    last = Weighted(
        (
            Share("p/5", 1, One(Target("p", "5"), 3)),
            Share("q/6", 1, One(Target("q", "6"), 3)),
        )
    )
    stuck = Weighted((Share("p/1", 2, one), Share("f", 1, InTurn((two, last)))), "user")
    assert choice("c", block) == Conditional(
        (Branch("llm.is_stream", stuck), Branch(None, One(Target("p", "3"), 1)))
    )
    assert tiers("c", block) == (
        (Target("p", "1", 2), Target("p", "3")),
        (Target("q", "2"),),
        (Target("p", "5"), Target("q", "6")),
    )
    assert (tier_count("c", block), leaf_count("c", block)) == (3, 5)


def test_the_cheapest_and_the_fastest_may_be_tried_one_after_the_other() -> None:
    block = llm(c={"cheapest": ["p/1", "q/2"]}, f={"fastest": ["c", "p/3"]})
    cheapest = Cheapest((One(Target("p", "1"), 1), One(Target("q", "2"), 2)))
    assert choice("f", block) == Fastest((cheapest, One(Target("p", "3"), 3)))


def test_plain_is_what_the_places_say_in_full() -> None:
    block = llm(
        a={"failover": ["w", "p/1"]},
        w={"weighted": {"p/1": 1, "q/2": 1}},
        s={"weighted": {"p/1": 1, "q/2": 1}, "sticky": "key"},
        f={"weighted": {"a": 1, "q/2": 1}},
        c={"failover": ["p/1", "d"]},
        d={"cheapest": ["p/1", "q/2"]},
    )
    assert {name: is_plain(choice(name, block)) for name in block.models} == {
        "a": True,
        "w": True,
        "s": False,
        "f": False,
        "c": False,
        "d": False,
    }


def test_counting_does_not_unfold() -> None:
    doubling = {
        f"{name}{n}": {"failover": [f"l{n + 1}", f"r{n + 1}"]} for n in range(14) for name in "lr"
    }
    block = llm(**doubling, l14={"provider": "p"}, r14={"provider": "q"})
    assert is_followable("l0", block)
    assert tier_count("l0", block) == leaf_count("l0", block) == 2**14


def test_long_chains_are_not_followable() -> None:
    block = llm(**{f"m{n}": f"m{n + 1}" for n in range(3000)}, m3000={"provider": "p"})
    assert not is_followable("m0", block)
    assert is_followable("m2990", block)
