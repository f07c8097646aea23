"""What is to be cached is read as a prompt is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.dialect import Call
from extproc.llm.gemini.caching import READING, usage_of
from extproc.verdict import Deny
from gateway.usage import Usage

CONTENT = {"role": "user", "parts": [{"text": "a book"}]}


def decoded(**fields: Any) -> Call | Deny:
    body = json.dumps({"model": "models/gemini-3-flash", "contents": [CONTENT], **fields})
    return READING.decode(body.encode(), "", is_stream=False)


def test_all_that_a_model_would_read_is_read_under_both_names() -> None:
    call = decoded(
        system_instruction={"parts": [{"text": "be kind"}]},
        tools=[{"functionDeclarations": [{"name": "f", "description": "finds"}]}],
        ttl="600s",
        displayName="books",
    )
    assert isinstance(call, Call)
    assert (call.model, call.max_output_tokens) == ("gemini-3-flash", 0)
    texts = READING.texts(call.document)
    assert not isinstance(texts, Deny)
    assert {"a book", "be kind", "finds", "books"} <= set(texts)


def test_a_prompt_of_the_system_may_be_all() -> None:
    assert isinstance(decoded(contents=None, systemInstruction=CONTENT), Call)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": None}, "invalid_type"),
        ({"model": "models/"}, "invalid_value"),
        ({"contents": "a book"}, "invalid_type"),
        ({"Contents": [CONTENT]}, "ambiguous_key"),
        ({"systemInstruction": CONTENT, "system_instruction": CONTENT}, "ambiguous_key"),
    ],
)
def test_what_could_be_read_otherwise_is_refused(fields: dict[str, Any], code: str) -> None:
    fault = decoded(**fields)
    assert isinstance(fault, Deny)
    assert fault.code == code


def test_what_was_cached_was_read_and_written() -> None:
    used = usage_of({"totalTokenCount": 50, "textCount": 9})
    told = (("totalTokenCount", 50), ("textCount", 9))
    assert used == Usage(50, 0, cache_write_tokens=50, reported=told)
    assert usage_of({}) is None
