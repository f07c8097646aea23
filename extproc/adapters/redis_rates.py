"""Rates of several machines in Redis or Valkey. Beside the keys of `redis_scripts.py`:

- `{name}:limit-workers`, sorted set: worker → milliseconds at which it counts no more
- `{name}:limit:DIGEST`, of a bucket `LEVEL AT`: what is in it, and in which microsecond; of a
  window `SLOT COUNT …`: the number of its newest slot, and the counts, in a ring. They expire when
  they say nothing any more

Lua's numbers are doubles, so a level is right to about one part in 10^15.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from math import ceil
from typing import Any

from extproc.adapters.redis_client import RedisClient
from extproc.adapters.shared_rates import LIVING_SECONDS, STATE_WORDS, Answer, Counted, Visit
from extproc.ports import Pace
from gateway.ledger_place import LedgerPlace
from gateway.limits import Algorithm

_VISIT = """
local workers, me, living = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local moment = math.floor(now / 1000)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', moment)
redis.call('ZADD', workers, moment + living, me)
redis.call('PEXPIRE', workers, living)
local rates, calls = cjson.decode(ARGV[3]), cjson.decode(ARGV[4])

local function load(r, text)
  r.n = {}
  for number in string.gmatch(text or '', '%S+') do r.n[#r.n + 1] = tonumber(number) end
  if r.slots == 0 then
    local level, at = r.n[1] or 0, r.n[2] or now
    r.level = math.max(0, level - math.max(0, now - at) * r.amount / r.period)
    return
  end
  local ring = r.slots + 1
  for i = #r.n + 1, ring + 1 do r.n[i] = 0 end
  local newest = math.floor(now * r.slots / r.period)
  local last = r.n[1]
  if newest > last then
    for slot = math.max(last + 1, newest - r.slots), newest do r.n[2 + slot % ring] = 0 end
    r.n[1] = newest
  end
end

local function used(r)
  if r.slots == 0 then return r.level end
  local sum = 0
  for i = 2, r.slots + 2 do sum = sum + r.n[i] end
  return sum
end

local function add(r, slot, amount)
  if r.slots == 0 then
    r.level = math.max(0, r.level + amount)
    return
  end
  local ring = r.slots + 1
  if slot < 0 or slot > r.n[1] then slot = r.n[1] end
  if slot <= r.n[1] - ring then return end
  local place = 2 + slot % ring
  r.n[place] = math.max(0, r.n[place] + amount)
end

for i, r in ipairs(rates) do
  load(r, redis.call('GET', KEYS[1 + i]))
  for _, change in ipairs(r.changes) do add(r, change[1], change[2]) end
end
local taken = {}
for i, call in ipairs(calls) do
  local flags, refused = {}, false
  for j, wish in ipairs(call) do
    local r = rates[wish[1] + 1]
    local fits = used(r) + wish[2] <= r.amount * (1 + 1e-12)
    flags[j] = fits
    if fits then add(r, -1, wish[2]) elseif wish[3] == 1 then refused = true end
  end
  local text = ''
  for j, wish in ipairs(call) do
    if refused and flags[j] then
      add(rates[wish[1] + 1], -1, -wish[2])
      flags[j] = false
    end
    text = text .. (flags[j] and '1' or '0')
  end
  taken[i] = text
end
local states = {}
for i, r in ipairs(rates) do
  local text, left
  if r.slots == 0 then
    text = string.format('%.17g %.0f', r.level, now)
    left = r.level * r.period / r.amount
  else
    local parts = {}
    for j = 1, r.slots + 2 do parts[j] = string.format('%.0f', r.n[j]) end
    text = table.concat(parts, ' ')
    left = used(r) > 0 and r.period * 1.2 or 0
  end
  states[i] = text
  if left > 0 then
    redis.call('SET', KEYS[1 + i], text, 'PX', string.format('%.0f', math.ceil(left / 1000) + 1000))
  else
    redis.call('DEL', KEYS[1 + i])
  end
end
return {string.format('%.0f', now), redis.call('ZCARD', workers), states, taken}
"""
_SLOTS = 10
_MICROSECOND = 1000


class RedisRates:
    """One worker's connection."""

    def __init__(self, place: LedgerPlace) -> None:
        """ValueError where nobody can be reached by such a URL."""
        self._redis = RedisClient(place)
        self._prefix = f"{{{place.name}}}:"

    async def visit(self, visit: Visit) -> Answer:
        """One script."""
        keys = [f"{self._prefix}limit-workers", *(self._key(each) for each in visit.rates)]
        rates = [_said(each) for each in visit.rates]
        calls = [[(place, wanted, int(binds)) for place, wanted, binds in e] for e in visit.calls]
        arguments = [visit.worker, LIVING_SECONDS * 1000, json.dumps(rates), json.dumps(calls)]
        now, workers, states, taken = await self._redis.run(_VISIT, keys, arguments)
        now_ns = int(now) * _MICROSECOND
        told = [
            _state(each.pace, text.decode(), now_ns)
            for each, text in zip(visit.rates, states, strict=True)
        ]
        flags = [[flag == "1" for flag in text.decode()] for text in taken]
        return Answer(now_ns, workers, told, flags)

    def break_off(self) -> None:
        """The client drops the connection when it is cancelled."""

    async def close(self) -> None:
        await self._redis.close()

    def _key(self, counted: Counted) -> str:
        digest = blake2b(counted.name.encode(), digest_size=16).hexdigest()
        return f"{self._prefix}limit:{digest}"


def _said(counted: Counted) -> dict[str, Any]:
    pace = counted.pace
    return {
        "amount": pace.amount,
        "period": pace.period_ns // _MICROSECOND,
        "slots": 0 if pace.algorithm is Algorithm.TOKEN_BUCKET else _SLOTS,
        "changes": [list(each) for each in counted.changes],
    }


def _state(pace: Pace, text: str, now: int) -> Sequence[int]:
    """As rows keep it."""
    words = text.split()
    if pace.algorithm is Algorithm.TOKEN_BUCKET:
        full_at = now + ceil(float(words[0]) * pace.period_ns / pace.amount)
        return (full_at, 0, *[0] * (STATE_WORDS - 2))
    return [int(each) for each in words]
