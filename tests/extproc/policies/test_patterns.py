from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.finding import Found
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
def test_a_pattern_stands_where_it_does_for_python(pattern: str, text: str) -> None:
    expected = [
        match.span()
        for match in re.finditer(_for_python(pattern), text, flags=re.ASCII)
        if match[0]
    ]
    found = Patterns([pattern]).spans([0], text)
    assert [(each.start, each.end) for each in found] == expected


def test_what_stands_before_the_start_is_context() -> None:
    assert Patterns([r"\bcat"]).spans([0], "ünicat cat", 3) == [Found(7, 10)]
    assert Patterns(["^a"]).spans([0], "aaa", 1) == []
    assert Patterns(["aa"]).spans([0], "aaaa", 1) == [Found(1, 3)]


def test_half_a_character_that_is_matched_stands_for_the_whole() -> None:
    assert Patterns([r"a\C"]).spans([0], "éaéa") == [Found(1, 3)]
    assert Patterns([r"\C\C\C"]).spans([0], "éé") == [Found(0, 2)]


def _for_python(pattern: str) -> str:
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
