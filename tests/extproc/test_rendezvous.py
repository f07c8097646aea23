"""Which of several a key prefers."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.rendezvous import most_preferred, preferred

NAMES = st.text("abcdefgh/", min_size=1, max_size=4)
WEIGHTS = st.dictionaries(NAMES, st.integers(1, 1_000_000), min_size=1, max_size=8)
KEYS = [f"user-{number}" for number in range(20_000)]


@given(st.text(), WEIGHTS)
def test_everybody_comes_to_the_same_order_of_all(key: str, weights: dict[str, int]) -> None:
    backwards = dict(reversed(weights.items()))
    assert preferred(key, weights) == preferred(key, backwards)
    assert sorted(preferred(key, weights)) == sorted(weights)
    assert most_preferred(key, weights) == preferred(key, weights)[0]


def test_the_order_is_the_same_in_every_version() -> None:
    weights = {"a/x": 50, "b/y": 20, "c": 30}
    assert [preferred(key, weights) for key in ("ann", "bob", "cy", "eve")] == [
        ("b/y", "a/x", "c"),
        ("c", "a/x", "b/y"),
        ("c", "b/y", "a/x"),
        ("a/x", "b/y", "c"),
    ]


@given(st.text(), WEIGHTS, NAMES, st.integers(1, 1_000_000))
def test_a_new_name_moves_only_those_that_come_to_it(
    key: str, weights: dict[str, int], name: str, weight: int
) -> None:
    before = {each: share for each, share in weights.items() if each != name}
    after = preferred(key, {**before, name: weight})
    assert tuple(each for each in after if each != name) == preferred(key, before)


@given(st.text(), WEIGHTS, st.data(), st.integers(1, 1_000_000))
def test_another_weight_moves_only_to_or_from_its_name(
    key: str, weights: dict[str, int], data: st.DataObject, weight: int
) -> None:
    name = data.draw(st.sampled_from(sorted(weights)))
    before, after = preferred(key, weights), preferred(key, {**weights, name: weight})
    assert [each for each in before if each != name] == [each for each in after if each != name]
    rose = after.index(name) <= before.index(name)
    assert rose if weight >= weights[name] else after.index(name) >= before.index(name)


@pytest.mark.parametrize("weights", [{"a/x": 80, "b/y": 20}, {"a": 1, "b": 2, "c": 7}])
def test_each_is_first_as_often_as_its_weight_says(weights: dict[str, int]) -> None:
    first = Counter(preferred(key, weights)[0] for key in KEYS)
    whole = sum(weights.values())
    for name, weight in weights.items():
        assert first[name] / len(KEYS) == pytest.approx(weight / whole, abs=0.015)


def test_when_the_first_is_gone_the_others_share_its_keys_by_weight() -> None:
    weights = {"gone": 5, "a": 3, "b": 1}
    orders = (preferred(key, weights) for key in KEYS)
    second = Counter(order[1] for order in orders if order[0] == "gone")
    assert second["a"] / second.total() == pytest.approx(0.75, abs=0.02)
