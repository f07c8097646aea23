"""Virtual keys in the ledger's Redis or Valkey. Beside what `xds_server/budgets/redis_store.py` and
`extproc/adapters/redis_scripts.py` say it has:

- `{name}:keys`, hash: id → the key as JSON
- `{name}:key-ids`, hash: name → id
- `{name}:key-names`, sorted set: names, all with the score 0, so in the order of their bytes
- `{name}:key-uses`, hash: id → Unix seconds, told by workers
- `{name}:key-log`, list: what was changed, one JSON text for each, the oldest first
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gateway.ledger_place import LedgerPlace
from gateway.virtual_keys import VirtualKey, from_json, to_json
from xds_server.keys.store import Deed, Entry, KeysUnavailable, Stored, Taken, new_mark, stored
from xds_server.ledger_redis import connected

CHANGE_SECONDS = 5.0
"""How long a change is tried anew, when others change the same key."""
_PAGE = 1000

_ADD = """
local records, ids, names, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local new_ids, new_names = {}, {}
for i = 1, #ARGV, 4 do
  local id, name = ARGV[i], ARGV[i + 1]
  if new_ids[id] or redis.call('HEXISTS', records, id) == 1 then return {'id', name} end
  if new_names[name] or redis.call('HEXISTS', ids, name) == 1 then return {'name', name} end
  new_ids[id], new_names[name] = true, true
end
for i = 1, #ARGV, 4 do
  redis.call('HSET', records, ARGV[i], ARGV[i + 2])
  redis.call('HSET', ids, ARGV[i + 1], ARGV[i])
  redis.call('ZADD', names, 0, ARGV[i + 1])
  redis.call('RPUSH', log, ARGV[i + 3])
end
return {}
"""
"""Of each key: id, name, record, entry of the log. What is taken, and of which, or nothing."""

_SET = """
local records, ids, names, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, before, was, after, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('HGET', records, id) ~= before then return 'again' end
if name ~= was then
  if redis.call('HEXISTS', ids, name) == 1 then return 'taken' end
  redis.call('HDEL', ids, was)
  redis.call('ZREM', names, was)
  redis.call('HSET', ids, name, id)
  redis.call('ZADD', names, 0, name)
