"""Keys that are made at run time: what one is, how it is written, and who holds it.

The text is `dgm_ID_SECRET`. The id finds the key; of the secret, salted hashes are kept.
Docs: docs/keys.md, docs/decisions/0017-virtual-keys.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Struct

from gateway.limits import OF_KEY, Algorithm, Counted, Limit, Rate
from gateway.model import ApiKey, Budget, Period, Scope, Span, Unit

ID_BYTES, SECRET_BYTES, SALT_BYTES = 10, 25, 16
"""Of randomness. 200 bits cannot be guessed, so the hash need not be slow."""

_TEXT = re.compile(r"dgm_([a-z2-7]{16})_([a-z2-7]{40})")
_TEXT_CHARACTERS = 61


class HashedSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One secret that opens a key."""

    salt: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})+$")]
    """Hex."""
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the salt's bytes and the secret, hex."""
    until: int | None = None
    """Unix seconds at which it no longer does; None: as long as the key is valid."""


class OwnBudget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much a key may spend, beside the budgets of the configuration."""

    unit: Unit
    limit: int
    """In `unit`."""
    period: Period
    seconds: int = 0
    """Of a rolling window."""
    time_zone: str = "UTC"
    is_soft: bool = False
    """It counts, and refuses nobody."""
    alerts: tuple[int, ...] = ()
    """Shares of the limit in thousandths, ascending: when each is spent, somebody is told."""

    @property
    def span(self) -> Span:
        return Span(self.period, self.time_zone, self.seconds)


class OwnLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much a key may ask in a time, beside the limits of the configuration."""

    counted: Counted
    amount: int
    seconds: int = 0
    """Of the period; 0 where requests that are open at once are counted."""
    algorithm: Algorithm = Algorithm.TOKEN_BUCKET

    def limit(self) -> Limit:
        """As those of the configuration."""
        name, rate = OF_KEY, Rate(self.amount, self.seconds)
        algorithm = self.algorithm
        match self.counted:
            case Counted.REQUESTS:
                return Limit(name, Scope(), requests=rate, algorithm=algorithm)
            case Counted.TOKENS:
                return Limit(name, Scope(), tokens=rate, algorithm=algorithm)
            case Counted.BYTES:
                return Limit(name, Scope(), bytes=rate, algorithm=algorithm)
            case Counted.CONCURRENT:
                return Limit(name, Scope(), concurrent=self.amount)


class VirtualKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key as it is stored. A field that a reader does not know makes it unreadable, so that no
    restriction is ever overlooked."""

    id: Annotated[str, msgspec.Meta(pattern="^[a-z2-7]{16}$")]
    name: str
    secrets: Annotated[tuple[HashedSecret, ...], msgspec.Meta(max_length=2)]
    """The newest first; at most two. None: it was revoked."""
    created: int
    """Unix seconds, like all times here."""
    user: str = ""
    team: str = ""
    groups: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    models: tuple[str, ...] = ()
    """Which models it opens, `*` stands for anything; empty: all."""
    tools: tuple[str, ...] = ()
    """Which tools of MCP servers it opens: globs over `SERVER__TOOL`; empty: all."""
    budgets: tuple[OwnBudget, ...] = ()
    limits: tuple[OwnLimit, ...] = ()
    expires: int | None = None
    enabled: bool = True
    rotated: int | None = None
    revoked: int | None = None

    def is_valid(self, now: float) -> bool:
        """Whether a right secret opens it."""
        is_over = self.expires is not None and self.expires <= now
        return self.enabled and self.revoked is None and not is_over

    def accepts(self, secret: str, now: float) -> bool:
        """Whether this is one of its secrets, in a time that does not tell how much of it is."""
        return any(
            (each.until is None or each.until > now)
            and hmac.compare_digest(digest(secret, each.salt), each.digest)
            for each in self.secrets
        )

    def holder(self) -> ApiKey:
        """Who it is, as keys of the file are somebody."""
        return ApiKey(
            name=self.name,
            digest="",
            user=self.user,
            team=self.team,
            groups=self.groups,
            tags=tuple(self.tags.items()),
            models=self.models,
            tools=self.tools,
        )

    def own_budgets(self) -> tuple[Budget, ...]:
        """As those of the configuration. They count under its id, which no other ever has."""
        return tuple(
            Budget(
                _name(self.id, each.span),
                Scope(),
                each.unit,
                each.limit,
                each.span,
                is_soft=each.is_soft,
                alerts=each.alerts,
            )
            for each in self.budgets
        )

    def own_limits(self) -> tuple[Limit, ...]:
        """As those of the configuration; whose they are, whoever counts must say."""
        return _limits(self.limits)


@lru_cache(1024)
def _limits(own: tuple[OwnLimit, ...]) -> tuple[Limit, ...]:
    return tuple(each.limit() for each in own)


def _name(id: str, span: Span) -> str:
    return f"key:{id}:{str(span).replace(' ', '-')}"


class Parts(Struct, frozen=True):
    """A credential that is written as our keys are."""

    id: str
    secret: str


def parse(text: str) -> Parts | None:
    """None: it is no key of ours, whatever else it is."""
    if len(text) != _TEXT_CHARACTERS:
        return None
    match = _TEXT.fullmatch(text)
    return None if match is None else Parts(match[1], match[2])


def written(parts: Parts) -> str:
    """The key as its holder gets it."""
    return f"dgm_{parts.id}_{parts.secret}"


def in_letters(random: bytes) -> str:
    """Random bytes as an id or a secret has them: base32, lower case."""
    return base64.b32encode(random).decode().rstrip("=").lower()


def digest(secret: str, salt: str) -> str:
    """Salted SHA-256, hex."""
    return hashlib.sha256(bytes.fromhex(salt) + secret.encode()).hexdigest()


def hashed(secret: str, salt: bytes) -> HashedSecret:
    """What is kept of a secret."""
    return HashedSecret(salt.hex(), digest(secret, salt.hex()))


def to_json(key: VirtualKey) -> bytes:
    """One line; also what is exported."""
    return msgspec.json.encode(key)


def from_json(line: bytes | str) -> VirtualKey:
    """Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(line, type=VirtualKey)
