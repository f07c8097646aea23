"""Log probabilities are read as far as they are any."""

from __future__ import annotations

import pytest

from extproc.llm.answer import Logprob
from extproc.llm.openai_chat.logprobs import logprobs_object, logprobs_of

TOKEN = {"token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": []}


def test_tokens_their_bytes_and_alternatives_are_read() -> None:
    told = {"content": [{**TOKEN, "top_logprobs": [TOKEN, {"token": "e", "logprob": -2}]}]}
    assert logprobs_of({"logprobs": told}) == (
        Logprob(
            "é", -0.5, "é".encode(), (Logprob("é", -0.5, "é".encode()), Logprob("e", -2, None))
        ),
    )


def test_tokens_of_a_refusal_follow() -> None:
    told = {"content": None, "refusal": [TOKEN]}
    assert logprobs_of({"logprobs": told}) == (Logprob("é", -0.5, "é".encode()),)


@pytest.mark.parametrize(
    "odd", [7, {}, {"token": 7, "logprob": 0}, {"token": "a"}, {"token": "a", "logprob": True}]
)
def test_what_is_no_token_is_passed_over(odd: object) -> None:
    assert logprobs_of({"logprobs": {"content": [odd, TOKEN]}}) == (
        Logprob("é", -0.5, "é".encode()),
    )


@pytest.mark.parametrize("odd", [[256], [-1], ["a"], "é", [True]])
def test_bytes_that_are_none_are_not_told(odd: object) -> None:
    found = logprobs_of({"logprobs": {"content": [{**TOKEN, "bytes": odd}]}})
    assert found == (Logprob("é", -0.5, None),)


@pytest.mark.parametrize("choice", [{}, {"logprobs": None}, {"logprobs": []}])
def test_no_logprobs_are_none(choice: dict[str, object]) -> None:
    assert logprobs_of(choice) is None


def test_bytes_that_nobody_told_are_those_of_the_token() -> None:
    assert logprobs_object([Logprob("é", -0.5)]) == {"content": [TOKEN], "refusal": None}
