"""MCP sessions of several machines in Redis or Valkey: two sorted sets, by when it was told."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from extproc.adapters.in_time import in_time
from extproc.adapters.redis_client import RedisClient
from extproc.adapters.shared_sessions import KEPT_SECONDS, MOST_HEARD, NOT_ASKED, Heard, Told
from gateway.ledger_place import LedgerPlace

_NAME: Final = struct.Struct("<Q")
_VISIT: Final = f"""
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local last = 3 + tonumber(ARGV[1])
for i = 4, #ARGV do
  if i > last then
    redis.call('ZADD', KEYS[2], now, ARGV[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
  elseif not redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    redis.call('ZADD', KEYS[1], now, ARGV[i])
  end
end
local found = {{now, {{}}, {{}}}}
for i = 1, 2 do
  local oldest = string.format('%.0f', now - {KEPT_SECONDS * 1000})
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', oldest)
  if tonumber(ARGV[i + 1]) ~= {NOT_ASKED} then
    found[i + 1] = redis.call('ZREVRANGEBYSCORE', KEYS[i], '+inf', ARGV[i + 1],
      'WITHSCORES', 'LIMIT', 0, {MOST_HEARD})
  end
end
return found
"""
"""ARGV: how many were used; since when uses and ends are asked for; who was used, who has ended."""


class RedisSessions:
    """One process's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        """ValueError where nobody can be reached by such a URL."""
        self._redis = RedisClient(place)
        self._place = place
        prefix = f"{{{place.name}}}:"
        self._keys = [f"{prefix}mcp-used", f"{prefix}mcp-ended"]

    async def visit(self, told: Told) -> Heard:
        names = map(_NAME.pack, (*told.used, *told.ended))
        arguments = [len(told.used), told.used_since, told.ended_since, *names]
        asked = self._redis.run(_VISIT, self._keys, arguments)
        now, used, ended = await in_time(asked, self._place.answer_seconds, self._redis.break_off)
        return Heard(int(now), _pairs(used), _pairs(ended))

    async def close(self) -> None:
        await self._redis.close()


def _pairs(found: Sequence[bytes]) -> list[tuple[int, int]]:
    names, scores = found[::2], found[1::2]
    return [
        (_NAME.unpack(name)[0], int(float(score)))
        for name, score in zip(names, scores, strict=True)
    ]
