"""What the demo makes up fits what was asked for."""

from __future__ import annotations

from math import isclose
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from xds_server.demo.samples import embedding, sample


class Person(BaseModel):
    name: str
    age: int = Field(ge=18, le=99)
    friends: list[Person]


class Team(BaseModel):
    lead: Person
    kind: Literal["red", "blue"]
    note: str | None
    scores: dict[str, float]
    sizes: list[int] = Field(min_length=3)
    is_open: bool


@pytest.mark.parametrize("model", [Person, Team])
def test_a_sample_fits_its_schema(model: type[BaseModel]) -> None:
    found: Any = sample(model.model_json_schema(), "hello")
    assert model.model_validate(found, strict=True)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "hello"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"const": 7}, 7),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": ["integer", "null"]}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, True),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"$ref": "#/$defs/none"}, None),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}),
        (True, {}),
        ("nonsense", None),
    ],
)
def test_what_is_said(schema: object, expected: object) -> None:
    assert sample(schema, "hello") == expected


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert sample({"$ref": "#"}, "hello") is None


def test_the_same_text_is_at_the_same_place() -> None:
    here = embedding("hello", 16)
    assert here == embedding("hello", 16)
    assert here != embedding("world", 16)
    assert isclose(sum(each * each for each in here), 1.0)
