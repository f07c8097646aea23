"""System prompts around the client's, and points of the cache."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.bedrock.shaping import marked, prompted
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks

ALL = CacheMarks(system=True, tools=True, last_message=True, min_tokens=1)
POINT = {"cachePoint": {"type": "default"}}
USUAL: dict[str, Any] = {
    "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}], "toolChoice": {"auto": {}}},
    "system": [{"text": "be nice"}],
    "messages": [{"role": "user", "content": [{"text": "hi there"}]}],
}


def put(marks: CacheMarks = ALL, **fields: Any) -> dict[str, Any]:
    members = json_spans.members(json.dumps(fields).encode())
    return {name: json.loads(value) for name, value in marked(members, marks).items()}


@pytest.mark.parametrize("own", [[{"text": "own"}], []])
def test_prompts_stand_around_those_of_the_client(own: list[dict[str, str]]) -> None:
    found = prompted(json_spans.members(json.dumps({"system": own}).encode()), "B", "A")
    assert json.loads(found["system"]) == [{"text": "B"}, *own, {"text": "A"}]
    assert prompted({}, "B", "") == {"system": b'[{"text":"B"}]'}


def test_points_stand_behind_what_is_to_be_kept() -> None:
    assert put(**USUAL) == {
        "toolConfig": {
            "tools": [*USUAL["toolConfig"]["tools"], POINT],
            "toolChoice": {"auto": {}},
        },
        "system": [{"text": "be nice"}, POINT],
        "messages": [{"role": "user", "content": [{"text": "hi there"}, POINT]}],
    }


def test_an_hour_is_asked_for() -> None:
    found = put(CacheMarks(system=True, ttl="1h", min_tokens=1), **USUAL)
    assert found == {
        "system": [{"text": "be nice"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    }


def test_who_sets_points_is_left_alone() -> None:
    assert put(**{**USUAL, "system": [{"text": "be nice"}, POINT]}) == {}


def test_nothing_is_marked_that_is_not_there_or_too_short() -> None:
    assert put(toolConfig={"tools": []}, system=[], messages=[]) == {}
    assert put(CacheMarks(system=True, tools=True, last_message=True), **USUAL) == {}
