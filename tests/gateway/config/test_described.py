"""Descriptions of fields, held to what stands in the source."""

from __future__ import annotations

from pydantic import BaseModel, Field

from gateway.config.described import Described


class Inner(BaseModel):
    """Of the inside."""

    size: int = 0
    """How large it is,

    in bytes.
    """
    bare: int = 0


class Outer(Inner):
    """Of the outside."""

    inner: Inner = Inner()
    """What is inside."""
    renamed: int = Field(1, alias="other")
    """By another name."""
    told: int = Field(1, description="as said")
    """Said twice."""


def test_fields_mean_what_stands_below_them() -> None:
    schema = Outer.model_json_schema(schema_generator=Described)
    described = {name: each.get("description") for name, each in schema["properties"].items()}
    assert described == {
        "size": "How large it is,\n\nin bytes.",
        "bare": None,
        "inner": "What is inside.",
        "other": "By another name.",
        "told": "as said",
    }
    assert schema["description"] == "Of the outside."
    assert schema["$defs"]["Inner"]["properties"]["size"]["description"].startswith("How large")
