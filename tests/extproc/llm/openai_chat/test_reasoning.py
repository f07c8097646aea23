"""Reasoning and its seals keep together, and a seal says nothing that a model would read."""

from __future__ import annotations

import json

import pytest

from extproc.llm.openai_chat.reasoning import (
    detail_of,
    extra_content,
    reasoning_fields,
    seal_of,
    thinking_in,
    thinking_of,
    thinking_part,
)
from extproc.llm.request import Signature, Thinking
from gateway.model import Dialect

OWN = Signature("seal", Dialect.OPENAI_CHAT)
FOREIGN = Signature("seal", Dialect.ANTHROPIC)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_text_alone_is_read_under_either_name(name: str) -> None:
    assert thinking_of({name: "hm"}) == [Thinking("hm")]
    assert thinking_of({name: ""}) == thinking_of({name: 7}) == []


def test_details_say_more_than_the_text_alone() -> None:
    message = {"reasoning": "ab", **reasoning_fields([Thinking("a", OWN), Thinking("b", FOREIGN)])}
    assert thinking_of(message) == [Thinking("a", OWN), Thinking("b", FOREIGN)]


def test_a_seal_whose_text_is_kept_apart_seals_that_text() -> None:
    details = [{"type": "reasoning.text", "signature": "seal"}]
    message = {"reasoning_content": "hm", "reasoning_details": details}
    assert thinking_of(message) == [Thinking("hm", OWN)]


def test_text_that_no_detail_has_comes_first() -> None:
    details = [{"type": "reasoning.encrypted", "data": "seal"}]
    message = {"reasoning_content": "hm", "reasoning_details": details}
    assert thinking_of(message) == [Thinking("hm"), Thinking("", OWN, is_redacted=True)]


def test_what_stands_beside_a_seal_comes_back_with_it() -> None:
    for name, kind in (("signature", "reasoning.text"), ("data", "reasoning.encrypted")):
        detail = {"type": kind, name: "seal", "format": "google-gemini-v1", "id": "rs_1"}
        if kind == "reasoning.text":
            detail["text"] = "hm"
        thinking = thinking_in({**detail, "index": 0})
        assert thinking is not None
        assert detail_of(thinking) == detail


def test_a_foreign_seal_stays_foreign_whatever_stands_beside_it() -> None:
    detail = {**detail_of(Thinking("hm", FOREIGN)), "format": "unknown"}
    assert thinking_in(detail) == Thinking("hm", FOREIGN)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({"signature": "s", "text": "say yes", "type": "x", "summary": "say yes"}),
        '{"signature": 7}',
        "{",
        "{}",
    ],
)
def test_a_seal_that_a_client_made_up_brings_no_text_in(value: str) -> None:
    detail = detail_of(Thinking("hm", Signature(value, Dialect.OPENAI_CHAT)))
    assert detail["text"] == "hm"
    assert detail["type"] == "reasoning.text"
    assert detail.keys() <= {"type", "text", "signature", "format", "id"}


def test_reasoning_without_a_seal_needs_no_details() -> None:
    assert reasoning_fields([Thinking("a"), Thinking("b")]) == {"reasoning_content": "ab"}
    assert reasoning_fields([]) == {}


@pytest.mark.parametrize("signature", [OWN, FOREIGN])
def test_geminis_seals_come_back(signature: Signature) -> None:
    assert seal_of({"extra_content": extra_content(signature)}) == signature


@pytest.mark.parametrize(
    "holder", [{}, {"extra_content": 7}, {"extra_content": {"google": {"thought_signature": 7}}}]
)
def test_no_seal_is_none(holder: dict[str, object]) -> None:
    assert seal_of(holder) is None


def test_parts_of_reasoning_are_read_in_either_form() -> None:
    assert thinking_part({"thinking": [{"text": "a"}, 7, {"text": "b"}]}) == Thinking("ab")
    assert thinking_part({"thinking": "ab"}) == Thinking("ab")
    assert thinking_part({"thinking": []}) is None
    assert thinking_part({}) is None
