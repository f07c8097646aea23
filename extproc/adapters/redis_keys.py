"""A worker's look at the virtual keys in Redis or Valkey.

Made by `xds_server/keys/redis_store.py`; docs/decisions/0017-virtual-keys.md has the layout.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from extproc.adapters.in_time import in_time
from extproc.adapters.key_tables import MOST_CHANGES, NOTHING_KNOWN, Reading, decoded
from extproc.adapters.redis_client import RedisClient
from extproc.keys import KeysUnavailable
from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerPlace, shown

_READ = """
local log, records = KEYS[1], KEYS[2]
local since, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = redis.call('LLEN', log)
local newest = last > 0 and redis.call('LINDEX', log, -1) or ''
local known = since > 0 and since <= last and redis.call('LINDEX', log, since - 1) or ''
local changed, found = {}, {}
if last > since and last - since <= most then changed = redis.call('LRANGE', log, since, -1) end
for i = 3, #ARGV do found[i - 2] = redis.call('HGET', records, ARGV[i]) end
return {last, newest, known, changed, found}
"""
"""The number of the last change, its entry, that of the one that was known, those since, keys."""

_USED = """
local records, uses, at = KEYS[1], KEYS[2], tonumber(ARGV[1])
for i = 2, #ARGV do
  local before = redis.call('HGET', uses, ARGV[i])
  if redis.call('HEXISTS', records, ARGV[i]) == 1 and tonumber(before or 0) < at then
    redis.call('HSET', uses, ARGV[i], at)
  end
end
return 1
"""
_MOST_AT_ONCE = 1000
"""Uses in a script: others want to be answered, too."""


class _Changed(msgspec.Struct):
    id: str


class RedisKeys:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        """ValueError where nobody can be reached by such a URL."""
        self._redis = RedisClient(place)
        self._place = place
        self._prefix = f"{{{place.name}}}:"
        self._newest = b""
        """The entry of the last change that is known: another in its place is another history."""

    async def read(self, ids: Sequence[str], since: int) -> Reading:
        keys = [f"{self._prefix}key-log", f"{self._prefix}keys"]
        arguments = [since, MOST_CHANGES, *ids]
        last, newest, known, changed, found = await self._in_time(
            self._redis.run(_READ, keys, arguments)
        )
        is_other = known != self._newest or last < since or last - since > MOST_CHANGES
        self._newest = newest
        readable, unreadable = decoded(zip(ids, found, strict=True))
        return Reading(
            last,
            [msgspec.json.decode(each, type=_Changed).id for each in changed],
            readable,
            unreadable,
            is_another=since != NOTHING_KNOWN and is_other,
        )

    async def note_uses(self, ids: Sequence[str], now: int) -> None:
        keys = [f"{self._prefix}keys", f"{self._prefix}key-uses"]
        for start in range(0, len(ids), _MOST_AT_ONCE):
            some = ids[start : start + _MOST_AT_ONCE]
            await self._in_time(self._redis.run(_USED, keys, [now, *some]))

    async def close(self) -> None:
        await self._redis.close()

    async def _in_time(self, asked: Coroutine[None, None, Any]) -> Any:
        try:
            return await in_time(asked, self._place.answer_seconds, self._redis.break_off)
        except LedgerUnavailable as error:
            raise KeysUnavailable(f"keys in '{shown(self._place.url)}': {error}") from error
