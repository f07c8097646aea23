"""A mistake before its place is looked up: what the reader, the schema and the rules report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions, from the top of the document."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake and where in the document it is."""

    path: Path
    message: str
    hint: str = ""
    line: int = 0
    """Set when the path alone would lead to another line: syntax, second keys."""
    file: str = ""
    """Set with the line, once it is known; the path is then that of this file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written."""

    file: str = ""
    line: int = 0
    path: Path = ()
    """In that file; positions in lists that several files make up differ from it."""


def dotted(path: Iterable[str | int]) -> str:
    """`llm.models.fast`, as Problems write it."""
    return ".".join(str(part) for part in path)
