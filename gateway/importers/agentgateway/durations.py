"""Durations of theirs, `1m30s`, → ours, `90s`."""

from __future__ import annotations

import re
from decimal import Decimal

from gateway.config.scalars import Duration, written_duration
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.walk import has_variable

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}


def seconds(text: str) -> Decimal | None:
    """How long it is, if it is a duration."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return Decimal(0) if text == "0" else None
    return sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))


def duration(text: str) -> str | None:
    """As ours writes it; None: it cannot. A variable has to be a duration for both."""
    if has_variable(text):
        return text
    found = seconds(text)
    if found is None or found * 1000 != int(found * 1000):
        return None
    written = written_duration(float(found))
    return written if fits(Duration, written) else None
