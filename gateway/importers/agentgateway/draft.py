"""Our configuration while it is being made: what the converters of the parts put into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.config.finding import Path
from gateway.importers.agentgateway.matches import Match
from gateway.importers.walk import Node, Walk

BESIDE_ANOTHER = "one credential beside another"
"""Theirs asks for both; ours takes one."""
TWO_SERVICES = "extAuthz, twice"
"""Ours asks one."""
ELSEWHERE = "its models are served under /v1/"
"""Why nothing else may be where theirs serves models."""
_NAME_LENGTH = 64


class Names:
    """Names of ours for things of theirs, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, wanted: str | None, otherwise: str) -> str:
        """The name wanted, as far as ours can be so, or one like it."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted or "").strip("-._")
        base = (plain or otherwise)[: _NAME_LENGTH - 6]
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}-{count}"
        self._taken.add(name)
        return name


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, before it is known what it is for."""

    effect: str
    expression: str
    sources: tuple[Path, ...] = field(default=(), compare=False)
    """What of theirs it says."""


@dataclass(frozen=True, slots=True)
class Door:
    """The API keys that open something."""

    keys: tuple[str, ...]
    is_strict: bool
    """Without a key, nobody comes in."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms something of theirs may be reached."""

    locks: tuple[str, ...] = ()
    """What keeps somebody out there and cannot here: it is closed to all."""
    rules: tuple[Rule, ...] = ()
    doors: tuple[Door, ...] = ()
    logins: tuple[str, ...] = ()
    """Where browsers are sent: one at the most, and no keys beside it."""
    services: tuple[str, ...] = ()
    """That are asked: one at the most."""
    asks_password: bool = False
    """And takes nothing else."""

    def __add__(self, other: Terms) -> Terms:
        doors = tuple(dict.fromkeys((*self.doors, *other.doors)))
        logins = tuple(dict.fromkeys((*self.logins, *other.logins)))
        asks_password = self.asks_password or other.asks_password
        is_kept = len(logins) + bool(doors) + asks_password < 2 or not (logins or asks_password)
        services = tuple(dict.fromkeys((*self.services, *other.services)))
        locks = (*self.locks, *other.locks, *(() if is_kept else (BESIDE_ANOTHER,)))
        locks += () if len(services) < 2 else (TWO_SERVICES,)
        return Terms(
            tuple(dict.fromkeys(locks)),
            tuple(dict.fromkeys((*self.rules, *other.rules))),
            doors,
            logins,
            services,
            asks_password,
        )

    @property
    def of_models(self) -> Terms:
        """The same where keys and rules are all that is asked."""
        asked = {
            "oidc": self.logins,
            "extAuthz": self.services,
            "basicAuth": self.asks_password,
        }
        locks = tuple(name for name, is_asked in asked.items() if is_asked)
        return self + Terms(locks=locks) if locks else self

    @property
    def is_open(self) -> bool:
        """Everybody may come in."""
        return self.is_for_anybody and not self.services

    @property
    def is_for_anybody(self) -> bool:
        """Nobody here asks who comes in."""
        return not (self.locks or self.rules or self.doors or self.logins or self.asks_password)

    @property
    def is_strict(self) -> bool:
        """Nobody comes in without a key."""
        return any(door.is_strict for door in self.doors)


OPEN = Terms()


