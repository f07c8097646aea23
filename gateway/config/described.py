"""What fields mean, from the strings that stand below them, for JSON Schemas of blocks.

Read from the source when a schema is wanted, so that whoever only reads configurations starts
sooner.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


class Described(GenerateJsonSchema):
    """Pydantic's schemas, with descriptions of fields."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Of one block."""
        found = super().model_schema(schema)
        for name, text in _descriptions(schema["cls"]).items():
            alias = schema["cls"].model_fields[name].alias or name
            member = found.get("properties", {}).get(alias)
            if member is not None and "description" not in member:
                member["description"] = text
        return found


def _descriptions(block: type[BaseModel]) -> Mapping[str, str]:
    """By field, those that it inherits included."""
    found: dict[str, str] = {}
    for base in reversed(block.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _own(base)
    return {name: text for name, text in found.items() if name in block.model_fields}


def _own(block: type[BaseModel]) -> Iterator[tuple[str, str]]:
    (statement,) = ast.parse(inspect.getsource(block)).body
    assert isinstance(statement, ast.ClassDef)
    for field, below in zip(statement.body, statement.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, inspect.cleandoc(text)