end
redis.call('HSET', records, id, after)
redis.call('RPUSH', log, ARGV[6])
return 'done'
"""
"""Id, record and name before, record and name after, entry of the log."""

_REMOVE = """
local records, ids, names, log, uses = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if redis.call('HGET', records, ARGV[1]) ~= ARGV[2] then return 'again' end
redis.call('HDEL', records, ARGV[1])
redis.call('HDEL', uses, ARGV[1])
redis.call('HDEL', ids, ARGV[3])
redis.call('ZREM', names, ARGV[3])
redis.call('RPUSH', log, ARGV[4])
return 'done'
"""


class _Written(msgspec.Struct, frozen=True):
    """What stands in the log; its place is its number."""

    deed: Deed
    id: str
    name: str
    mark: str
    """Tells this entry from the one of the same number in another history."""


class RedisKeyStore:
    """Connections for each question. May be used from any thread."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place
        self._prefix = f"{{{place.name}}}:"

    def add(self, keys: Sequence[VirtualKey], deed: Deed) -> None:
        told: list[str | bytes] = []
        for key in keys:
            told += [key.id, key.name, to_json(key), _entry(deed, key)]
        with connected(self._place, KeysUnavailable) as client:
            taken = client.eval(_ADD, 4, *self._keys(), *told)
        if taken:
            what, name = (each.decode() for each in taken)
            raise Taken(f"the {what} of '{name}' is taken")

    def change(
        self, ref: str, make: Callable[[VirtualKey], VirtualKey], deed: Deed
    ) -> VirtualKey | None:
        with connected(self._place, KeysUnavailable) as client:
            for _ in _tries(ref):
                found = self._record(client, ref)
                if found is None:
                    return None
                before = from_json(found)
                made = make(before)
                told = [made.id, found, before.name, to_json(made), made.name, _entry(deed, made)]
                answer = client.eval(_SET, 4, *self._keys(), *told)
                if answer == b"taken":
                    raise Taken(f"the name of '{made.name}' is taken")
                if answer == b"done":
                    return made
        raise AssertionError  # the tries end by themselves

    def remove(self, ref: str, deed: Deed) -> VirtualKey | None:
        with connected(self._place, KeysUnavailable) as client:
            for _ in _tries(ref):
                found = self._record(client, ref)
                if found is None:
                    return None
                key = from_json(found)
                keys = (*self._keys(), f"{self._prefix}key-uses")
                told = (key.id, found, key.name, _entry(deed, key))
                if client.eval(_REMOVE, 5, *keys, *told) == b"done":
                    return key
        raise AssertionError  # the tries end by themselves

    def find(self, ref: str) -> Stored | None:
        with connected(self._place, KeysUnavailable) as client:
            record = self._record(client, ref)
            if record is None:
                return None
            key = from_json(record)
            used = client.hget(f"{self._prefix}key-uses", key.id)
            return Stored(key, None if used is None else int(used))

    def page(
        self, after: str, limit: int, holder: Mapping[str, str] | None = None
    ) -> Sequence[Stored]:
        asked = {name: value for name, value in (holder or {}).items() if value}
        found: list[Stored] = []
        with connected(self._place, KeysUnavailable) as client:
            for each in self._after(client, after):
                if all(getattr(each.key, name) == value for name, value in asked.items()):
                    found.append(each)
                    if len(found) >= limit:
                        break
        return found

    def log(self, before: int | None, limit: int, ref: str = "") -> Sequence[Entry]:
        found: list[Entry] = []
        with connected(self._place, KeysUnavailable) as client:
            key = f"{self._prefix}key-log"
            size = client.llen(key)
            end = size if before is None else min(size, max(0, before - 1))
            page = _PAGE if ref else min(_PAGE, limit)
            while end > 0 and len(found) < limit:
                first = max(0, end - page)
                texts = client.lrange(key, first, end - 1)
                for seq, text in zip(range(end, first, -1), reversed(texts), strict=True):
                    entry = msgspec.json.decode(text, type=_Written)
                    if ref in ("", entry.id, entry.name):
                        found.append(Entry(seq, entry.deed, entry.id, entry.name))
                end = first
        return found[:limit]

    def _after(self, client: Any, name: str) -> Iterator[Stored]:
        """All keys whose names follow, in order."""
        while True:
            bounds = (f"({name}" if name else "-", "+")
            names = client.zrangebylex(f"{self._prefix}key-names", *bounds, 0, _PAGE)
            if not names:
                return
            ids = client.hmget(f"{self._prefix}key-ids", names)
            known = [each for each in ids if each is not None]  # else it was removed just now
            if known:
                records = client.hmget(f"{self._prefix}keys", known)
                uses = client.hmget(f"{self._prefix}key-uses", known)
                for record, used in zip(records, uses, strict=True):
                    if record is not None:
                        yield stored(record, None if used is None else int(used))
            name = names[-1].decode()

    def _record(self, client: Any, ref: str) -> bytes | None:
        """Of the key of this id, else of this name."""
        records = f"{self._prefix}keys"
        found: bytes | None = client.hget(records, ref)
        if found is None and (id := client.hget(f"{self._prefix}key-ids", ref)) is not None:
            found = client.hget(records, id)
        return found

    def _keys(self) -> tuple[str, ...]:
        names = ("keys", "key-ids", "key-names", "key-log")
        return tuple(f"{self._prefix}{each}" for each in names)


def _entry(deed: Deed, key: VirtualKey) -> bytes:
    return msgspec.json.encode(_Written(deed, key.id, key.name, new_mark()))


def _tries(ref: str) -> Iterator[None]:
    """KeysUnavailable, when there have been too many."""
    end = time.monotonic() + CHANGE_SECONDS
    while time.monotonic() < end:
        yield
    raise KeysUnavailable(f"others change the key '{ref}' all the time")
