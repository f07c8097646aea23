"""Whether our schema takes a value, asked of the schema itself."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.environment import substitute
from gateway.config.llm import ModelName


class _Anything(Mapping[str, str]):
    """An environment in which each variable is set."""

    def __getitem__(self, key: str) -> str:
        return "1"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def fits(kind: Hashable, value: object) -> bool:
    """Whether our schema would take a value; a variable is thought to be one that it takes."""
    if isinstance(value, str):
        value = substitute(value, _Anything()).text
    try:
        _adapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def is_model(name: str) -> bool:
    """Whether a model can have the name. It is a key, and variables are not read in keys."""
    return fits(ModelName, name) and "${" not in name


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(kind)  # type: ignore[arg-type]  # an annotated type