@dataclass(frozen=True, slots=True)
class Entry:
    """A plain route of ours, before its place and its rules are known."""

    name: str
    node: Node
    gateways: tuple[str, ...]
    hostnames: tuple[str, ...]
    match: Match
    listener: tuple[str, ...]
    """Hostnames of the listener: theirs chooses the closest listener first."""
    block: Mapping[str, object]
    """Backends and the like; what is said of gateways, the match and auth is added later."""
    terms: Terms
    reasons: tuple[str, ...] = ()
    """What else keeps it from being served as it is; with any, or any lock, it is closed."""
    closeness: tuple[int, int] = (0, 0)
    """Of the hostnames that theirs asks for; its listener's may be closer, and are not counted."""
    limits: tuple[Mapping[str, object], ...] = ()
    """Of services that are asked; without names."""
    leader: Path = ()
    """Of a route in a group: the route that led there first; else the route itself."""

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Everything that keeps it from being served."""
        lost = (f"matches.{part}" for part in self.match.lost)
        return tuple(dict.fromkeys((*self.terms.locks, *self.reasons, *lost)))

    @property
    def is_closed(self) -> bool:
        """Nobody is let in."""
        return bool(self.obstacles)


@dataclass(frozen=True, slots=True)
class Llm:
    """Models that are reached on the same terms."""

    pattern: str
    """What their names look like: `*`, or `team-a/*`."""
    node: Node
    gateways: tuple[str, ...]
    terms: Terms
    types: tuple[Mapping[str, str], ...] | None = None
    """What its route serves, by how paths end; None: all APIs."""
    provider: str = ""
    """The only one that its models lead to."""


@dataclass(frozen=True, slots=True)
class Served:
    """Terms of one model alone."""

    name: str
    terms: Terms


@dataclass(slots=True)
class Draft:
    """What has been taken over so far."""

    walk: Walk = field(repr=False)
    unusable: frozenset[str] = frozenset()
    """What expressions may not name: it would say something else here."""
    gateways: dict[str, dict[str, object]] = field(default_factory=dict)
    tls_known: set[str] = field(default_factory=set)
    """Gateways of which it is known whether they have TLS."""
    why_no_tls: str = ""
    """Why no listener with TLS can be taken over."""
    keys: list[dict[str, object]] = field(default_factory=list, repr=False)
    key_names: dict[str, str] = field(default_factory=dict, repr=False)
    """By digest, or by the variable that holds the key."""
    logins: dict[str, dict[str, object]] = field(default_factory=dict, repr=False)
    passwords: dict[str, object] = field(default_factory=dict, repr=False)
    """`identity.basic`."""
    services: dict[str, dict[str, object]] = field(default_factory=dict)
    """`external_authz`."""
    limit_services: dict[str, dict[str, object]] = field(default_factory=dict)
    rules: list[dict[str, object]] = field(default_factory=list)
    rule_of: dict[Path, int] = field(default_factory=dict)
    """The first rule of ours that says what stands at a path of theirs."""
    guards: list[dict[str, object]] = field(default_factory=list)
    budgets: list[dict[str, object]] = field(default_factory=list)
    providers: dict[str, dict[str, object]] = field(default_factory=dict, repr=False)
    models: dict[str, dict[str, object]] = field(default_factory=dict)
    prices: dict[str, dict[str, object]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    llms: list[Llm] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    provider_of: dict[Path, str] = field(default_factory=dict)
    """Names of providers, by the path of what they were made of."""
    gone: set[Path] = field(default_factory=set)
    """Models, routes and the like that are not served: nothing of them is taken over."""
    closed_by: dict[str, str] = field(default_factory=dict)
    """Rules that refuse everything, by the route."""
    is_single_llm: bool = True
    """All models of the file are reached on one way."""
    health: dict[str, object] = field(default_factory=dict)
    """`llm.failover.health`."""
    admin: dict[str, object] = field(default_factory=dict)
    max_request_bytes: int | str | None = None
    everywhere: Terms = OPEN
    """What holds for each request, whatever it is for."""
    names: dict[str, Names] = field(default_factory=dict)

    def name(self, kind: str, wanted: str | None, otherwise: str) -> str:
        """A name that no other thing of the kind has."""
        return self.names.setdefault(kind, Names()).unique(wanted, otherwise)

    def rule(self, name: str, scope: Mapping[str, str], rule: Rule) -> str:
        """Adds a rule; its name."""
        given = self.name("rule", name, "rule")
        block: dict[str, object] = {"name": given, "for": dict(scope), rule.effect: rule.expression}
        for source in rule.sources:
            self.rule_of.setdefault(source, len(self.rules))
        self.rules.append(block)
        return given

    def refused_model(self) -> dict[str, object]:
        """The block of a model that is only there to be refused."""
        return {"provider": next(iter(self.providers)), "listed": False}

    def price(self, name: str, block: dict[str, object]) -> None:
        """Adds a price; the last one counts."""
        self.prices[name] = block


CLOSED = Rule("deny", "true")


def text(value: str) -> str:
    """A text in CEL."""
    return json.dumps(value, ensure_ascii=False)


def quoted(names: Iterable[str]) -> str:
    """A list of texts in CEL."""
    return f"[{', '.join(map(text, names))}]"
