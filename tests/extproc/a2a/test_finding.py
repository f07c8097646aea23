from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from extproc.a2a import finding
from tests.extproc.a2a.test_registry import REGISTRY, VIEW


def found(arguments: dict[str, Any]) -> dict[str, Any]:
    result = json.loads(finding.result(REGISTRY, VIEW, arguments))
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({}, ["travel", "painter", "plain", "silent"]),
        ({"query": "book a flight & a seat"}, ["travel", "painter"]),
        ({"tag": "art", "limit": 1}, ["travel"]),
        ({"skill": "paint"}, ["painter"]),
        ({"input": "text/plain", "output": "image/png"}, ["painter"]),
        ({"page": "3"}, ["silent"]),
    ],
)
def test_a_model_finds_agents(arguments: dict[str, Any], names: list[str]) -> None:
    jsonschema.validate(arguments, finding.definition()["inputSchema"])
    result = found(arguments)
    assert result["isError"] is False
    assert [each["name"] for each in result["structuredContent"]["agents"]] == names
    (content,) = result["content"]
    assert json.loads(content["text"]) == result["structuredContent"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"query": 5}, "'query' must be a text"),
        ({"limit": "5"}, "'limit' must be a number"),
        ({"limit": True}, "'limit' must be a number"),
        ({"limit": 0}, "from 1 to 100"),
        ({"page": "x"}, "must be a number"),
        ({"colour": "red"}, "no argument 'colour'; known: query"),
    ],
)
def test_a_model_is_told_what_it_did_wrong(arguments: dict[str, Any], reason: str) -> None:
    result = found(arguments)
    assert result["isError"] is True
    assert reason in result["content"][0]["text"]
    if reason != "must be a number":
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(arguments, finding.definition()["inputSchema"])
