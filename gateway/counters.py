"""What the counters of a budget are called: `each-team|team=research`.

The budget's name; `tokens`, where it counts these; what is counted apart, as `dimension=value`; and
of a rolling budget, which of its windows it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from gateway.periods import Unit

LONGEST_VALUE = 128
"""Longer texts that a budget counts by are counted under their hash."""
_WINDOW = "window"


def counter_name(budget: str, unit: Unit, subjects: Sequence[tuple[str, str]]) -> str:
    """The ledger's name for what a budget counts apart: `team-month|team=platform`; in tokens,
    `team-month|tokens|team=platform`, so that no nanodollars are taken for tokens."""
    name = budget if unit is Unit.NANODOLLARS else f"{budget}|{unit}"
    for dimension, value in subjects:
        if "|" in value or "%" in value:
            value = value.replace("%", "%25").replace("|", "%7C")
        name = f"{name}|{dimension}={value}"
    return name


def phased(counter: str, phase: int | None) -> str:
    """Windows that overlap count apart, also by name: what is booked once is booked in each."""
    return counter if phase is None else f"{counter}|{_WINDOW}={phase}"


def counted_by(value: str) -> str:
    """A text that a budget counts by, as it is counted."""
    return value if len(value) <= LONGEST_VALUE else hashed(value)


def hashed(value: str) -> str:
    """A text that nobody is shown."""
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


class Counter(Struct, frozen=True):
    """What a name says."""

    budget: str
    unit: Unit
    subjects: tuple[tuple[str, str], ...]
    phase: int | None
    """Of a rolling budget."""


def read_counter(name: str) -> Counter:
    """The other way round."""
    budget, *parts = name.split("|")
    unit = Unit.NANODOLLARS
    if parts and parts[0] == Unit.TOKENS:
        unit = Unit.TOKENS
        del parts[0]
    subjects = [
        (dimension, value.replace("%7C", "|").replace("%25", "%"))
        for dimension, _, value in (part.partition("=") for part in parts)
    ]
    phase = None
    if subjects and subjects[-1][0] == _WINDOW:
        phase = int(subjects.pop()[1])
    return Counter(budget, unit, tuple(subjects), phase)
