from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.finding import Found, always, merged, replaced, replaced_across
from extproc.policies.patterns import Patterns


class Each:
    """Finds all of these patterns."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = Patterns(patterns)
        self.places = range(len(patterns))

    def is_in(self, texts: Sequence[str]) -> bool:
        return bool(self.patterns.hits(texts))

    def spans(self, text: str, start: int = 0) -> Iterable[Found]:
        return self.patterns.spans(self.places, text, start)


def mask(patterns: Sequence[str], replacement: str, text: str) -> str:
    return replaced(Each(patterns), always(replacement), text)


def mask_across(patterns: Sequence[str], pieces: Sequence[str]) -> Sequence[str]:
    return replaced_across(Each(patterns), always("*"), pieces)


def test_what_overlaps_is_of_the_kind_of_the_first() -> None:
    found = [Found(3, 6, "b"), Found(0, 4, "a"), Found(6, 7, "c"), Found(8, 8, "d")]
    assert merged(found) == [Found(0, 6, "a"), Found(6, 7, "c")]


def test_what_is_written_instead_may_depend_on_what_was_found() -> None:
    said = replaced(Each(["a+", "b"]), lambda found, text: f"<{found.start}{text}>", "aab")
    assert said == "<0aa><2b>"


def test_text_beyond_ascii_is_replaced_where_it_stands() -> None:
    assert mask(["SSN"], "*", "ééé SSN 😀 SSN") == "ééé * 😀 *"
    assert mask(["SSN", "größe", "日本"], "<>", "größe日本SSN日") == "<><><>日"


def test_overlapping_matches_are_replaced_as_one() -> None:
    assert mask(["abc", "bcd", "b", "xy", "yz"], "*", "abcd-xyz-b") == "*-*-*"


def test_touching_matches_are_replaced_one_by_one() -> None:
    assert mask([r"\d"], "*", "12a3") == "**a*"


def test_empty_matches_replace_nothing() -> None:
    assert mask(["x*"], "*", "axxb") == "a*b"


def test_a_replacement_is_taken_literally() -> None:
    assert mask(["(a)"], r"\1\g<1>$1", "a") == r"\1\g<1>$1"


@pytest.mark.parametrize(
    ("pieces", "replaced"),
    [
        (["abc"], ["abc"]),
        (["xa", "bcx"], ["x*", "*x"]),
        (["a", "", "b", "c"], ["*", "", "*", "*"]),
        (["abca", "bc", "abc"], ["abc*", "*", "abc"]),
        (["éa", "bcé"], ["é*", "*é"]),
        (["ab", "ab"], ["ab", "ab"]),
        ([], []),
    ],
)
def test_only_what_lies_across_pieces_is_replaced_across(
    pieces: list[str], replaced: list[str]
) -> None:
    assert mask_across(["abc"], pieces) == replaced


def test_what_only_its_neighbour_makes_a_match_is_replaced_across() -> None:
    assert mask_across([r"\Bcat"], ["a", "cat"]) == ["a", "*"]
    assert mask_across(["b+"], ["ab", "bbc"]) == ["ab", "bbc"]


@given(st.lists(st.text("abé ", max_size=4), max_size=5))
def test_across_and_then_alone_leaves_nothing(pieces: list[str]) -> None:
    patterns = ["abb?", "ba", "é a"]
    across = mask_across(patterns, pieces)
    alone = [mask(patterns, "*", piece) for piece in across]
    assert not Patterns(patterns).hits(["".join(alone)])
    assert "".join(alone).replace("*", "") == "".join(
        mask(patterns, "*", "".join(pieces)).split("*")
    )
