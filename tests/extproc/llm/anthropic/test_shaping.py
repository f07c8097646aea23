"""System prompts around the client's, and the marks of the cache."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.anthropic.shaping import marked, prompted
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks

ALL = CacheMarks(system=True, tools=True, last_message=True, min_tokens=1)
SHORT = {"cache_control": {"type": "ephemeral"}}
LONG = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
MESSAGES = [{"role": "user", "content": "hi there"}]
TOOLS = [{"name": "f", "input_schema": {}}, {"name": "g", "input_schema": {}}]


def members(**fields: Any) -> dict[str, bytes]:
    return json_spans.members(json.dumps(fields).encode())


def put(marks: CacheMarks = ALL, **fields: Any) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in marked(members(**fields), marks).items()}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


@pytest.mark.parametrize(
    ("fields", "system"),
    [
        ({}, "B\n\nA"),
        ({"system": "own"}, "B\n\nown\n\nA"),
        ({"system": None}, "B\n\nA"),
        ({"system": [text("own", x=1)]}, [text("B"), text("own", x=1), text("A")]),
        ({"system": []}, [text("B"), text("A")]),
    ],
)
def test_prompts_stand_around_that_of_the_client(fields: dict[str, Any], system: object) -> None:
    found = prompted(members(messages=MESSAGES, **fields), "B", "A")
    assert {name: json.loads(value) for name, value in found.items()} == {"system": system}


def test_what_is_to_be_kept_is_marked_at_its_end() -> None:
    assert put(tools=TOOLS, system="be nice", messages=MESSAGES) == {
        "tools": [TOOLS[0], {**TOOLS[1], **SHORT}],
        "system": [text("be nice", **SHORT)],
        "messages": [{"role": "user", "content": [text("hi there", **SHORT)]}],
    }


def test_only_what_was_asked_for_is_marked() -> None:
    marks = CacheMarks(tools=True, ttl="24h", min_tokens=1)
    found = put(marks, tools=TOOLS, system="be nice", messages=MESSAGES)
    assert found == {"tools": [TOOLS[0], {**TOOLS[1], **LONG}]}


@pytest.mark.parametrize(
    "own",
    [
        {"system": [text("be nice", **SHORT)]},
        {"tools": [{**TOOLS[0], **SHORT}]},
        {"messages": [{"role": "user", "content": [text("hi", **SHORT)]}]},
        SHORT,
    ],
)
def test_who_marks_is_left_alone(own: dict[str, Any]) -> None:
    usual = {"tools": TOOLS, "system": "be nice", "messages": MESSAGES}
    assert put(**{**usual, **own}) == {}


def test_a_text_about_marks_is_none() -> None:
    about = [{"role": "user", "content": 'what is "cache_control"?'}]
    assert put(messages=about).keys() == {"messages"}


def test_what_cannot_be_marked_is_passed_over() -> None:
    blocks = [text("said"), {"type": "thinking", "thinking": "…", "signature": "s"}, text(" ")]
    found = put(messages=[{"role": "assistant", "content": blocks}], system=" ")
    assert found == {
        "messages": [{"role": "assistant", "content": [text("said", **SHORT), *blocks[1:]]}]
    }
    later = {"name": "h", "defer_loading": True}
    assert put(tools=[TOOLS[0], later])["tools"] == [{**TOOLS[0], **SHORT}, later]
    assert put(messages=[], tools=[later], system=[]) == {}


def test_short_beginnings_are_not_marked() -> None:
    marks = CacheMarks(system=True, tools=True, last_message=True, min_tokens=100)
    found = put(marks, tools=TOOLS, system="word " * 100, messages=MESSAGES)
    assert found.keys() == {"system", "messages"}


blocks = st.lists(
    st.builds(
        lambda kind, said: {"type": kind, "text": said}, st.sampled_from(["text", "x"]), st.text()
    )
)
contents = st.text() | blocks


@given(system=contents, content=contents, tools=st.lists(st.just({"name": "f"}), max_size=3))
def test_there_are_never_more_marks_than_parts_and_nothing_else_changes(
    system: object, content: object, tools: list[object]
) -> None:
    fields = {"system": system, "messages": [{"role": "user", "content": content}], "tools": tools}
    body = json.dumps(fields).encode()
    found = json.loads(json_spans.replace(body, marked(json_spans.members(body), ALL)))
    assert json.dumps(found).count('"cache_control"') <= 3
    assert bare(found) == bare(fields)


def bare(value: Any) -> Any:
    """Without marks, and texts as blocks."""
    if isinstance(value, dict):
        found = {key: bare(each) for key, each in value.items() if key != "cache_control"}
        for key in ("system", "content"):
            if isinstance(found.get(key), str):
                found[key] = [text(found[key])]
        return found
    return [bare(each) for each in value] if isinstance(value, list) else value
