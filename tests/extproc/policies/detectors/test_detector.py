from __future__ import annotations

import pytest

from extproc.policies.detectors.detector import Candidate, Context, Source, entropy, whole

CONTEXT = Context("ssn|phone|mobile phone")


def candidate(text: str, value: str = "7") -> Candidate:
    data = text.encode()
    start = data.index(value.encode())
    return Candidate(Source(data), start, start + len(value))


@pytest.mark.parametrize("text", ["7", " 7.", "(7)", "7, 8", "é7é", "=7&", "は7で"])
def test_a_number_stands_alone(text: str) -> None:
    assert candidate(text).stands_alone


@pytest.mark.parametrize("text", ["a7", "7a", "_7", "17", "0.7", "7.5", "1,7"])
def test_a_part_of_something_does_not(text: str) -> None:
    assert not candidate(text).stands_alone


@pytest.mark.parametrize(
    "text",
    [
        "ssn 7",
        "SSN: 7",
        "phoneNumber=7",
        "workPhone 7",
        "ssn_value 7",
        "7 is my ssn",
        "mobile phone 7",
    ],
)
def test_words_near_a_candidate_tell_of_it(text: str) -> None:
    assert CONTEXT.is_near(candidate(text))


@pytest.mark.parametrize("text", ["ssns 7", "microphone 7", "passn 7", "7", "ssn" + " " * 60 + "7"])
def test_parts_of_words_and_words_far_away_do_not(text: str) -> None:
    assert not CONTEXT.is_near(candidate(text))


def test_a_word_behind_is_not_before() -> None:
    assert not CONTEXT.is_near_before(candidate("7 ssn"))


def test_a_text_without_the_words_is_known_at_once() -> None:
    assert CONTEXT.is_in(Source(b"my ssn"))
    assert not CONTEXT.is_in(Source(b"my sn"))


def test_places_are_in_bytes_and_values_in_characters() -> None:
    one = candidate("ü7-8", "7-8")
    assert (one.span, one.value, one.digits, one.text) == ((2, 5), "7-8", "78", "ü7-8".encode())
    assert whole(lambda each: each.digits == "78")(one) == (2, 5)
    assert whole(lambda each: each.digits == "79")(one) is None


def test_entropy_is_in_bits_per_character() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2
