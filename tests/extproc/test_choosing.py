"""Which targets serve a model."""

from __future__ import annotations

from extproc.choosing import Chooser
from gateway.model import Model, Target

MODELS = (
    Model("pair", ((Target("a", "ma"),), (Target("b", "mb"),))),
    Model("split", ((Target("a", "ma", 80), Target("b", "mb", 20)),)),
    Model("local/*", ((Target("b", "*"),),)),
    Model("*-mini", ((Target("a", "small-*"),), (Target("b", "*-s"),))),
)


def targets(asked: str, choice: float = 0.0) -> tuple[tuple[str, str], ...]:
    found = Chooser(MODELS, lambda: choice).targets(asked)
    assert found is not None
    return tuple((each.provider, each.model) for each in found.targets)


def test_tiers_are_tried_in_order() -> None:
    assert targets("pair") == (("a", "ma"), ("b", "mb"))


def test_weights_decide_inside_a_tier() -> None:
    chosen = [targets("split", choice)[0][0] for choice in (0.0, 0.79, 0.81, 0.999)]
    assert chosen == ["a", "a", "b", "b"]


def test_a_star_passes_on_what_it_matched() -> None:
    assert targets("local/llama-3") == (("b", "llama-3"),)
    assert targets("gpt-mini") == (("a", "small-gpt"), ("b", "gpt-s"))


def test_a_star_does_not_match_where_its_ends_overlap() -> None:
    chooser = Chooser(MODELS, lambda: 0.0)
    assert not chooser.knows("mini")
    assert not chooser.knows("nothing")


def test_only_what_leaves_nothing_to_choose_is_fixed() -> None:
    chooser = Chooser(MODELS, lambda: 0.0)
    fixed = {name: found.is_fixed for name in ("pair", "split") if (found := chooser.targets(name))}
    assert fixed == {"pair": True, "split": False}
