"""Virtual keys in memory, for tests of those who ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

from extproc.keys import HeldKey, KeysUnavailable
from gateway.virtual_keys import VirtualKey


@dataclass(slots=True)
class Shelf:
    """Keys in memory, some of which must be fetched."""

    keys: dict[str, HeldKey] = field(default_factory=dict)
    is_far: bool = False
    is_out: bool = False
    asked: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    def find(self, id: str) -> HeldKey | Awaitable[HeldKey | None] | None:
        self.asked.append(id)
        return self._fetched(id) if self.is_far or self.is_out else self.keys.get(id)

    async def _fetched(self, id: str) -> HeldKey | None:
        await asyncio.sleep(0)
        if self.is_out:
            raise KeysUnavailable("gone")
        return self.keys.get(id)

    def look_again(self, id: str) -> Awaitable[HeldKey | None]:
        self.asked.append(id)
        return self._fetched(id)

    def note_use(self, key: HeldKey) -> None:
        self.used.append(key.id)


def stored(*keys: VirtualKey, is_far: bool = False, is_out: bool = False) -> Shelf:
    return Shelf({key.id: HeldKey(key) for key in keys}, is_far, is_out)
