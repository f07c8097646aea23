from __future__ import annotations

import pytest

from gateway.problem import Problem, did_you_mean, is_near


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("a.b", "is wrong", 3, "f.yaml", "do x"), "f.yaml:3: a.b: is wrong (do x)"),
        (Problem("a.b", "is wrong", 3), "<config>:3: a.b: is wrong"),
        (Problem("a.b", "is wrong"), "a.b: is wrong"),
        (Problem("", "cannot be read", file="f.yaml"), "f.yaml: cannot be read"),
        (Problem("", "is wrong"), "is wrong"),
        (Problem("", "refused:  a\n  and b\n\n"), "refused:  a and b"),
    ],
)
def test_a_problem_reads_as_one_line(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_the_closest_word_is_guessed() -> None:
    assert did_you_mean("opnai", ["openai", "mistral"]) == "did you mean 'openai'?"
    assert is_near("opnai", ["openai", "mistral"])
    assert not is_near("pass", ["openai", "mistral"])


def test_a_few_words_are_listed_and_many_are_not() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", [f"w{n}" for n in range(13)]) == ""
    assert did_you_mean("zzz", []) == ""
