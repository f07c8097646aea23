from __future__ import annotations

import json

import pytest

from extproc.llm.answer import Answer, Candidate
from extproc.llm.openai_responses.answers import encode_answer
from extproc.llm.openai_responses.history import own_input
from extproc.llm.request import Signature, Text, Thinking, ToolCall
from gateway.model import Dialect
from tests.kit import responses as kit

CLAUDE = Signature("abc", Dialect.ANTHROPIC)
GEMINI = Signature("def", Dialect.GEMINI)
OWN = {"type": "reasoning", "id": "rs_68a1", "summary": [], "encrypted_content": "gAAA"}
STORED = {"type": "reasoning", "id": "rs_68a1", "summary": []}
HELLO = {"role": "user", "content": "hello"}


@pytest.mark.parametrize("document", [{}, {"input": "hello"}, {"input": [HELLO, OWN, STORED, 5]}])
def test_what_openai_said_stays_as_it_is(document: dict[str, object]) -> None:
    assert own_input(document) is None


def test_what_others_thought_is_taken_out_and_what_they_said_stays() -> None:
    parts = (
        Thinking("hm", CLAUDE),
        Thinking("", CLAUDE, is_redacted=True),
        Thinking("unsealed"),
        Text("a", signature=GEMINI),
        ToolCall("c", "get", "{}", GEMINI),
    )
    answer = Answer("msg_1", "", (Candidate(parts),), None)
    told = json.loads(encode_answer(answer, kit.ASKED))["output"]
    left = own_input({"input": [HELLO, OWN, *told]})
    assert left is not None
    types = [item.get("type", "message") for item in json.loads(left)]
    assert types == ["message", "reasoning", "message", "function_call"]
    assert json.loads(left)[1] == OWN
