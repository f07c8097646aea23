"""Where budgets are kept: on one machine, or on a server that several share."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from gateway.config.block import Block, refusal
from gateway.config.scalars import Duration, Secret, Text, written_permille
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.secret_texts import is_secret

LARGEST_LEASE_PERMILLE = 500
_SCHEMES = {
    "redis": frozenset(
        f"{kind}{form}" for kind in ("redis", "rediss") for form in ("", "+cluster", "+sentinel")
    )
    | {"unix"},
    "postgres": frozenset({"postgresql", "postgres"}),
}
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refusal("must be lower-case letters, digits and '_', at most 31, a letter first")
    return value


def _share(value: Any) -> int:
    """In thousandths."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = (
        re.fullmatch(r"([0-9]{1,2})(?:\.([0-9]))? ?%", value) if isinstance(value, str) else None
    )
    permille = int(match[1]) * 10 + int(match[2] or 0) if match else 0
    if not 1 <= permille <= LARGEST_LEASE_PERMILLE:
        raise refusal("must be a share from 0.1% to 50%", "such as 5%")
    return permille


LedgerName: TypeAlias = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": r"^([a-z][a-z0-9_]{0,30}|.*\$\{.*)$"}),
]
Share: TypeAlias = Annotated[
    int,
    PlainValidator(_share),
    PlainSerializer(written_permille),
    WithJsonSchema({"type": "string", "format": "percent"}),
]


def url_mistake(type_: str, url: str) -> tuple[str, str] | None:
    """What is wrong with a server's URL, and a hint; None: nothing that can be seen."""
    example = {
        "redis": "rediss://redis.example:6379/0",
        "postgres": "postgresql://db.example/ledger",
    }
    hint = f"such as {example[type_]}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "must be a url", hint
    if not url.isascii() or not url.isprintable() or parts.scheme not in _SCHEMES[type_]:
        known = ", ".join(sorted(_SCHEMES[type_]))
        return f"must begin with one of {known}", hint
    secret = [name for name, _ in parse_qsl(parts.query) if is_secret(name)]
    if "@" in parts.netloc or secret:
        return "must not carry credentials", "write them as username and password"
    if parts.scheme == "unix":
        return None if parts.path else ("must name a socket", "such as unix:///run/redis.sock")
    places = parts.netloc.split(",")
    if not all(_PLACE.fullmatch(each) for each in places):
        return "must name a host, or several with ',' between them", hint
    if len(places) > 1 and parts.scheme in ("redis", "rediss"):
        return "names several hosts", "redis+cluster:// or redis+sentinel:// take several"
    if parts.scheme.endswith("+sentinel") and not parts.path.strip("/"):
        return "must name the service", "such as redis+sentinel://10.0.0.1:26379/mymaster/0"
    return None


class SqliteLedgerBlock(Block):
    """A file in the state directory, for the workers of one machine."""

    type: Literal["sqlite"]
    """One machine."""

    @property
    def place(self) -> LedgerPlace:
        return LedgerPlace()


class _ServerBlock(Block):
    type: Literal["redis", "postgres"]
    url: Text
    """Where the server is, without credentials."""
    username: Text | None = None
    """Who logs in there."""
    password: Secret | None = None
    """With which password, best as `${VARIABLE}`."""
    name: LedgerName = "dragoman"
    """Of this ledger, where several share a server: the hash tag of all keys in Redis, the schema
    in PostgreSQL."""
    lease: Share | None = None
    """How much of what is left of a budget all workers together may take ahead, so that not every
    call asks the server. A lease never overspends; at most this share may lie idle in some workers
    while another is refused. What a worker does not draw on for 1s goes back. Default: nothing,
    each call asks."""
    on_error: Literal["refuse", "lease"] = "refuse"
    """While the server gives no answer: `refuse` every call that a budget applies to, or go on with
    what is leased."""
    limits_on_error: Literal["local", "refuse"] = "local"
    """While the server gives no answer: limits are counted by each machine for itself, or `refuse`
    every call that one applies to, with 503 `limits_unavailable`."""
    timeout: Duration = 0.5
    """How long the server may take for an answer; then it is taken for down."""
    dead_after: Duration = 30.0
    """When a worker has not been heard for so long, what it holds is booked as estimated."""

    @model_validator(mode="after")
    def _fits(self) -> _ServerBlock:
        if mistake := url_mistake(self.kind.value, self.url):
            raise refusal(f"the url {mistake[0]}", mistake[1], is_shown=False)
        if self.on_error == "lease" and self.lease is None:
            raise refusal("goes on with what is leased, and leases nothing", "add lease: 5%")
        if not 0.01 <= self.timeout <= 4:
            raise refusal("timeout must be from 10ms to 4s", "Envoy waits five seconds")
        if self.dead_after < 4 * self.timeout or self.dead_after < 1:
            raise refusal("dead_after must be at least 1s, and 4 times the timeout")
        return self

    @property
    def kind(self) -> LedgerKind:
        raise NotImplementedError

    @property
    def place(self) -> LedgerPlace:
        return LedgerPlace(
            kind=self.kind,
            url=self.url,
            username=self.username or "",
            password=self.password.get_secret_value() if self.password else "",
            sentinel_password="",
            name=self.name,
            ahead_permille=self.lease or 0,
            is_strict=self.on_error == "refuse",
            are_limits_strict=self.limits_on_error == "refuse",
            answer_seconds=self.timeout,
            dead_seconds=self.dead_after,
        )


class RedisLedgerBlock(_ServerBlock):
    """Redis 6.2 or newer, or Valkey, for any number of machines. It should write to disk
    (`appendonly yes`), and must not evict keys (`maxmemory-policy noeviction`)."""

    type: Literal["redis"]
    """Redis or Valkey."""
    url: Text
    """`redis://HOST:PORT/DB`, `rediss://` for TLS, `unix:///PATH`;
    `redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB`, `redis+cluster://HOST:PORT,HOST:PORT`, with
    `rediss+` for TLS. Behind `?`: `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`, files on the
    workers' machines."""
    sentinel_password: Secret | None = None
    """The password of the sentinels, if they ask for one."""

    @property
    def kind(self) -> LedgerKind:
        return LedgerKind.REDIS

    @property
    def place(self) -> LedgerPlace:
        secret = self.sentinel_password
        return replace(super().place, sentinel_password=secret.get_secret_value() if secret else "")


class PostgresLedgerBlock(_ServerBlock):
    """PostgreSQL 13 or newer, for any number of machines. The first worker makes the schema."""

    type: Literal["postgres"]
    """PostgreSQL."""
    url: Text
    """`postgresql://HOST:PORT/DATABASE`; several hosts with `,` between them, and
    `?target_session_attrs=read-write`, follow a failover; `?sslmode=verify-full&sslrootcert=FILE`
    for TLS. As libpq knows it."""

    @property
    def kind(self) -> LedgerKind:
        return LedgerKind.POSTGRES


LedgerBlock: TypeAlias = Annotated[
    SqliteLedgerBlock | RedisLedgerBlock | PostgresLedgerBlock, Field(discriminator="type")
]
