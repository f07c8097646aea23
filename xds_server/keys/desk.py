"""Makes, changes, rotates, revokes and forgets virtual keys, as operators ask for it.

The text of a key leaves here once, in the answer that makes it. May block: the store does.
Docs: docs/keys.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec

from gateway.config.key_terms import applied, iso, said_of, span, terms_of
from gateway.problem import Problem
from gateway.virtual_keys import (
    ID_BYTES,
    SALT_BYTES,
    SECRET_BYTES,
    HashedSecret,
    Parts,
    VirtualKey,
    hashed,
    in_letters,
    written,
)
from xds_server.keys.store import Deed, KeyStore, Stored, Taken

Told: TypeAlias = dict[str, Any]
KEEP = "24h"
"""How long the key before a rotation goes on to work, unless told otherwise."""
PAGE = 1000
"""Keys, or entries of the log, that are told at once."""
MOST_IMPORTED = 1000
"""Keys of one import; more come in several."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed."""

    status: int
    problems: tuple[Problem, ...]


class _Refusing(Exception):
    """Ends a change within the store."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Desk:
    """One store, and what else it takes."""

    store: KeyStore
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    """So many bytes that nobody can guess."""
    names_of_file: Callable[[], Collection[str]]
    """The keys that stand in the configuration: names are unique among all."""

    @property
    def _now(self) -> int:
        return int(self.clock())

    def create(self, said: object, who: str) -> Told | Refused:
        """Make a key; the answer alone has its text, as `key`."""
        terms = terms_of(said)
        if isinstance(terms, tuple):
            return Refused(400, terms)
        if terms.name in self.names_of_file():
            return _taken(terms.name)
        parts = Parts(in_letters(self.random(ID_BYTES)), in_letters(self.random(SECRET_BYTES)))
        secret = hashed(parts.secret, self.random(SALT_BYTES))
        now = self._now
        made = applied(terms, VirtualKey(parts.id, terms.name, (secret,), now), now)
        if isinstance(made, Problem):
            return Refused(400, (made,))
        try:
            self.store.add([made], Deed(now, who, "create", _shown(said_of(made))))
        except Taken:
            return _taken(terms.name)
        return {"key": written(parts), **self._described(Stored(made, None))}

    def change(self, ref: str, said: object, who: str) -> Told | Refused:
        """Put these terms in the place of the key's own; `null` takes one away."""
        if not isinstance(said, dict) or not said:
            return Refused(400, (Problem("", "nothing to change was said"),))
        now = self._now

        def make(key: VirtualKey) -> VirtualKey:
            before = said_of(key)
            terms = terms_of({name: v for name, v in (before | said).items() if v is not None})
            if isinstance(terms, tuple):
                raise _Refusing(Refused(400, terms))
            if terms.name != key.name and terms.name in self.names_of_file():
                raise _Refusing(_taken(terms.name))
            made = applied(terms, key, now)
            if isinstance(made, Problem):
                raise _Refusing(Refused(400, (made,)))
            return made

        return self._changed(ref, make, Deed(now, who, "change", _shown(said)))

    def rotate(self, ref: str, keep: str, who: str) -> Told | Refused:
        """Another secret; the one before works for so long, any before that no more."""
        seconds = span(keep) if keep != "0" else 0
        if seconds is None:
            hint = "such as 24h or 30m, or 0"
            return Refused(400, (Problem("keep", f"must be a time, not '{keep}'", hint=hint),))
        now, secret = self._now, in_letters(self.random(SECRET_BYTES))
        fresh = hashed(secret, self.random(SALT_BYTES))

        def make(key: VirtualKey) -> VirtualKey:
            _refuse_revoked(key)
            return msgspec.structs.replace(
                key, secrets=(fresh, *_kept(key.secrets, now, seconds)), rotated=now
            )

        told = self._changed(ref, make, Deed(now, who, "rotate", f"keep {keep}"))
        if isinstance(told, Refused):
            return told
        return {"key": written(Parts(str(told["id"]), secret)), **told}

    def revoke(self, ref: str, who: str) -> Told | Refused:
        """No secret opens it any more, for good; it stays in the list."""
        now = self._now

        def make(key: VirtualKey) -> VirtualKey:
            _refuse_revoked(key)
            return msgspec.structs.replace(key, secrets=(), revoked=now)

        return self._changed(ref, make, Deed(now, who, "revoke"))

    def delete(self, ref: str, who: str) -> Told | Refused:
        """Forget it; its name is free again."""
        removed = self.store.remove(ref, Deed(self._now, who, "delete"))
        return _unknown(ref) if removed is None else {"id": removed.id, "name": removed.name}

    def show(self, ref: str) -> Told | Refused:
        found = self.store.find(ref)
        return _unknown(ref) if found is None else self._described(found)

    def page(self, after: str, holder: Mapping[str, str], limit: int = PAGE) -> Told:
        """`next`: what the next page follows; None: there is none."""
        rows = self.store.page(after, limit + 1, holder)
        keys = [self._described(each) for each in rows[:limit]]
        return {"keys": keys, "next": keys[-1]["name"] if len(rows) > limit else None}

    def log(self, before: int | None, ref: str, limit: int = PAGE) -> Told:
        entries = [
            {"seq": each.seq, "at": iso(each.deed.at), "who": each.deed.who,
             "what": each.deed.what, "key": each.name, "id": each.id,
             "details": each.deed.details}
            for each in self.store.log(before, limit, ref)
        ]  # fmt: skip
        return {"entries": entries}

    def export(self) -> Iterator[VirtualKey]:
        """Every key, in order of the names."""
        after = ""
        while rows := self.store.page(after, PAGE):
            yield from (each.key for each in rows)
            after = rows[-1].key.name

    def import_(self, said: Sequence[object], who: str) -> Told | Refused:
        """Take over keys that were exported, all of them or none."""
        if len(said) > MOST_IMPORTED:
            problem = Problem("keys", f"more than {MOST_IMPORTED} at once")
            return Refused(400, (problem,))
        keys: list[VirtualKey] = []
        problems: list[Problem] = []
        taken = set(self.names_of_file())
        for place, each in enumerate(said):
            found = _imported(each, self._now)
            if isinstance(found, VirtualKey) and found.name in taken:
                found = _taken(found.name).problems
            if isinstance(found, VirtualKey):
                keys.append(found)
                taken.add(found.name)
            else:
                problems += [_within(f"keys.{place}", one) for one in found]
        if problems:
            return Refused(400, tuple(problems))
        try:
            self.store.add(keys, Deed(self._now, who, "import"))
        except Taken as error:
            return Refused(409, (Problem("keys", str(error)),))
        return {"imported": len(keys)}

    def _changed(
        self, ref: str, make: Callable[[VirtualKey], VirtualKey], deed: Deed
    ) -> Told | Refused:
        try:
            made = self.store.change(ref, make, deed)
        except _Refusing as refusing:
            return refusing.refused
        except Taken:
            return Refused(409, (Problem("name", "there is another key of this name"),))
        if made is None:
            return _unknown(ref)
        return self._described(self.store.find(made.id) or Stored(made, None))

    def _described(self, stored: Stored) -> Told:
        """All that may be known of a key, which its secrets are not."""
        key, now = stored.key, self._now
        told: Told = {"id": key.id, **said_of(key), "state": state(key, now)}
        times = {
            "created": key.created,
            "rotated": key.rotated,
            "revoked": key.revoked,
            "last_used": stored.last_used,
            "previous_works_until": _previous_until(key, now),
        }
        return told | {name: iso(at) for name, at in times.items() if at is not None}


