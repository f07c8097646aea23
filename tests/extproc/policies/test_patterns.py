from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.patterns import Patterns


def test_the_patterns_that_are_found_are_named_by_their_place() -> None:
    patterns = Patterns(["cat", "dog", r"\d{3}"])
    assert patterns.hits(["a cat", "no 12", "room 101"]) == {0, 2}
    assert patterns.hits(["nothing"]) == frozenset()
    assert patterns.hits([]) == frozenset()


def test_no_patterns_find_nothing() -> None:
    assert Patterns([]).hits(["anything"]) == frozenset()


@pytest.mark.parametrize(
    "pattern",
    [
        "ab",
        "a[^x]?b",
        r"a\W*b",
        r"a\s*b",
        r"(?s)a.*b",
        r"a\PL*b",
        r"a[\x00-\x{10ffff}]*b",
        r"a\C?b",
    ],
)
def test_no_pattern_matches_across_texts(pattern: str) -> None:
    patterns = Patterns([pattern])
    assert patterns.hits(["a", "b"]) == frozenset()
    assert patterns.hits(["a", "ab"]) == {0}


@pytest.mark.parametrize("pattern", ["^key", "key$", r"\Akey", r"key\z", r"\bkey\b", "(?m)^key$"])
def test_every_text_has_its_own_beginning_and_end(pattern: str) -> None:
    patterns = Patterns([pattern])
    assert patterns.hits(["x", "key", "x"]) == {0}
    assert patterns.hits(["x", "xkeyx", "x"]) == frozenset()


@pytest.mark.parametrize("pattern", ["[^a]$", r"\[^a", r"\\[^a]", "[[^]b", r"\Q[^a\E"])
def test_what_looks_like_a_negated_class_is_asked_rightly(pattern: str) -> None:
    texts = ["b[^a", "a", "^b", "\\b"]
    single = re2.compile(pattern)
    expected = {0} if any(single.search(text) for text in texts) else set()
    assert Patterns([pattern]).hits(texts) == expected


def test_text_beyond_ascii_is_replaced_where_it_stands() -> None:
    patterns = Patterns(["SSN", "größe", "日本"])
    assert patterns.replace([0], "*", "ééé SSN 😀 SSN") == "ééé * 😀 *"
    assert patterns.replace([0, 1, 2], "<>", "größe日本SSN日") == "<><><>日"


def test_overlapping_matches_are_replaced_as_one() -> None:
    patterns = Patterns(["abc", "bcd", "b", "xy", "yz"])
    assert patterns.replace(range(5), "*", "abcd-xyz-b") == "*-*-*"


def test_touching_matches_are_replaced_one_by_one() -> None:
    assert Patterns([r"\d"]).replace([0], "*", "12a3") == "**a*"


def test_empty_matches_replace_nothing() -> None:
    assert Patterns(["x*"]).replace([0], "*", "axxb") == "a*b"


def test_half_a_character_that_is_masked_leaves_text() -> None:
    assert Patterns([r"a\C"]).replace([0], "*", "aéa") == "*\ufffda"


def test_a_replacement_is_taken_literally() -> None:
    assert Patterns(["(a)"]).replace([0], r"\1\g<1>$1", "a") == r"\1\g<1>$1"


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
    assert Patterns(["abc"]).replace_across([0], "*", pieces) == replaced


def test_what_only_its_neighbour_makes_a_match_is_replaced_across() -> None:
    assert Patterns([r"\Bcat"]).replace_across([0], "*", ["a", "cat"]) == ["a", "*"]
    assert Patterns(["b+"]).replace_across([0], "*", ["ab", "bbc"]) == ["ab", "bbc"]


@given(st.lists(st.text("abé ", max_size=4), max_size=5))
def test_across_and_then_alone_leaves_nothing(pieces: list[str]) -> None:
    patterns = Patterns(["abb?", "ba", "é a"])
    across = patterns.replace_across(range(3), "*", pieces)
    alone = [patterns.replace(range(3), "*", piece) for piece in across]
    assert not patterns.hits(["".join(alone)])
    assert "".join(alone).replace("*", "") == "".join(
        patterns.replace(range(3), "*", "".join(pieces)).split("*")
    )


def test_patterns_that_need_more_memory_than_one_automaton_has_are_split() -> None:
    words = [f"secret{index}-[a-z]{{4,9}}" for index in range(25)]
    patterns = Patterns(words, max_memory_bytes=20_000)
    for index in range(25):
        assert patterns.hits([f"my secret{index}-abcde"]) == {index}
    assert patterns.hits(["secret3-abcd", "secret24-abcd", "secret9-"]) == {3, 24}


@pytest.mark.parametrize("pattern", ["(", "(?=a)b", r"(a)\1", "a{1001}"])
def test_what_re2_does_not_speak_is_an_error(pattern: str) -> None:
    with pytest.raises(re2.error):
        Patterns(["fine", pattern])


def test_a_pattern_above_the_memory_is_an_error() -> None:
    with pytest.raises(re2.error):
        Patterns([r"\pL{500}"], max_memory_bytes=20_000)


# Python's own engine means the same by these.
simple_patterns = st.sampled_from(
    ["a", "[^a]", "ab+", "^a", "b$", r"\bé\b", "(?:a|é)b", "a.b", "日[^é]", "^$", "[a^]", "[b$]"]
)
short_texts = st.text("abé日 😀", max_size=6)


@given(st.lists(simple_patterns, max_size=6), st.lists(short_texts, max_size=4))
def test_hits_are_those_of_each_pattern_on_each_text(patterns: list[str], texts: list[str]) -> None:
    expected = {
        index
        for index, pattern in enumerate(patterns)
        if any(re.search(_for_python(pattern), text, re.ASCII) for text in texts)
    }
    assert Patterns(patterns).hits(texts) == expected


@given(simple_patterns, short_texts)
def test_one_pattern_replaces_what_it_matches(pattern: str, text: str) -> None:
    expected = re.sub(
        _for_python(pattern), lambda match: "*" if match[0] else "", text, flags=re.ASCII
    )
    assert Patterns([pattern]).replace([0], "*", text) == expected


def _for_python(pattern: str) -> str:
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
