"""What every block of the configuration shares: immutable, no unknown keys, documented fields."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


class Block(BaseModel):
    """A mapping with known keys. A key with nothing after it is as if it were not there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    is_named_by_file: ClassVar[bool] = False
    """Whether the path of a file may stand in its place."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict) or None not in data.values():
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in data.items() if value is not None or key not in known}


def refusal(message: str, hint: str = "", *, is_shown: bool = True) -> PydanticCustomError:
    """A mistake in our own words. `is_shown`: what was written may be repeated after it."""
    return PydanticCustomError(
        "refused", "{message}", {"message": message, "hint": hint, "is_shown": is_shown}
    )


def block_or_text(
    core_schema: CoreSchema, handler: GetJsonSchemaHandler, text_format: str
) -> JsonSchemaValue:
    """The JSON Schema of a block in whose place a text may stand, wherever it is referred to."""
    found = handler(core_schema)
    block = handler.resolve_ref_schema(found)
    as_block = dict(block)
    block.clear()
    block |= {"anyOf": [as_block, {"type": "string", "format": text_format}]}
    return found
