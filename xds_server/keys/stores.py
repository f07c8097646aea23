"""The keys of whichever ledger is in force: where budgets are, there are keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.virtual_keys import VirtualKey
from xds_server.keys.store import Deed, Entry, KeyStore, SqliteKeyStore, Stored


def store_at(file: Path, place: LedgerPlace) -> KeyStore:
    """`file` is where the ledger of this machine is. Drivers are loaded where they are used."""
    if place.kind is LedgerKind.SQLITE:
        return SqliteKeyStore(file)
    if place.kind is LedgerKind.POSTGRES:
        from xds_server.keys.postgres_store import PostgresKeyStore  # noqa: PLC0415

        return PostgresKeyStore(place)
    from xds_server.keys.redis_store import RedisKeyStore  # noqa: PLC0415

    return RedisKeyStore(place)


@dataclass(frozen=True, slots=True)
class StoreInForce:
    """Each question goes to the ledger of the configuration that is in force by then."""

    file: Path
    place: Callable[[], LedgerPlace]

    def add(self, keys: Sequence[VirtualKey], deed: Deed) -> None:
        self._store.add(keys, deed)

    def change(
        self, ref: str, make: Callable[[VirtualKey], VirtualKey], deed: Deed
    ) -> VirtualKey | None:
        return self._store.change(ref, make, deed)

    def remove(self, ref: str, deed: Deed) -> VirtualKey | None:
        return self._store.remove(ref, deed)

    def find(self, ref: str) -> Stored | None:
        return self._store.find(ref)

    def page(
        self, after: str, limit: int, holder: Mapping[str, str] | None = None
    ) -> Sequence[Stored]:
        return self._store.page(after, limit, holder)

    def log(self, before: int | None, limit: int, ref: str = "") -> Sequence[Entry]:
        return self._store.log(before, limit, ref)

    @property
    def _store(self) -> KeyStore:
        return store_at(self.file, self.place())
