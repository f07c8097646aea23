"""How long a provider wants to be left alone, as its answer says it.

`Retry-After` in seconds or as a date (RFC 9110 §10.2.3), `retry-after-ms` (Azure, OpenAI), and
where neither is told, when the limit that is used up begins anew (`x-ratelimit-reset-requests`:
`1s`, `6m0s`, `120ms`, or a number of seconds).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LIMITS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
)
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,12})?")
_PIECE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?)(ms|d|h|m|s)")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """In seconds, above 0; None: it does not say."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    told = headers.get("retry-after", "").strip()
    seconds = _number(told)
    if seconds is None:
        seconds = _until(told, now)
    if seconds:
        return seconds
    return max(filter(None, (_reset(headers, *names) for names in _LIMITS)), default=None)


def _reset(headers: Mapping[str, str], remaining: str, reset: str) -> float | None:
    """When a limit of which nothing is left begins anew."""
    if _number(headers.get(remaining, "").strip()) != 0:
        return None
    told = headers.get(reset, "").strip()
    seconds = _number(told)
    return _span(told) if seconds is None else seconds


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _span(text: str) -> float | None:
    """`1h2m3.5s`."""
    seconds, end = 0.0, 0
    for piece in _PIECE.finditer(text):
        if piece.start() != end:
            return None
        seconds += float(piece[1]) * _UNITS[piece[2]]
        end = piece.end()
    return seconds if end and end == len(text) else None


def _until(text: str, now: datetime) -> float | None:
    """Of an HTTP date; None when it is past, or none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - now).total_seconds()
    return seconds if math.isfinite(seconds) and seconds > 0 else None
