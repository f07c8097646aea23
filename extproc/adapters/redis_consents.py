"""What callers have agreed to, in the ledger's Redis or Valkey, for all machines. Its clock counts.

- `{name}:mcp-consent:OWNER:SERVER`, hash: `sealed`, `version`, `who`, `since`, `expires`,
  `leased_until`, `ended`
- `{name}:mcp-consents`, set: `OWNER:SERVER` of all; `{name}:mcp-consents-ended`, set: of those
  that ended
- `{name}:mcp-flow:NAME`, text, which goes by itself
- `{name}:mcp-clients`, hash: name → sealed
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from extproc.adapters.in_time import in_time
from extproc.adapters.redis_client import RedisClient
from extproc.ports import Agreed, Agreement, ConsentsUnavailable, Ended, LedgerUnavailable
from gateway.ledger_place import LedgerPlace

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function is_at(key, version)
  return redis.call('HGET', key, 'version') == version
end
"""
_FIND: Final = """
if redis.call('HGET', KEYS[1], 'ended') ~= '0' then return {} end
return redis.call('HMGET', KEYS[1], 'sealed', 'version')
"""
_KEEP: Final = f"""{_NOW}
local version = (tonumber(redis.call('HGET', KEYS[1], 'version')) or 0) + 1
redis.call('HSET', KEYS[1], 'sealed', ARGV[1], 'version', string.format('%d', version),
  'who', ARGV[2], 'since', time[1], 'expires', ARGV[3], 'leased_until', '0', 'ended', '0')
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('SREM', KEYS[3], ARGV[4])
"""
_LEASE: Final = f"""{_NOW}
if not is_at(KEYS[1], ARGV[1]) then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'leased_until')) > now then return 0 end
redis.call('HSET', KEYS[1], 'leased_until', string.format('%.3f', now + ARGV[2]))
return 1
"""
_RENEW: Final = f"""{_NOW}
if not is_at(KEYS[1], ARGV[1]) or redis.call('HGET', KEYS[1], 'ended') ~= '0' then return 0 end
redis.call('HSET', KEYS[1], 'sealed', ARGV[2], 'expires', ARGV[3],
  'version', string.format('%d', ARGV[1] + 1), 'leased_until', '0')
return 1
"""
_FREE: Final = f"""{_NOW}
if is_at(KEYS[1], ARGV[1]) then redis.call('HSET', KEYS[1], 'leased_until', '0') end
"""
_DROP: Final = f"""{_NOW}
if not is_at(KEYS[1], ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[2])
redis.call('SREM', KEYS[3], ARGV[2])
return 1
"""
_ENDED: Final = f"""{_NOW}
local found = {{}}
for _, name in ipairs(redis.call('SRANDMEMBER', KEYS[1], 10)) do
  local key = ARGV[1] .. name
  local said = redis.call('HMGET', key, 'sealed', 'version', 'leased_until')
  if said[3] and tonumber(said[3]) <= now then
    redis.call('HSET', key, 'leased_until', string.format('%.3f', now + ARGV[2]))
    found[#found + 1] = name
    found[#found + 1] = said[1]
    found[#found + 1] = said[2]
  end
end
return found
"""
_BEGIN: Final = """
if not redis.call('SET', KEYS[1], '', 'NX', 'EX', ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return 1
"""
_TAKE: Final = """
local found = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return found
"""
_KEEP_CLIENT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if (known or '') == ARGV[3] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  return ARGV[2]
end
return known or ARGV[2]
"""


class RedisConsents:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        """ValueError where nobody can be reached by such a URL."""
        self._redis = RedisClient(place)
        self._place = place
        prefix = f"{{{place.name}}}:mcp"
        self._consent, self._flow = f"{prefix}-consent:", f"{prefix}-flow:"
        self._all, self._ends = f"{prefix}-consents", f"{prefix}-consents-ended"
        self._clients = f"{prefix}-clients"

    async def find(self, owner: str, server: str) -> Agreed | None:
        found = await self._run(_FIND, [self._key(owner, server)])
        return Agreed(found[0], int(found[1])) if found else None

    async def keep(self, agreement: Agreement) -> None:
        of = agreement
        keys = [self._key(of.owner, of.server), self._all, self._ends]
        said = [of.sealed, of.who, of.expires, f"{of.owner}:{of.server}"]
        await self._run(_KEEP, keys, *said)

    async def lease(self, owner: str, server: str, version: int, seconds: float) -> bool:
        return bool(await self._run(_LEASE, [self._key(owner, server)], version, seconds))

    async def renew(self, agreement: Agreement, version: int) -> bool:
        of = agreement
        keys = [self._key(of.owner, of.server)]
        return bool(await self._run(_RENEW, keys, version, of.sealed, of.expires))

    async def free(self, owner: str, server: str, version: int) -> None:
        await self._run(_FREE, [self._key(owner, server)], version)

    async def drop(self, owner: str, server: str, version: int) -> bool:
        keys = [self._key(owner, server), self._all, self._ends]
        return bool(await self._run(_DROP, keys, version, f"{owner}:{server}"))

    async def ended(self, seconds: float) -> Sequence[Ended]:
        found = await self._run(_ENDED, [self._ends], self._consent, seconds)
        rows = zip(found[::3], found[1::3], found[2::3], strict=True)
        return [_ended(*each) for each in rows]

    async def client(self, name: str) -> bytes | None:
        asked = "return redis.call('HGET', KEYS[1], ARGV[1])"
        found: bytes | None = await self._run(asked, [self._clients], name)
        return found

    async def keep_client(self, name: str, sealed: bytes, before: bytes | None) -> bytes:
        found: bytes = await self._run(_KEEP_CLIENT, [self._clients], name, sealed, before or b"")
        return found

    async def drop_client(self, name: str) -> None:
        await self._run("redis.call('HDEL', KEYS[1], ARGV[1])", [self._clients], name)

    async def begin(self, name: str, sealed: bytes, until: int, once: str) -> bool:
        keys = [f"{self._flow}{once}", f"{self._flow}{name}"]
        seconds = max(1, until - int(time.time()))
        return bool(await self._run(_BEGIN, keys, sealed, seconds))

    async def take(self, name: str) -> bytes | None:
        found: bytes | None = await self._run(_TAKE, [f"{self._flow}{name}"])
        return found

    async def note(self, name: str, sealed: bytes, until: int) -> None:
        seconds = max(1, until - int(time.time()))
        asked = "redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])"
        await self._run(asked, [f"{self._flow}{name}"], sealed, seconds)

    async def noted(self, name: str) -> bytes | None:
        asked = "return redis.call('GET', KEYS[1])"
        found: bytes | None = await self._run(asked, [f"{self._flow}{name}"])
        return found

    async def close(self) -> None:
        await self._redis.close()

    def _key(self, owner: str, server: str) -> str:
        return f"{self._consent}{owner}:{server}"

    async def _run(self, script: str, keys: Sequence[str], *arguments: object) -> Any:
        asked = self._redis.run(script, keys, arguments)
        try:
            return await in_time(asked, self._place.answer_seconds, self._redis.break_off)
        except LedgerUnavailable as error:
            raise ConsentsUnavailable(str(error)) from error


def _ended(name: bytes, sealed: bytes, version: bytes) -> Ended:
    owner, _, server = name.decode().partition(":")
    return Ended(owner, server, sealed, int(version))
