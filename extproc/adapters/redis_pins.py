"""Definitions of tools that several machines know, in Redis or Valkey: digests, texts, and when
each has changed, by server and tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from extproc.adapters.in_time import in_time
from extproc.adapters.redis_client import RedisClient
from extproc.adapters.shared_pins import Change, Heard, Known
from gateway.ledger_place import LedgerPlace

_VISIT: Final = """
local digests, texts, changes = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
for i = 2, #ARGV, 4 do
  local name, before, digest, text = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local known = redis.call('HGET', digests, name) or ''
  if known == before and known ~= digest then
    redis.call('HSET', digests, name, digest)
    redis.call('HSET', texts, name, text)
    redis.call('ZADD', changes, now, name)
  end
end
local found = {now}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', changes, ARGV[1], '+inf')) do
  found[#found + 1] = name
  found[#found + 1] = redis.call('HGET', digests, name)
  found[#found + 1] = redis.call('HGET', texts, name)
end
return found
"""
"""ARGV: since when changes are asked for; name, digest before, digest and text of what is told."""


class RedisPins:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        """ValueError where nobody can be reached by such a URL."""
        self._redis = RedisClient(place)
        self._place = place
        prefix = f"{{{place.name}}}:mcp-tools"
        self._keys = [prefix, f"{prefix}-texts", f"{prefix}-changed"]

    async def visit(self, changes: Sequence[Change], since: int) -> Heard:
        arguments: list[object] = [since]
        for known, before in changes:
            name = msgspec.json.encode((known.server, known.tool))
            arguments += (name, before, known.digest, known.text)
        asked = self._redis.run(_VISIT, self._keys, arguments)
        now, *found = await in_time(asked, self._place.answer_seconds, self._redis.break_off)
        rows = zip(found[::3], found[1::3], found[2::3], strict=True)
        return Heard(int(now), [_known(*each) for each in rows])

    async def close(self) -> None:
        await self._redis.close()


def _known(name: bytes, digest: bytes, text: bytes) -> Known:
    server, tool = msgspec.json.decode(name, type=tuple[str, str])
    return Known(server, tool, digest.decode(), text.decode())
