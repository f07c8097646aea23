"""The scripts that a Redis or Valkey ledger runs: each is one atomic step.

All keys of a ledger have the hash tag of its name, so that they are on one shard of a cluster:

- `{name}:workers`, sorted set: worker → milliseconds at which it is dead
- `{name}:leases:WORKER`, hash: slot → `applied ceiling reserved WINDOW:COUNTER`
- `{name}:buried:WORKER` → milliseconds at which it was last taken for dead
- `{name}:counter:WINDOW:COUNTER`, hash: settled, leased (`ceiling - applied` of all), reserved;
  of the control plane: topped_up, and reset, the milliseconds at which settled was set to 0
- `{name}:counters`, sorted set: `WINDOW:COUNTER` → window, for listing
- `{name}:works`, sorted set: the names of work → when it was last booked, or asked for
- `{name}:work:NAME`, hash: owner, extent, and `+COUNTER` → what was booked of it

Lua's numbers are doubles: amounts are exact to 2**53, and written with %.0f.
"""

from __future__ import annotations

_WORDS = """
local function int(x) return string.format('%.0f', x) end
local function row(text)
  if not text then return 0, 0, 0, '' end
  local a, c, r, name = string.match(text, '^(-?%d+) (-?%d+) (-?%d+) (.*)$')
  return tonumber(a), tonumber(c), tonumber(r), name
end
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function add(key, field, amount)
  if amount ~= 0 then redis.call('HINCRBY', key, field, int(amount)) end
end
"""

VISIT = (
    _WORDS
    + """
local workers, leases, index, buried = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me, ttl, permille, kept = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local moment = now()
redis.call('ZADD', workers, moment + ttl, me)
redis.call('PERSIST', leases)
local living = math.max(1, redis.call('ZCOUNT', workers, '(' .. moment, '+inf'))
for _, slot in ipairs(cjson.decode(ARGV[6])) do redis.call('HDEL', leases, slot) end
local answers = {}
for i, r in ipairs(cjson.decode(ARGV[5])) do
  local key = KEYS[4 + i]
  local applied, was_ceiling, was_reserved = row(redis.call('HGET', leases, r.slot))
  local c = redis.call('HMGET', key, 'settled', 'leased', 'reserved', 'topped_up', 'reset')
  local news = r.settled - applied
  if news < 0 and c[5] then
    local at = tonumber(redis.call('GET', buried) or 0)
    if tonumber(c[5]) >= at then news = 0 end
  end
  local settled, topped_up = tonumber(c[1] or 0) + news, tonumber(c[4] or 0)
  local elsewhere = tonumber(c[2] or 0) - (was_ceiling - applied)
  local reserved_elsewhere = tonumber(c[3] or 0) - was_reserved
  local ceiling = math.max(r.ceiling, r.booked)
  local limit = math.min(r.limit + topped_up, 9007199254740992)
  local remaining = limit - settled - elsewhere - (ceiling - r.settled)
  local share = math.floor(math.max(0, remaining) / (1000 * living) * permille)
  local needed, room = 0, remaining + ceiling - r.booked
  for _, need in ipairs(r.needs) do
    if needed + need <= room then needed = needed + need end
  end
  local wish = math.min(r.wish - (ceiling - r.booked), share)
  ceiling = ceiling + math.max(0, math.min(remaining, math.max(needed, wish)))
  local reserved = r.booked - r.settled + needed
  if not c[1] then
    redis.call('HSET', key, 'settled', 0, 'leased', 0, 'reserved', 0)
    redis.call('ZADD', index, r.window, r.name)
    if r.window ~= 0 then redis.call('EXPIRE', key, kept) end
  end
  add(key, 'settled', news)
  add(key, 'leased', (ceiling - r.settled) - (was_ceiling - applied))
  add(key, 'reserved', reserved - was_reserved)
  redis.call('HSET', leases, r.slot,
    int(r.settled) .. ' ' .. int(ceiling) .. ' ' .. int(reserved) .. ' ' .. r.name)
  answers[#answers + 1] = ceiling
  answers[#answers + 1] = settled - r.settled + reserved_elsewhere
  answers[#answers + 1] = elsewhere - reserved_elsewhere
  answers[#answers + 1] = share
  answers[#answers + 1] = topped_up
end
return answers
"""
)
"""Reports → five numbers for each: ceiling, booked besides, idle elsewhere, share, topped up.

Who was taken for dead may tell that less was spent. What a reset has forgotten since is not given
back once more.
"""

BURY = (
    _WORDS
    + """
local workers, leases, buried = KEYS[1], KEYS[2], KEYS[3]
local who, prefix, kept, is_leaving = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local expires = redis.call('ZSCORE', workers, who)
if not is_leaving and (not expires or tonumber(expires) > now()) then return 0 end
local rows = redis.call('HGETALL', leases)
for i = 1, #rows, 2 do
  local applied, ceiling, reserved, name = row(rows[i + 1])
  local key = prefix .. name
  if redis.call('EXISTS', key) == 1 then
    add(key, 'settled', ceiling - applied)
    add(key, 'leased', applied - ceiling)
    add(key, 'reserved', -reserved)
  end
  local text = int(ceiling) .. ' ' .. int(ceiling) .. ' 0 ' .. name
  redis.call('HSET', leases, rows[i], text)
end
redis.call('ZREM', workers, who)
if is_leaving then
  redis.call('DEL', leases, buried)
else
  redis.call('EXPIRE', leases, kept)
  redis.call('SET', buried, int(now()), 'EX', kept)
end
return 1
"""
)
"""Book all that a dead worker holds. Its leases stay for a while: it may yet tell better."""

_FORGET = """
local function forget(works, prefix, oldest)
  local old = redis.call('ZRANGEBYSCORE', works, '-inf', '(' .. oldest, 'LIMIT', 0, 100)
  for _, name in ipairs(old) do
    redis.call('DEL', prefix .. name)
    redis.call('ZREM', works, name)
  end
end
"""

REMEMBER = (
    _FORGET
    + """
local work, works, name, owner, since = KEYS[1], KEYS[2], ARGV[1], ARGV[5], ARGV[3]
forget(works, ARGV[2], ARGV[4])
redis.call('HSETNX', work, 'owner', owner)
redis.call('ZADD', works, 'NX', since, name)
return 1
"""
)

BOOK_ONCE = (
    _WORDS
    + _FORGET
    + """
local work, works, index, name, since = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[3]
local extent, kept = tonumber(ARGV[5]), ARGV[6]
forget(works, ARGV[2], ARGV[4])
local known = redis.call('HGET', work, 'extent')
if known and tonumber(known) >= extent then return 0 end
redis.call('HSET', work, 'extent', int(extent))
redis.call('ZADD', works, since, name)
for i, b in ipairs(cjson.decode(ARGV[7])) do
  local key, field = KEYS[3 + i], '+' .. b.counter
  local before = redis.call('HGET', work, field)
  if not known or before then
    local amount = math.max(tonumber(before or 0), b.amount)
    redis.call('HSET', work, field, int(amount))
    if amount > tonumber(before or 0) then
      if redis.call('EXISTS', key) == 0 then
        redis.call('HSET', key, 'settled', 0, 'leased', 0, 'reserved', 0)
        redis.call('ZADD', index, b.window, b.name)
        if b.window ~= 0 then redis.call('EXPIRE', key, kept) end
      end
      add(key, 'settled', amount - tonumber(before or 0))
    end
  end
end
return 1
"""
)
