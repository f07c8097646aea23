"""How a table says what becomes of a key of theirs, and how the tables are applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.importers.walk import UNKNOWN_KEY, Node
from gateway.problem import did_you_mean


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one block that fare alike."""

    names: tuple[str, ...]
    note: str | None
    """Why they are not taken over, and what to do; None: the converter reads them and says."""
    is_lock: bool = False
    """They keep somebody or something out. What they protect is refused as a whole."""
    is_nothing: bool = False
    """They change nothing that ours would have to do."""
    is_limit: bool = False
    """They limit what those who are let in may use. What is around them is served without."""


Rows = tuple[Keys, ...]


def read(*names: str) -> Keys:
    """The converter reads them."""
    return Keys(names, None)


def without(note: str, *names: str) -> Keys:
    """Not in ours; what is around them works without."""
    return Keys(names, note)


def limit(note: str, *names: str) -> Keys:
    """Not in ours; what is around them is served, and without the limit, which is said first."""
    return Keys(names, note, is_limit=True)


def lock(note: str, *names: str) -> Keys:
    """Not in ours, and what they protect must not be served without them."""
    return Keys(names, note, is_lock=True)


def nothing(note: str, *names: str) -> Keys:
    """Ours does the same without being told."""
    return Keys(names, note, is_nothing=True)


def by_name(rows: Rows) -> Mapping[str, Keys]:
    """The row of each key."""
    return {name: row for row in rows for name in row.names}


def settle(node: Node, rows: Rows, *, unknown_is_lock: bool = True) -> tuple[str, ...]:
    """Answers all keys of a block that no converter reads. Gives the names of the locks.

    A key that we do not know may keep somebody out.
    """
    known = by_name(rows)
    node.expect(known)
    locks = []
    for name, field in node.fields():
        row = known.get(name)
        if row is None:
            hint = did_you_mean(name, known)
            note = f"{UNKNOWN_KEY} ({hint})" if hint.startswith("did you mean") else UNKNOWN_KEY
            field.unsupported(note, is_security=unknown_is_lock)
            if unknown_is_lock:
                locks.append(name)
        elif row.note is not None and field.is_empty:
            field.exact()
        elif row.is_nothing:
            field.exact(note=row.note or "")
        elif row.note is not None:
            field.unsupported(row.note, is_security=row.is_lock or row.is_limit)
            if row.is_lock:
                locks.append(name)
    return tuple(locks)
