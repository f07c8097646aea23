"""What operators do, written into the audit log: changes of keys, and of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.audit_log.terms import AuditTerms
from gateway.audit_log.writer import ChainWriter
from gateway.problem import Problem
from gateway.secret_texts import redact
from gateway.virtual_keys import VirtualKey
from xds_server.history import Origin
from xds_server.keys.store import Deed, Entry, KeyStore, KeysUnavailable, Stored
from xds_server.release import Release

WRITER = "control"
_LONGEST_REASON = 1024


class Deeds:
    """One chain, where the configuration that is in force says. May be used from any thread."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._place: str | None = None
        self._version = ""
        self._log: ChainWriter | None = None

    @property
    def is_blocked(self) -> bool:
        """It cannot be written, and nothing may be changed meanwhile."""
        return self._log is not None and self._log.is_blocked

    def note(self, event: str, details: Mapping[str, object]) -> None:
        """Write it down, if there is a log."""
        if self._log is not None:
            self._log.put({"event": event, **details})

    def in_force(self, release: Release, origin: Origin) -> None:
        """Everybody has taken it. What follows is written where it says; that it came is, too."""
        terms = release.gateway.audit
        told = {
            "version": release.version,
            "config": release.workers_version,  # as workers write it down
            "origin": origin.value,
        }
        is_new = release.version != self._version or origin is Origin.ROLLBACK
        self._version = release.version
        place = None if terms is None else terms.path
        if place != self._place:
            self.note("configuration.in_force", told)
            before, self._place = self._log, place
            self._log = None if terms is None else self._opened(terms)
            if before is not None:
                before.close()
        elif terms is not None and self._log is not None:
            self._log.follow(terms)
        if is_new:
            self.note("configuration.in_force", told)

    def refused(self, problems: Sequence[Problem]) -> None:
        """A change of the configuration did not come into force."""
        first = redact(str(problems[0])[:_LONGEST_REASON])
        self.note("configuration.refused", {"problems": len(problems), "reason": first})

    def close(self) -> None:
        """Write what is left."""
        if self._log is not None:
            self._log.close()

    def _opened(self, terms: AuditTerms) -> ChainWriter:
        return ChainWriter(self._state_dir / terms.path, WRITER, terms)


class AuditedKeyStore:
    """A store of keys whose changes are written into the audit log when they have been made, beside
    the log that the store keeps itself."""

    def __init__(self, store: KeyStore, deeds: Deeds) -> None:
        self._store = store
        self._deeds = deeds

    def add(self, keys: Sequence[VirtualKey], deed: Deed) -> None:
        self._ask()
        self._store.add(keys, deed)
        for key in keys:
            self._note(deed, key)

    def change(
        self, ref: str, make: Callable[[VirtualKey], VirtualKey], deed: Deed
    ) -> VirtualKey | None:
        self._ask()
        return self._note(deed, self._store.change(ref, make, deed))

    def remove(self, ref: str, deed: Deed) -> VirtualKey | None:
        self._ask()
        return self._note(deed, self._store.remove(ref, deed))

    def find(self, ref: str) -> Stored | None:
        return self._store.find(ref)

    def page(
        self, after: str, limit: int, holder: Mapping[str, str] | None = None
    ) -> Sequence[Stored]:
        return self._store.page(after, limit, holder)

    def log(self, before: int | None, limit: int, ref: str = "") -> Sequence[Entry]:
        return self._store.log(before, limit, ref)

    def _ask(self) -> None:
        if self._deeds.is_blocked:
            raise KeysUnavailable("the audit log cannot be written at the moment")

    def _note(self, deed: Deed, key: VirtualKey | None) -> VirtualKey | None:
        if key is not None:
            told = {"who": deed.who, "key": key.name, "key_id": key.id, "details": deed.details}
            self._deeds.note(f"key.{deed.what}", told)
        return key
