"""What callers have agreed to at MCP servers, in the ledger's Redis or Valkey, as
`extproc/adapters/redis_consents.py` lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.ledger_place import LedgerPlace
from xds_server.consents.rows import Connection, ConsentsUnavailable
from xds_server.ledger_redis import connected

_END = """
if redis.call('HGET', KEYS[1], 'ended') ~= '0' then return 0 end
redis.call('HSET', KEYS[1], 'ended', '1', 'leased_until', '0')
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""
_FIELDS = ("who", "since", "expires", "ended")


class RedisConsentRows:
    """Connections for each question. May be used from any thread."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place
        self._prefix = f"{{{place.name}}}:mcp-"

    def all(self) -> Sequence[Connection]:
        with connected(self._place, ConsentsUnavailable) as redis:
            names = [each.decode() for each in redis.smembers(f"{self._prefix}consents")]
            found = [(each, redis.hmget(self._key(each), _FIELDS)) for each in names]
        rows = [_row(name, said) for name, said in found if said[3] == b"0"]
        return sorted(rows, key=lambda each: (each.server, each.who, each.id))

    def end(self, owner: str, server: str) -> bool:
        name = f"{owner}:{server}"
        with connected(self._place, ConsentsUnavailable) as redis:
            return bool(redis.eval(_END, 2, self._key(name), f"{self._prefix}consents-ended", name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}consent:{name}"


def _row(name: str, said: Sequence[Any]) -> Connection:
    owner, _, server = name.partition(":")
    who, since, expires, _ = said
    return Connection(owner, who.decode(), server, int(since), int(expires))
