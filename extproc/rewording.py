"""How the texts of a request are changed, whatever dialect it is in: what policies and dialects
say to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from extproc.verdict import Deny
from gateway.model import TextScope


class Rewording(Protocol):
    """What is to become of the texts of a request."""

    def text(self, text: str) -> str:
        """The new text."""

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        """The pieces of one text, before each is given to `text`: what only the whole shows."""

    def fixed(self, text: str) -> None:
        """A text that cannot be changed: the name of a property."""


@runtime_checkable
class Placed(Rewording, Protocol):
    """One that depends on where a text stands."""

    def at(self, scope: TextScope) -> None:
        """Where the texts stand that follow; told whenever that changes."""


class Reworded(Struct, frozen=True):
    """A request with other texts."""

    values: Mapping[str, bytes]
    """New values for the top-level keys in which something changed; for splicing."""
    texts: tuple[str, ...]
    """All that a model would read now."""


Reword: TypeAlias = Callable[[bytes, Rewording], Reworded | Deny]
"""A dialect's way to reword the texts of a body."""
