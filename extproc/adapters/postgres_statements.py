"""What a PostgreSQL ledger says to its server; `{}` is the schema, named in the configuration."""

from __future__ import annotations

ALIVE = """
INSERT INTO {0}.workers (worker, expires) VALUES (%s, now() + make_interval(secs => %s))
ON CONFLICT (worker) DO UPDATE SET expires = excluded.expires, buried = NULL
"""

LIVING = "SELECT count(*) FROM {0}.workers WHERE buried IS NULL AND expires > now()"

MAKE_COUNTERS = """
INSERT INTO {0}.counters (counter, window_start)
SELECT * FROM unnest(%s::text[], %s::bigint[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""

LOCK_COUNTERS = """
SELECT counter, window_start, settled, leased, reserved, topped_up, reset_at FROM {0}.counters
WHERE (counter, window_start) IN (SELECT * FROM unnest(%s::text[], %s::bigint[]))
ORDER BY counter, window_start FOR UPDATE
"""
"""All in one order, so that nobody waits in a circle."""

LEASES = """
SELECT slot, applied, ceiling, reserved, buried_at FROM {0}.leases
WHERE worker = %s AND slot = ANY(%s)
"""

SET_COUNTERS = """
UPDATE {0}.counters AS c SET settled = n.settled, leased = n.leased, reserved = n.reserved
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS n (counter, window_start, settled, leased, reserved)
WHERE c.counter = n.counter AND c.window_start = n.window_start
"""

SET_LEASES = """
INSERT INTO {0}.leases (worker, slot, counter, window_start, applied, ceiling, reserved)
SELECT %s, * FROM unnest(
  %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (worker, slot) DO UPDATE SET
  applied = excluded.applied, ceiling = excluded.ceiling, reserved = excluded.reserved
"""

FORGET_LEASES = "DELETE FROM {0}.leases WHERE worker = %s AND slot = ANY(%s)"

DEAD = "SELECT worker FROM {0}.workers WHERE buried IS NULL AND expires < now()"

LOCK_DEAD = """
SELECT 1 FROM {0}.workers
WHERE worker = %s AND (%s OR (buried IS NULL AND expires < now())) FOR UPDATE
"""

HELD_COUNTERS = """
SELECT 1 FROM {0}.counters WHERE (counter, window_start) IN
  (SELECT counter, window_start FROM {0}.leases WHERE worker = %s)
ORDER BY counter, window_start FOR UPDATE
"""

BOOK_HELD = """
UPDATE {0}.counters AS c SET settled = c.settled + l.held, leased = c.leased - l.held,
  reserved = c.reserved - l.reserved
FROM (
  SELECT counter, window_start, sum(ceiling - applied)::bigint AS held,
    sum(reserved)::bigint AS reserved
  FROM {0}.leases WHERE worker = %s GROUP BY counter, window_start
) AS l
WHERE c.counter = l.counter AND c.window_start = l.window_start
"""

END_HELD = """
UPDATE {0}.leases SET applied = ceiling, reserved = 0, buried_at = clock_timestamp()
WHERE worker = %s
"""

BURIED = "UPDATE {0}.workers SET buried = now() WHERE worker = %s"

HAS_LEASES = "SELECT 1 FROM {0}.leases WHERE worker = %s LIMIT 1"

FORGET_WORKER_LEASES = "DELETE FROM {0}.leases WHERE worker = %s"

FORGET_WORKER = "DELETE FROM {0}.workers WHERE worker = %s"

FORGET_BURIED = """
WITH old AS (
  DELETE FROM {0}.workers WHERE buried < now() - make_interval(secs => %s) RETURNING worker
)
DELETE FROM {0}.leases WHERE worker IN (SELECT worker FROM old)
"""

SPENT = """
SELECT settled, reserved, topped_up FROM {0}.counters WHERE counter = %s AND window_start = %s
"""

COUNTERS = (
    'SELECT counter, window_start FROM {0}.counters ORDER BY counter COLLATE "C", window_start'
)

FORGET_BOOKED = """
DELETE FROM {0}.booked WHERE name IN (SELECT name FROM {0}.works WHERE since < %s)
"""

FORGET_WORKS = "DELETE FROM {0}.works WHERE since < %s"

REMEMBER = """
INSERT INTO {0}.works AS w (name, owner, since) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET owner = COALESCE(w.owner, excluded.owner)
"""

OWNER = "SELECT owner FROM {0}.works WHERE name = %s"

MAKE_WORK = "INSERT INTO {0}.works (name, since) VALUES (%s, %s) ON CONFLICT DO NOTHING"

LOCK_WORK = "SELECT extent FROM {0}.works WHERE name = %s FOR UPDATE"

EXTEND = "UPDATE {0}.works SET extent = %s, since = %s WHERE name = %s"

BOOKED = "SELECT counter, amount FROM {0}.booked WHERE name = %s"

BOOK_WORK = """
INSERT INTO {0}.booked (name, counter, amount) VALUES (%s, %s, %s)
ON CONFLICT (name, counter) DO UPDATE SET amount = excluded.amount
"""

BOOK = """
INSERT INTO {0}.counters AS c (counter, window_start, settled) VALUES (%s, %s, %s)
ON CONFLICT (counter, window_start) DO UPDATE SET settled = c.settled + excluded.settled
"""
