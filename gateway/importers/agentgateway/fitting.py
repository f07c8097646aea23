"""Whether our schema takes a value, asked of the schema itself."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.environment import substitute
from gateway.config.llm import ModelName

_VALUES = ("1", "http://localhost:1")
"""What variables may be: a number that is a name and a host too, or an address."""


@dataclass(frozen=True, slots=True)
class _Anything(Mapping[str, str]):
    """An environment in which each variable is set."""

    value: str

    def __getitem__(self, key: str) -> str:
        return self.value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def fits(kind: Hashable, value: object) -> bool:
    """Whether our schema would take a value; a variable is thought to be one that it takes."""
    if not isinstance(value, str):
        return _takes(kind, value)
    return any(_takes(kind, substitute(value, _Anything(each)).text) for each in _VALUES)


def _takes(kind: Hashable, value: object) -> bool:
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
