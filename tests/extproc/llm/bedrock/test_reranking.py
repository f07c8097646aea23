"""Reranking as Cohere has it, and as models on Bedrock are invoked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.bedrock.reranking import LARGEST_ANSWER_BYTES, RankedAnswer, encode_rerank
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.verdict import Deny
from gateway.usage import Usage

COHERE, AMAZON = "cohere.rerank-v3-5:0", "amazon.rerank-v1:0"
ASKED: dict[str, Any] = {"model": "rank", "query": "q", "documents": ["a", "b"]}
RESULTS = b'{"results": [{"index": 1, "relevance_score": 0.90}]}'


def said(document: dict[str, Any], model: str) -> Any:
    encoded = encode_rerank(document, model)
    return encoded if isinstance(encoded, Deny) else json.loads(encoded)


def test_each_model_is_told_what_it_takes() -> None:
    document = {**ASKED, "top_n": 1, "return_documents": True, "priority": 1}
    plain = {"query": "q", "documents": ["a", "b"], "top_n": 1}
    assert said(document, AMAZON) == plain
    assert said(document, f"us.{COHERE}") == {**plain, "api_version": 2}
    long = {**ASKED, "max_tokens_per_doc": 9, "top_n": None}
    assert said(long, COHERE)["max_tokens_per_doc"] == 9
    assert "top_n" not in said(long, COHERE)


@pytest.mark.parametrize(
    ("more", "model", "param"),
    [
        ({"max_tokens_per_doc": 9}, AMAZON, "max_tokens_per_doc"),
        ({"rank_fields": ["a"]}, COHERE, "rank_fields"),
        ({"documents": [{"text": "a"}]}, COHERE, "documents"),
        ({"query": {"text": "a"}}, COHERE, "query"),
        ({}, "meta.llama3-70b-instruct-v1:0", "model"),
    ],
)
def test_what_a_model_does_not_take_is_refused(more: Any, model: str, param: str) -> None:
    refused = said({**ASKED, **more}, model)
    assert isinstance(refused, Deny)
    assert (refused.status, refused.param) == (400, param)


def ranked(documents: int) -> RankedAnswer:
    return RankedAnswer(
        Asked("rank", "id-1", 1, document={**ASKED, "documents": ["a"] * documents})
    )


def test_an_answer_is_said_with_what_it_cost() -> None:
    answer = ranked(101)
    assert answer.feed(RESULTS[:20], is_end=False) == b""
    body = answer.feed(RESULTS[20:], is_end=True)
    assert body.startswith(RESULTS[:-1])  # scores stay as they are written
    found = json.loads(body)
    assert found["id"] == "id-1"
    assert found["meta"]["billed_units"] == {"search_units": 2}
    assert answer.usage == Usage(0, 0, searches=2)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"results": 1}', RESULTS[:-1]])
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        ranked(1).feed(body, is_end=True)


def test_an_answer_without_end_is_given_up() -> None:
    with pytest.raises(UnreadableAnswer, match="more than"):
        ranked(1).feed(bytes(LARGEST_ANSWER_BYTES + 1), is_end=False)
