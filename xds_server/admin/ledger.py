"""Reads the counters of whichever ledger is configured. The stores' layouts are in
docs/decisions/0004-ledger.md and 0016-ledger-servers.md.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from redis import Redis, RedisCluster, Sentinel
from redis.cluster import ClusterNode
from redis.exceptions import RedisError

from gateway.ledger_place import LedgerKind, LedgerPlace, RedisForm, read_redis_url, shown

LEDGER_FILE = "ledger.db"
"""In the state directory."""
BUSY_SECONDS = 2.0
_PAGE = 1000

Row: TypeAlias = tuple[str, int, int, int]
"""Counter, the second in which its window began, settled, reserved."""

_COUNTERS = """
SELECT counter, window_start, settled, reserved FROM spending ORDER BY counter, window_start
"""
_POSTGRES = """
SELECT counter, window_start, settled, reserved FROM {}.counters
ORDER BY counter COLLATE "C", window_start
"""


class LedgerUnreadable(Exception):
    """The server gives no answer. Says why, and names no password."""


def read_counters(file: Path, place: LedgerPlace) -> Sequence[Mapping[str, object]]:
    """Every counter with each of its periods; none when nothing was ever booked.

    `file` is where the ledger of this machine is; LedgerUnreadable: a server does not answer.
    """
    return [
        {
            "counter": counter,
            "window_start": start,
            "settled": settled,
            "reserved": reserved,
            "since": datetime.fromtimestamp(start, UTC).isoformat(),
        }
        for counter, start, settled, reserved in _rows(file, place)
    ]


def _rows(file: Path, place: LedgerPlace) -> Iterable[Row]:
    if place.kind is LedgerKind.SQLITE:
        return _of_file(file)
    try:
        return _of_postgres(place) if place.kind is LedgerKind.POSTGRES else _of_redis(place)
    except (RedisError, psycopg.Error, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LedgerUnreadable(f"ledger '{shown(place.url)}': {reason}") from error


def _of_file(file: Path) -> Sequence[Row]:
    if not file.exists():
        return ()
    address = f"{file.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as database:
        try:
            return database.execute(_COUNTERS).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return ()  # a worker is just making them
            raise


def _of_postgres(place: LedgerPlace) -> Sequence[Row]:
    with psycopg.connect(
        place.url,
        user=place.username or None,
        password=place.password or None,
        connect_timeout=int(BUSY_SECONDS),
        application_name="dragoman",
    ) as connection:
        try:
            found = connection.execute(sql.SQL(_POSTGRES).format(sql.Identifier(place.name)))
            return found.fetchall()
        except psycopg.errors.UndefinedTable:
            return ()


def _of_redis(place: LedgerPlace) -> Sequence[Row]:
    prefix = f"{{{place.name}}}:"
    rows: list[Row] = []
    with _redis(place) as client:
        names = [each.decode() for each in client.zrange(f"{prefix}counters", 0, -1)]
        for first in range(0, len(names), _PAGE):
            page = names[first : first + _PAGE]
            asked = client.pipeline(transaction=False)
            for name in page:
                asked.hmget(f"{prefix}counter:{name}", ["settled", "reserved"])
            for name, (settled, reserved) in zip(page, asked.execute(), strict=True):
                start, _, counter = name.partition(":")
                if settled is not None:  # else it has expired
                    rows.append((counter, int(start), int(settled), int(reserved)))
    return sorted(rows)


@contextlib.contextmanager
def _redis(place: LedgerPlace) -> Iterator[Any]:
    url = read_redis_url(place.url)
    tls: dict[str, Any] = dict(url.tls)
    options: dict[str, Any] = {
        "username": place.username or None,
        "password": place.password or None,
        "socket_timeout": BUSY_SECONDS,
        "socket_connect_timeout": BUSY_SECONDS,
    }
    if url.form is RedisForm.ONE:
        said = {name: value for name, value in options.items() if value is not None}
        clients: Sequence[Any] = (Redis.from_url(place.url, **said),)
    elif url.form is RedisForm.CLUSTER:
        nodes = [ClusterNode(*each) for each in url.places]  # type: ignore[no-untyped-call]
        clients = (RedisCluster(startup_nodes=nodes, **options, **tls),)
    else:
        asked = {**tls, "password": place.sentinel_password or None}
        found: Any = Sentinel(  # type: ignore[no-untyped-call]
            url.places, sentinel_kwargs=asked, **options, **tls
        )
        clients = (found.master_for(url.service, db=url.database), *found.sentinels)
    try:
        yield clients[0]
    finally:
        for client in clients:
            client.close()
