"""Where budgets are kept, and the URLs of servers that client libraries do not know."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit

REDIS_PORT = 6379
SENTINEL_PORT = 26379
LARGEST_REDIS_LIMIT = 2**53
"""What its scripts, which count in doubles, hold exactly."""


class LedgerKind(StrEnum):
    """What budgets are kept in."""

    SQLITE = "sqlite"
    REDIS = "redis"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Where budgets are kept; all but the kind is for servers."""

    kind: LedgerKind = LedgerKind.SQLITE
    url: str = ""
    """Without credentials."""
    username: str = ""
    password: str = field(default="", repr=False)
    sentinel_password: str = field(default="", repr=False)
    name: str = ""
    ahead_permille: int = 0
    """How much of what is left all workers together may lease ahead."""
    is_strict: bool = True
    """Refuses while there is no answer, whatever is leased."""
    are_limits_strict: bool = False
    """Refuses calls under a limit while there is no answer, instead of counting them here."""
    answer_seconds: float = 0.5
    dead_seconds: float = 30.0


class RedisForm(StrEnum):
    """How many servers there are, and who knows them."""

    ONE = "one"
    CLUSTER = "cluster"
    SENTINEL = "sentinel"


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """What a URL says. Of one server, client libraries read the URL themselves."""

    form: RedisForm
    places: tuple[tuple[str, int], ...]
    service: str
    """What sentinels call the servers that they watch."""
    database: int
    tls: tuple[tuple[str, object], ...]
    """Options of a connection, as redis-py names them."""


def read_redis_url(url: str) -> RedisUrl:
    """`redis+cluster://H:P,H:P`, `redis+sentinel://H:P,H:P/SERVICE/DB`; `rediss…` for TLS.

    ValueError where a port or the database is no number.
    """
    parts = urlsplit(url)
    scheme, _, form = parts.scheme.partition("+")
    port = SENTINEL_PORT if form == RedisForm.SENTINEL else REDIS_PORT
    service, _, database = parts.path.removeprefix("/").partition("/")
    tls: dict[str, object] = dict(parse_qsl(parts.query))
    if scheme == "rediss":
        tls["ssl"] = True
    return RedisUrl(
        RedisForm(form) if form else RedisForm.ONE,
        tuple(_place(each, port) for each in parts.netloc.split(",")),
        service,
        int(database) if form and database else 0,
        tuple(tls.items()),
    )


def shown(url: str) -> str:
    """For messages: without what stands behind `?`."""
    return url.partition("?")[0]


def _place(text: str, default_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), default_port
    return host.strip("[]"), int(port)
