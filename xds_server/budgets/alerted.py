"""Which virtual keys have budgets that somebody wants to be told of.

There may be 100,000 keys, so they are read once; then the log tells which have changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.model import Budget
from gateway.virtual_keys import VirtualKey
from xds_server.keys.store import Entry, KeyStore

_PAGE = 1000


class Owned(NamedTuple):
    """A budget of a key's own."""

    key: str
    """Its name."""
    budget: Budget


class AlertedKeys:
    """As of the last look."""

    def __init__(self, keys: KeyStore, page: int = _PAGE) -> None:
        """`page`: how many are read at once, and of how many changes are asked one by one."""
        self._keys = keys
        self._page = page
        self._newest: Entry | None = None
        """The latest change that is known; None: there was none, or nothing has been read."""
        self._found: dict[str, tuple[Owned, ...]] = {}
        """By the key's id."""

    def look(self) -> Sequence[Owned]:
        """All budgets of keys that have thresholds. May block; raises KeysUnavailable."""
        newest = next(iter(self._keys.log(None, 1)), None)
        if newest is None or newest != self._newest:
            changed = self._changed()
            if changed is None:
                self._read_all()
            else:
                for id in changed:
                    stored = self._keys.find(id)
                    self._found.pop(id, None)
                    if stored is not None and stored.key.id == id:
                        self._take(stored.key)
            self._newest = newest
        return [each for owned in self._found.values() for each in owned]

    def _changed(self) -> set[str] | None:
        """The ids of keys that changed since; None: there are too many to ask one by one, or the
        keys are kept elsewhere now."""
        entries = self._keys.log(None, self._page)
        if self._newest not in entries:
            return None
        return {each.id for each in entries[: entries.index(self._newest)]}

    def _read_all(self) -> None:
        self._found.clear()
        for key in self._all():
            self._take(key)

    def _all(self) -> Iterator[VirtualKey]:
        after = ""
        while rows := self._keys.page(after, self._page):
            yield from (each.key for each in rows)
            after = rows[-1].key.name

    def _take(self, key: VirtualKey) -> None:
        if any(each.alerts for each in key.budgets):
            owned = (each for each in key.own_budgets() if each.alerts)
            self._found[key.id] = tuple(Owned(key.name, each) for each in owned)
