"""A ledger in Redis or Valkey. `extproc/adapters/redis_scripts.py` says which keys it has; beside
them:

- `{name}:budget-log`, list: what was changed, one JSON text for each, the oldest first
- `{name}:budget-requests`, hash: a request's id → its place in the log, from 1
- `{name}:budget-alerts:COUNTER`, hash: `WINDOW:PERMILLE` → `UNTIL ID`, who may claim it again when
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import msgspec

from gateway.ledger_place import LedgerPlace
from xds_server.budgets.store import (
    SENT,
    Alert,
    Asked,
    BudgetsUnavailable,
    Done,
    Entry,
    Stands,
    from_json,
    repeated,
    too_much,
)
from xds_server.ledger_redis import connected

KEPT_SECONDS = 400 * 86400
"""How long a counter that nobody drew on is kept, as workers keep them; in total, for good."""
_PAGE = 1000
_FIELDS = ("settled", "reserved", "topped_up")

_APPLY = """
local requests, log, index, alerts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local request, what, amount, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local kept, deed = ARGV[5], ARGV[6]
local seen = redis.call('HGET', requests, request)
if seen then return {tonumber(seen), redis.call('LINDEX', log, tonumber(seen) - 1)} end
local before, found = {}, cjson.decode(ARGV[7])
for i, each in ipairs(found) do
  local c = redis.call('HMGET', KEYS[4 + i], 'settled', 'reserved', 'topped_up')
  if tonumber(c[3] or 0) + tonumber(amount) > most then return {0, i - 1} end
  before[i] = each.said .. ',"settled":' .. (c[1] or '0') .. ',"reserved":' .. (c[2] or '0') ..
    ',"topped_up":' .. (c[3] or '0') .. '}'
end
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
for i, each in ipairs(found) do
  local key = KEYS[4 + i]
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 'settled', 0, 'leased', 0, 'reserved', 0)
    redis.call('ZADD', index, each.window, each.name)
    if each.window ~= 0 then redis.call('EXPIRE', key, kept) end
  end
  if what == 'top-up' then
    redis.call('HINCRBY', key, 'topped_up', amount)
  else
    redis.call('HSET', key, 'settled', 0, 'reset', now)
  end
end
if what == 'reset' then redis.call('DEL', alerts) end
local entry = '{"deed":' .. deed .. ',"before":[' .. table.concat(before, ',') .. ']}'
local seq = redis.call('RPUSH', log, entry)
redis.call('HSET', requests, request, seq)
return {seq, entry, 1}
"""
"""Its place in the log, the entry, and 1 if it is new; place 0: whose would be too much."""


_CLAIM = """
local found, id = redis.call('HGET', KEYS[1], ARGV[1]), ARGV[2]
if found then
  local till, before = string.match(found, '^(%d+) (.*)$')
  if tonumber(till) > tonumber(ARGV[3]) then return false end
  id = before
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4] .. ' ' .. id)
if string.sub(ARGV[1], 1, 2) ~= '0:' then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
return id
"""

_SENT = """
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and string.match(found, '^%d+ (.*)$') == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[2])
end
return 1
"""


class RedisBudgetStore:
    """Connections for each question. May be used from any thread."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place
        self._prefix = f"{{{place.name}}}:"

    def counters(self, starts: Collection[int] | None = None) -> Sequence[Stands]:
        rows: list[Stands] = []
        with connected(self._place, BudgetsUnavailable) as client:
            index = f"{self._prefix}counters"
            if starts is None:
                found = client.zrange(index, 0, -1)
            else:
                found = [name for at in starts for name in client.zrangebyscore(index, at, at)]
            names = [each.decode() for each in found]
            for first in range(0, len(names), _PAGE):
                page = names[first : first + _PAGE]
                asked = client.pipeline(transaction=False)
                for name in page:
                    asked.hmget(f"{self._prefix}counter:{name}", _FIELDS)
                for name, amounts in zip(page, asked.execute(), strict=True):
                    start, _, counter = name.partition(":")
                    if amounts[0] is not None:  # else it has expired
                        told = (int(each or 0) for each in amounts)
                        rows.append(Stands(counter, int(start), *told))
        return sorted(rows)

    def apply(self, asked: Asked) -> Done:
        deed = asked.deed
        named = [(f"{start}:{counter}", start, counter) for counter, start in asked.counters]
        keys = [f"{self._prefix}{each}" for each in ("budget-requests", "budget-log", "counters")]
        keys += [self._alerts(deed.counter)]
        keys += [f"{self._prefix}counter:{name}" for name, _, _ in named]
        counters = [
            {
                "name": name,
                "window": start,
                "said": f'{{"counter":{json.dumps(counter)},"window_start":{start}',
            }
            for name, start, counter in named
        ]
        arguments = (
            deed.request,
            deed.what,
            deed.amount,
            asked.most,
            KEPT_SECONDS,
            msgspec.json.encode(deed),
            json.dumps(counters),
        )
        with connected(self._place, BudgetsUnavailable) as client:
            seq, entry, *is_new = client.eval(_APPLY, len(keys), *keys, *arguments)
        if not seq:
            counter, start = asked.counters[entry]
            raise too_much(Stands(counter, start, 0, 0, 0))
        if not is_new:
            return repeated(seq, entry, deed)
        return Done(from_json(seq, entry), is_repeated=False)

    def log(self, before: int | None, limit: int) -> Sequence[Entry]:
        key = f"{self._prefix}budget-log"
        with connected(self._place, BudgetsUnavailable) as client:
            size = client.llen(key)
            end = size if before is None else min(size, max(0, before - 1))
            first = max(0, end - limit)
            texts = client.lrange(key, first, end - 1) if end else []
        told = [from_json(first + at, text) for at, text in enumerate(texts, 1)]
        return told[::-1]

    def claim(self, alert: Alert, id: str, now: int, until: int) -> str | None:
        field = f"{alert.window_start}:{alert.permille}"
        arguments = (field, id, now, until, KEPT_SECONDS)
        with connected(self._place, BudgetsUnavailable) as client:
            found = client.eval(_CLAIM, 1, self._alerts(alert.counter), *arguments)
        return None if found is None else found.decode()

    def sent(self, alert: Alert, id: str) -> None:
        field = f"{alert.window_start}:{alert.permille}"
        with connected(self._place, BudgetsUnavailable) as client:
            client.eval(_SENT, 1, self._alerts(alert.counter), field, id, SENT)

    def _alerts(self, counter: str) -> str:
        return f"{self._prefix}budget-alerts:{counter}"
