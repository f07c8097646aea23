"""Words are found whole, whatever their case and spelling, and nothing else is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.finding import always, merged, replaced
from extproc.policies.keywords import Keywords


def found(text: str, *words: str, start: int = 0) -> list[str]:
    finder = Keywords(words)
    spans = merged(finder.spans(text, start))
    if not start:
        assert finder.is_in([text]) is bool(spans)
    return [text[each.start : each.end] for each in spans]


@pytest.mark.parametrize(
    ("text", "words", "wanted"),
    [
        ("we merge with Acme soon", ["acme"], ["Acme"]),
        ("ACME! acme, (Acme)", ["Acme"], ["ACME", "acme", "Acme"]),
        ("acmes of macme and acme_x", ["acme"], []),
        ("a credit\n  card", ["credit card"], ["credit\n  card"]),
        ("new yorkers", ["new york", "new yorker"], []),
        ("new york er", ["new york", "new yorker"], ["new york"]),
        ("art in artwork", ["art", "artwork"], ["art", "artwork"]),
        ("C++ and C", ["c++"], ["C++"]),
        ("x c++y", ["c++"], ["c++"]),
        ("cats cat cat", ["cat"], ["cat", "cat"]),
        ("CAFÉ, cafe\u0301, café", ["Café"], ["CAFÉ", "cafe\u0301", "café"]),
        ("cafe\u0301s", ["cafe"], []),
        ("STRASSE und straße", ["Straße"], ["STRASSE", "straße"]),
        ("ｆｕｌｌ width", ["full"], ["ｆｕｌｌ"]),
        ("mer\u200bger and mer\u00adger", ["merger"], ["mer\u200bger", "mer\u00adger"]),
        ("ΣΊΣΥΦΟΣ", ["σίσυφος"], ["ΣΊΣΥΦΟΣ"]),
        ("私は東京に行く", ["東京"], ["東京"]),
        ("слово словом", ["слово"], ["слово"]),
        ("the 한국 economy", ["한국"], ["한국"]),
        (
            "\u1112\u1161\u11ab\u1100\u116e\u11a8 won",
            ["한국"],
            ["\u1112\u1161\u11ab\u1100\u116e\u11a8"],
        ),
        ("", ["acme"], []),
        ("é", ["e"], []),
        ("naïve acme", ["acme"], ["acme"]),
    ],
)
def test_words_are_found(text: str, words: list[str], wanted: list[str]) -> None:
    assert found(text, *words) == wanted


def test_what_stands_before_is_context() -> None:
    assert found("xacme acme", "acme", start=1) == ["acme"]
    assert found("acme acme", "acme", start=1) == ["acme"]
    assert found("é acme acme", "acme", start=3) == ["acme"]


def test_what_is_found_is_masked() -> None:
    finder = Keywords(["acme", "big corp"])
    masked = replaced(finder, always("[x]"), "Acme and BIG  Corp, naïve acmes")
    assert masked == "[x] and [x], naïve acmes"


def test_what_a_mark_stands_on_is_found_with_it() -> None:
    """Where no letter of one character is for both."""
    assert replaced(Keywords(["東"]), always("[x]"), "a 東\u0301京") == "a [x]京"


letters = st.text("aAbÉé\u0301 ß\u200b_.東\u1100\u1161\u11a8", max_size=12)


@given(letters, st.lists(st.text("abé東", min_size=1, max_size=3), min_size=1, max_size=3))
def test_spans_and_hits_agree(text: str, words: list[str]) -> None:
    finder = Keywords(words)
    spans = list(finder.spans(text))
    assert bool(spans) is finder.is_in([text])
    for each in spans:
        assert 0 <= each.start < each.end <= len(text)
        assert finder.is_in([text[each.start : each.end]])


@given(letters, letters, st.lists(st.text("abé", min_size=1, max_size=3), min_size=1, max_size=3))
def test_a_word_between_spaces_is_always_found(before: str, after: str, words: list[str]) -> None:
    assert Keywords(words).is_in([f"{before} {words[0].upper()} {after}"])


def test_time_grows_with_the_length_alone() -> None:
    finder = Keywords([f"word{number} of some length" for number in range(2000)])
    text = "word1 of some " * 5000
    begin = time.process_time()
    assert not finder.is_in([text])
    assert not list(finder.spans(text))
    assert time.process_time() - begin < 2
