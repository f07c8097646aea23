"""Estimates of tokens: how far off they may be, and what no text does to them."""

from __future__ import annotations

import json
from itertools import pairwise
from math import ceil
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.estimator import COUNTS, errors, texts
from extproc.llm.estimate import expected, family_of, upper
from extproc.llm.token_weights import WEIGHTS, Family

FAMILIES = st.sampled_from(Family)
MEASURED = [family for family in Family if family is not Family.OTHER]
ENGLISH = "The committee met on a Tuesday evening, in the small room above the library.\n"
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=3000)


@pytest.mark.parametrize("family", MEASURED)
def test_the_error_is_as_small_as_the_documentation_says(family: Family) -> None:
    found = errors(family, json.loads(COUNTS.read_text("utf-8")), texts())
    assert abs(sum(error.percent for error in found) / len(found)) < 4
    assert sum(abs(error.percent) for error in found) / len(found) < 7
    assert max(abs(error.percent) for error in found) < 21
    assert not any(error.is_exceeded for error in found)


def test_every_family_has_been_measured_but_the_one_for_the_rest() -> None:
    assert json.loads(COUNTS.read_text("utf-8")).keys() == set(MEASURED)
    assert WEIGHTS.keys() == set(Family)
    assert {len(each.ascii) for each in WEIGHTS.values()} == {10}
    assert {len(each.scripts) for each in WEIGHTS.values()} == {15}


@given(text=ANYTHING, family=FAMILIES)
def test_no_text_is_free_or_worth_more_than_its_bytes(text: str, family: Family) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    tokens = expected((text,), family)
    assert 0 <= tokens <= 4 * size + 1
    assert upper((text,), family) >= tokens


SMALL, CAPITALS, DIGITS = "abz", "AZ", "059"
MARKS, SPACES, LINE_ENDS = ".'/@[`{~\x00\x7f", " \t", "\n\r"
ASCII = st.text(SMALL + CAPITALS + DIGITS + MARKS + SPACES + LINE_ENDS, min_size=1, max_size=400)


@given(text=ASCII, family=FAMILIES)
def test_letters_words_numbers_and_marks_are_counted_one_by_one(text: str, family: Family) -> None:
    letters = SMALL + CAPITALS
    before = ["", *text]
    counts = (
        *(sum(each in kind for each in text) for kind in (SMALL, CAPITALS, DIGITS, LINE_ENDS)),
        sum(each in MARKS for each in text),
        sum(one != "" and one in SPACES and two in letters for one, two in pairwise(before)),
        sum(one != "" and one in MARKS and two in letters for one, two in pairwise(before)),
        sum(one != "" and one in SMALL and two in CAPITALS for one, two in pairwise(before)),
        sum((one == "" or one not in DIGITS) and two in DIGITS for one, two in pairwise(before)),
        sum(one != "" and one in SPACES and two in MARKS for one, two in pairwise(before)),
    )
    tokens = sum(map(mul, counts, WEIGHTS[family].ascii))
    assert expected((text,), family) == ceil(tokens)


@given(family=FAMILIES)
def test_nothing_is_no_tokens(family: Family) -> None:
    assert expected((), family) == expected(("",), family) == upper(("", ""), family) == 0


@given(repeated=st.integers(30, 2000), family=FAMILIES)
def test_a_long_text_is_as_many_times_its_parts(repeated: int, family: Family) -> None:
    once = expected((ENGLISH * 10,), family) / 10
    assert expected((ENGLISH * repeated,), family) == pytest.approx(once * repeated, rel=0.1)


@given(
    family=FAMILIES,
    texts=st.lists(st.sampled_from((ENGLISH, ENGLISH * 3, "x = [1, 2]\n", "")), max_size=400),
)
def test_texts_are_worth_what_they_are_together(family: Family, texts: list[str]) -> None:
    together = expected(("".join(texts),), family)
    assert expected(texts, family) == pytest.approx(together, rel=0.35, abs=60)


def test_a_part_in_another_script_is_noticed() -> None:
    plain = [ENGLISH * 100]
    mixed = [ENGLISH * 50, "随着城市人口不断增长,公共交通的压力也越来越大。" * 160]
    assert expected(mixed, Family.OPENAI) > 1.5 * expected(plain, Family.OPENAI)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4", Family.OPENAI_OLD),
        ("gpt-4-turbo-2024-04-09", Family.OPENAI_OLD),
        ("gpt-3.5-turbo", Family.OPENAI_OLD),
        ("text-embedding-3-small", Family.OPENAI_OLD),
        ("gpt-4o-mini", Family.OPENAI),
        ("gpt-4.1", Family.OPENAI),
        ("openai/gpt-5", Family.OPENAI),
        ("o3-mini", Family.OPENAI),
        ("claude-3-5-sonnet-20241022", Family.CLAUDE_OLD),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Family.CLAUDE_OLD),
        ("claude-opus-4-20250514", Family.CLAUDE_OLD),
        ("claude-opus-4@20250514", Family.CLAUDE_OLD),
        ("claude-opus-4", Family.CLAUDE_OLD),
        ("anthropic/claude-opus-4.6", Family.CLAUDE_OLD),
        ("claude-opus-4-7", Family.CLAUDE),
        ("claude-opus-5", Family.CLAUDE),
        ("claude-haiku-5-5", Family.CLAUDE),
        ("claude-fable-5", Family.CLAUDE),
        ("gemini-2.5-pro", Family.GEMINI),
        ("gemma-3-27b-it", Family.GEMINI),
        ("Mixtral-8x7B", Family.MISTRAL),
        ("deepseek-chat", Family.DEEPSEEK),
        ("meta-llama/Llama-3.3-70B-Instruct", Family.LLAMA),
        ("Qwen/Qwen3-32B", Family.QWEN),
        ("grok-4", Family.OTHER),
        ("", Family.OTHER),
    ],
)
def test_the_name_of_a_model_tells_its_family(model: str, family: Family) -> None:
    assert family_of(model) is family
