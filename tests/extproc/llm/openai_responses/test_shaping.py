"""Instructions around those of the client, and the key of the cache."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.openai_responses.shaping import marked, prompted
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks

ALL = CacheMarks(system=True, tools=True, min_tokens=1)


def members(**fields: Any) -> dict[str, bytes]:
    return json_spans.members(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "instructions"),
    [
        ({"instructions": "own"}, "B\n\nown\n\nA"),
        ({"instructions": ""}, "B\n\nA"),
        ({"instructions": None}, "B\n\nA"),
        ({}, "B\n\nA"),
    ],
)
def test_instructions_stand_around_those_of_the_client(
    fields: dict[str, Any], instructions: str
) -> None:
    found = prompted(members(input="hi", **fields), "B", "A")
    assert {name: json.loads(value) for name, value in found.items()} == {
        "instructions": instructions
    }


def test_the_key_is_of_instructions_and_tools() -> None:
    first = marked(members(input="hi", instructions="be nice"), ALL)
    assert first == marked(members(input="bye", instructions="be nice"), ALL)
    assert first != marked(members(input="hi", instructions="be short"), ALL)
    assert first != marked(members(input="hi", instructions="be nice", tools=[{}]), ALL)
    assert marked(members(input="hi"), ALL) == {}
    assert marked(members(input="hi", instructions=None), ALL) == {}
