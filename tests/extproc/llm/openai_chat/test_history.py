"""What others sealed is not played back to a server of the chat dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm import seals
from extproc.llm.openai_chat.history import foreign_messages, own_messages
from extproc.llm.request import Signature
from gateway.model import Dialect

CLAUDES = seals.shown(Signature("c2ln", Dialect.ANTHROPIC), Dialect.OPENAI_CHAT)
GEMINIS = seals.shown(Signature("c2ln", Dialect.GEMINI), Dialect.OPENAI_CHAT)
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def extra(seal: str) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": seal}}}


def left(*messages: object) -> Any:
    document = {"x_new": [1.50], "messages": list(messages), "model": "m"}
    return json.loads(own_messages(json.dumps(document).encode(), document))["messages"]


@pytest.mark.parametrize(
    "reasoning",
    [
        {
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": CLAUDES}],
        },
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": CLAUDES}]},
        {"reasoning": "hm", **extra(GEMINIS)},
    ],
)
def test_a_message_with_anothers_seal_loses_its_reasoning(reasoning: dict[str, Any]) -> None:
    asked = {"role": "user", "content": "hi"}
    said = {"role": "assistant", "content": "hello", "x_new": 1}
    assert left(asked, {**said, **reasoning}, asked) == [asked, said, asked]


def test_calls_lose_the_seals_of_others_and_nothing_else() -> None:
    said = {"role": "assistant", "content": None, "reasoning_content": "hm"}
    sealed = {**CALL, **extra(GEMINIS)}
    assert left({**said, "tool_calls": [CALL, sealed]}) == [
        {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]}
    ]


def test_what_was_reasoning_alone_says_nothing() -> None:
    details = [{"type": "reasoning.encrypted", "data": CLAUDES}]
    said = {"role": "assistant", "reasoning_details": details}
    assert left({**said, "content": None}) == left(said) == [{"role": "assistant", "content": ""}]
    assert left({**said, "refusal": "no"}) == [{"role": "assistant", "refusal": "no"}]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": '"dragoman:anthropic:c2ln'},
        {"role": "assistant", "content": "a", "reasoning_content": "dragoman:anthropic:c2ln"},
        {"role": "assistant", "content": "a", "reasoning_details": None, "tool_calls": None},
        {"role": "assistant", "content": "a", "tool_calls": [CALL, 5, {**CALL, **extra("own")}]},
        {
            "role": "assistant",
            "content": "a",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "own"}],
        },
        {"role": "assistant", "content": "a", "extra_content": {"google": GEMINIS}},
        5,
    ],
)
def test_all_else_stays_byte_by_byte(message: object) -> None:
    document = {"messages": [message]}
    body = json.dumps(document, indent=1).encode()
    assert own_messages(body, document) is body


def test_other_messages_stay_as_they_are_written() -> None:
    body = (
        b'{"messages" : [ {"content": "\\u00e9", "n":1.50} , %s ],"a":1}'
        % json.dumps({"role": "assistant", "content": "b", **extra(CLAUDES)}).encode()
    )
    found = own_messages(body, json.loads(body))
    assert b'{"content": "\\u00e9", "n":1.50}' in found
    assert json.loads(found)["messages"][1] == {"role": "assistant", "content": "b"}


def test_a_body_without_messages_bears_no_seal() -> None:
    assert foreign_messages({}) == foreign_messages({"messages": "hi"}) == []
