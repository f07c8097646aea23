"""What others sealed is not played back to a provider in its own dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm import history, seals
from extproc.llm.anthropic.sealed import call_seal, text_seal
from extproc.llm.dialect import Call
from extproc.llm.dialects import SPEAKERS
from extproc.llm.request import Signature
from gateway.model import Dialect


def own(dialect: Dialect, document: dict[str, Any], model: str = "") -> tuple[bytes, bytes]:
    """The body, and what is left of it."""
    body = json.dumps(document).encode()
    call = SPEAKERS[dialect].reading.decode(body, model, is_stream=False)
    assert isinstance(call, Call)
    return body, history.own(body, call, dialect, SPEAKERS[dialect].codec)


def thinking(signature: str) -> dict[str, Any]:
    return {
        "model": "opus",
        "max_tokens": 10,
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": signature},
                    {"type": "text", "text": "hello"},
                ],
            },
            {"role": "user", "content": "go on"},
        ],
    }


def test_what_a_provider_sealed_itself_stays_byte_by_byte() -> None:
    body, left = own(Dialect.ANTHROPIC, thinking("EqQBCgIYAhIM"))
    assert left is body


def test_what_another_provider_sealed_is_left_out() -> None:
    foreign = seals.shown(Signature("c2ln", Dialect.GEMINI), Dialect.ANTHROPIC)
    _, left = own(Dialect.ANTHROPIC, thinking(foreign))
    assert b"dragoman" not in left
    assert b"thinking" not in left
    assert b"hello" in left
    assert b"go on" in left


@pytest.mark.parametrize("seal", [text_seal, call_seal])
def test_what_another_provider_sealed_beside_its_reasoning_is_left_out(seal: Any) -> None:
    document = thinking("own")
    document["messages"][1]["content"][0] = seal(Signature("c2ln", Dialect.GEMINI))
    _, left = own(Dialect.ANTHROPIC, document)
    assert b"dragoman" not in left
    assert b"hello" in left


def test_responses_play_back_items_without_the_foreign_ones() -> None:
    foreign = seals.shown(Signature("c2ln", Dialect.ANTHROPIC), Dialect.OPENAI_RESPONSES)
    item = {"type": "reasoning", "id": "rs_1_2", "summary": [], "encrypted_content": foreign}
    mine = {"role": "user", "content": "hi"}
    _, left = own(
        Dialect.OPENAI_RESPONSES, {"model": "gpt", "x_new": 1, "input": [mine, item, mine]}
    )
    assert json.loads(left) == {"model": "gpt", "x_new": 1, "input": [mine, mine]}


def test_chats_play_back_messages_without_the_reasoning_of_others() -> None:
    seal = seals.shown(Signature("c2ln", Dialect.ANTHROPIC), Dialect.OPENAI_CHAT)
    said = {"role": "assistant", "content": "hello"}
    details = [{"type": "reasoning.text", "text": "hm", "signature": seal}]
    document = {"model": "gpt", "messages": [{**said, "reasoning_details": details}]}
    _, left = own(Dialect.OPENAI_CHAT, document)
    assert json.loads(left) == {"model": "gpt", "messages": [said]}


@pytest.mark.parametrize("dialect", [Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES])
def test_what_nobody_sealed_is_not_foreign(dialect: Dialect) -> None:
    call = Call("m", False, {"messages": [], "input": []}, 0)
    assert not history.is_foreign(b"{}", call, dialect)


@pytest.mark.parametrize("dialect", Dialect)
def test_every_foreign_seal_bears_the_mark_that_is_looked_for(dialect: Dialect) -> None:
    for origin in set(Dialect) - {dialect}:
        shown = seals.shown(Signature("value", origin), dialect)
        assert seals.mark(dialect) in json.dumps({"signature": shown}).encode()
