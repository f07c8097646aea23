"""Parts of the system instruction around the client's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.gemini.shaping import prompted
from extproc.protocols import json_spans

OWN = {"parts": [{"text": "own"}], "role": "system"}
AROUND = [{"text": "B"}, {"text": "own"}, {"text": "A"}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"systemInstruction": OWN}, {"systemInstruction": {**OWN, "parts": AROUND}}),
        ({"system_instruction": OWN}, {"system_instruction": {**OWN, "parts": AROUND}}),
        ({}, {"systemInstruction": {"parts": [{"text": "B"}, {"text": "A"}]}}),
        ({"systemInstruction": None}, {"systemInstruction": {"parts": [AROUND[0], AROUND[2]]}}),
        ({"systemInstruction": {}}, {"systemInstruction": {"parts": [AROUND[0], AROUND[2]]}}),
    ],
)
def test_parts_stand_around_those_of_the_client(
    fields: dict[str, Any], told: dict[str, Any]
) -> None:
    found = prompted(json_spans.members(json.dumps(fields).encode()), "B", "A")
    assert {name: json.loads(value) for name, value in found.items()} == told
