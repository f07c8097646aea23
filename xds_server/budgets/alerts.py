"""Which shares of which budgets are spent, and how that is said. Without I/O.

https://www.standardwebhooks.com says how it is signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.config.key_terms import iso
from gateway.config.scalars import Limit, written_limit, written_permille
from gateway.counters import counter_name, read_counter
from gateway.model import Budget
from gateway.periods import Period
from gateway.windows import Window
from xds_server.budgets.store import Alert, Stands

TYPE = "budget.threshold"


class Standing(NamedTuple):
    """A counter of a budget in its present period; of a rolling one, its fullest window."""

    budget: Budget
    stands: Stands
    window: Window
    key: str = ""
    """The name of the virtual key whose own it is; empty: it is of the configuration."""

    @property
    def limit(self) -> int:
        """With what was topped up."""
        return self.budget.limit + self.stands.topped_up

    @property
    def counter(self) -> str:
        """Without the window."""
        read = read_counter(self.stands.counter)
        return counter_name(read.budget, read.unit, read.subjects)


def due(standing: Standing, now: int) -> Iterator[Alert]:
    """Every share that is spent, be it that somebody was told of it."""
    span = standing.budget.span
    start = standing.window.start
    if span.period is Period.ROLLING:  # its windows overlap: once in each stretch of its length
        start = now - now % span.seconds
    for permille in standing.budget.alerts:
        if standing.stands.settled * 1000 >= standing.limit * permille:
            yield Alert(standing.counter, start, permille)


def letter(standing: Standing, alert: Alert, now: int) -> bytes:
    """What the webhook gets. Amounts are in nanodollars or tokens, as `unit` says."""
    budget, stands, window, _ = standing
    spent = written_limit(Limit(budget.unit, stands.settled))
    limit = written_limit(Limit(budget.unit, standing.limit))
    of = dict(read_counter(stands.counter).subjects)
    name = budget.name
    if standing.key:
        of, name = {"key": standing.key}, f"key:{standing.key}:{name.rpartition(':')[2]}"
    whose = f" of {', '.join(f'{name}={value}' for name, value in of.items())}" if of else ""
    share = written_permille(alert.permille)
    told: Mapping[str, object] = {
        "type": TYPE,
        "timestamp": iso(now),
        "data": {
            "text": f"budget '{name}'{whose}: {share} is spent: {spent} of {limit}",
            "budget": name,
            "of": of,
            "at": share,
            "unit": budget.unit.value,
            "spent": stands.settled,
            "reserved": stands.reserved,
            "limit": standing.limit,
            "topped_up": stands.topped_up,
            "mode": "soft" if budget.is_soft else "hard",
            "since": iso(window.start),
            "until": None if window.end is None else iso(window.end),
        },
    }
    return msgspec.json.encode(told)


def headers(id: str, seconds: int, body: bytes, secret: str) -> Mapping[str, str]:
    """By which the receiver knows who sent it, when, and what it has had before. `secret` is
    base64; empty: nothing is signed."""
    told = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
    }
    if secret:
        content = f"{id}.{seconds}.".encode() + body
        digest = hmac.new(base64.b64decode(secret), content, hashlib.sha256).digest()
        told["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return told


def fullest(standings: Sequence[Standing], most: int) -> Sequence[Standing]:
    """So many, of which the largest share is spent."""
    return sorted(standings, key=lambda each: -each.stands.settled / each.limit)[:most]
