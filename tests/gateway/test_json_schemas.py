"""A text either holds to a schema, or it is told what does not hold; quickly, and from here."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway.json_schemas import InvalidSchema, Schema

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"name": "ann", "age": 3, "tags": ["a"]}', None),
        (' {"name": "ann"}\n', None),
        ('{"name": ""}', "at '/name', 'minLength' does not hold"),
        ('{"age": 3}', "at '/', 'required' does not hold"),
        ('{"name": "ann", "age": 3.5}', "at '/age', 'type' does not hold"),
        ('{"name": "ann", "tags": ["a", "c"]}', "at '/tags/1', 'enum' does not hold"),
        ('{"name": "ann", "x": 1}', "at '/', 'additionalProperties' does not hold"),
        ('"ann"', "at '/', 'type' does not hold"),
        ('{"name": "ann"', "it is not JSON"),
        ('```json\n{"name": "ann"}\n```', "it is not JSON"),
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("\ud800", "it is not JSON"),
    ],
)
def test_texts_are_judged(text: str, fault: str | None) -> None:
    assert Schema(PERSON).fault(text) == fault


def test_what_was_said_is_not_repeated() -> None:
    fault = Schema({"properties": {"key": {"maxLength": 3}}}).fault('{"key": "sk-very-secret"}')
    assert fault is not None
    assert "secret" not in fault


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"properties": 3},
        {"pattern": "("},
        {"pattern": "(?=x)y"},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "#/$defs/nobody"},
    ],
)
def test_what_is_no_schema_is_told(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema) as error:
        Schema(schema)
    assert str(error.value)


def test_references_within_a_schema_hold() -> None:
    schema = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}
    assert Schema(schema).fault("3") is None
    assert Schema(schema).fault('"3"') is not None


def test_older_drafts_are_told_by_their_names() -> None:
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": True}
    assert Schema({**old, "minimum": 3}).fault("3") is not None


def test_patterns_take_linear_time() -> None:
    begin = time.process_time()
    assert Schema({"pattern": "^(a+)+$"}).fault('"' + "a" * 50_000 + '!"') is not None
    assert time.process_time() - begin < 1


def test_false_allows_nothing() -> None:
    assert Schema(False).fault("3") is not None
    assert Schema(True).fault("3") is None


def test_faults_are_told_in_words_to_who_made_them() -> None:
    faults = Schema(PERSON).faults('{"age": "x", "more": 1}', 5)
    assert len(faults) == 3
    assert any("at '/age'" in each and "integer" in each for each in faults)
    assert any("'more'" in each for each in faults)
    assert any('"name"' in each for each in faults)
    assert len(Schema(PERSON).faults('{"age": "x", "more": 1}', 1)) == 1
    assert Schema(PERSON).faults('{"name": "ann"}', 5) == ()
    assert Schema(PERSON).faults("{", 5) == ("it is not JSON",)
    assert len(Schema({"maxLength": 1}).faults(f'"{"x" * 1000}"', 1)[0]) < 400
