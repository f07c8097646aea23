"""System prompts at the start of a chat, and the key of its cache."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.openai_chat.shaping import marked, prompted
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks

ALL = CacheMarks(system=True, tools=True, min_tokens=1)
HI = {"role": "user", "content": "hi"}


def members(**fields: Any) -> dict[str, bytes]:
    return json_spans.members(json.dumps(fields).encode())


def told(*messages: dict[str, Any], before: str = "B", after: str = "A") -> list[dict[str, Any]]:
    found = prompted(members(messages=messages), before, after)
    return json.loads(found["messages"])  # type: ignore[no-any-return]


def test_prompts_stand_around_those_of_the_client() -> None:
    own = {"role": "developer", "content": [{"type": "text", "text": "own"}], "name": "x"}
    assert told(own, HI, own) == [
        {"role": "developer", "content": "B"},
        own,
        {"role": "developer", "content": "A"},
        HI,
        own,
    ]


def test_without_one_of_the_clients_they_begin_the_chat() -> None:
    system = {"role": "system"}
    assert told(HI) == [{**system, "content": "B"}, {**system, "content": "A"}, HI]
    assert told(HI, before="") == [{**system, "content": "A"}, HI]
    assert told(HI, after="") == [{**system, "content": "B"}, HI]


def test_messages_are_passed_as_they_are_written() -> None:
    written = b'{ "role":"user","content" : "\\u00e9" , "n":1.50}'
    found = prompted({"messages": b"[ " + written + b" ]"}, "B", "")
    assert written in found["messages"]


def test_equal_beginnings_have_one_key_and_others_another() -> None:
    system = {"role": "system", "content": "be nice"}
    first = marked(members(messages=[system, HI]), ALL)
    assert first == marked(members(messages=[system, HI, HI], seed=1), ALL)
    assert first != marked(members(messages=[system | {"content": "be short"}, HI]), ALL)
    assert first.keys() == {"prompt_cache_key"}


@pytest.mark.parametrize(
    ("marks", "fields"),
    [
        (CacheMarks(system=True, tools=True, min_tokens=1000), {}),
        (CacheMarks(tools=True, min_tokens=1), {}),
        (ALL, {"messages": [HI]}),
        (ALL, {"prompt_cache_key": "own"}),
    ],
)
def test_no_key_where_it_would_help_nobody(marks: CacheMarks, fields: dict[str, Any]) -> None:
    usual = {"messages": [{"role": "system", "content": "be nice"}, HI]}
    assert marked(members(**{**usual, **fields}), marks) == {}


def test_tools_are_a_beginning_too() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert marked(members(messages=[HI], tools=tools), ALL)
    assert not marked(members(messages=[HI], tools=tools), CacheMarks(system=True, min_tokens=1))


def test_long_keeping_is_asked_for_once() -> None:
    system = {"role": "system", "content": "be nice"}
    day = CacheMarks(system=True, ttl="24h", min_tokens=1)
    assert marked(members(messages=[system]), day)["prompt_cache_retention"] == b'"24h"'
    own = members(messages=[system], prompt_cache_retention="in_memory")
    assert marked(own, day).keys() == {"prompt_cache_key"}