def state(key: VirtualKey, now: int) -> str:
    """In one word."""
    if key.revoked is not None:
        return "revoked"
    if not key.enabled:
        return "disabled"
    return "valid" if key.is_valid(now) else "expired"


def _kept(secrets: Sequence[HashedSecret], now: int, seconds: int) -> tuple[HashedSecret, ...]:
    """The newest of them, for so long."""
    if not seconds or not secrets:
        return ()
    return (msgspec.structs.replace(secrets[0], until=now + seconds),)


def _previous_until(key: VirtualKey, now: int) -> int | None:
    previous = key.secrets[1].until if len(key.secrets) > 1 else None
    return previous if previous is not None and previous > now else None


def _refuse_revoked(key: VirtualKey) -> None:
    if key.revoked is not None:
        problem = Problem("", f"the key '{key.name}' is revoked")
        raise _Refusing(Refused(409, (problem,)))


def _imported(said: object, now: int) -> VirtualKey | tuple[Problem, ...]:
    """A key as it was exported, its terms checked as everybody's are."""
    try:
        key = msgspec.convert(said, VirtualKey)
    except msgspec.ValidationError as error:
        return (Problem("", str(error)[0].lower() + str(error)[1:]),)
    terms = terms_of(said_of(key))
    if isinstance(terms, tuple):
        return terms
    made = applied(terms, key, now)
    return made if isinstance(made, VirtualKey) else (made,)


def _within(path: str, problem: Problem) -> Problem:
    return replace(problem, path=f"{path}.{problem.path}" if problem.path else path)


def _shown(said: Mapping[str, object]) -> str:
    return msgspec.json.encode(said).decode()


def _unknown(ref: str) -> Refused:
    return Refused(404, (Problem("", f"no key '{ref}'"),))


def _taken(name: str) -> Refused:
    return Refused(409, (Problem("name", f"there is a key '{name}' already"),))
