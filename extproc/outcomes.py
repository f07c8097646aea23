"""What became of the tries of a request, as far as its last answer tells: who failed, and how long
each wants to be left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from extproc.events import ResponseHeaders
from extproc.plan import Try
from extproc.protocols.retry_after import retry_after

_FAILED = frozenset({408, 409, 424, 429})
"""And all from 500 on: what says something of the provider, not of the request."""
_OF_THE_CALLER = frozenset({401, 403})
"""Whose credentials they were, nobody knows: they may be the client's own."""
_NOBODY = "no_healthy_upstream"
_FROM_ENVOY = ("upstream_", _NOBODY, "response_timeout")
"""RESPONSE_CODE_DETAILS, when it answers instead of a provider that did not."""


class Outcome(Struct, frozen=True):
    """Of one try."""

    tried: Try
    is_failure: bool
    """False: it was answered, if only with what is wrong with the request."""
    told: float | None = None
    """For how many seconds its provider wants to be left alone."""
    is_lost: bool = False
    """Envoy had nobody to send it to, and does not go on to the next try then."""


def outcomes(tries: Sequence[Try], event: ResponseHeaders, now: datetime) -> tuple[Outcome, ...]:
    """Of all tries that were made, the last one last; those that say nothing are left out."""
    last = _last(tries, event)
    if last is None:
        return ()
    earlier = (_earlier(tried, event, now) for tried in tries[:last])
    found = (*earlier, _answered(tries[last], event, now))
    return tuple(each for each in found if each is not None)


def soonest(found: Iterable[Outcome]) -> str | None:
    """The `Retry-After` of an answer after which nobody else was left to ask."""
    told = [each.told for each in found if each.told is not None]
    return str(math.ceil(min(told))) if told else None


def _last(tries: Sequence[Try], event: ResponseHeaders) -> int | None:
    if event.attempt:
        return event.attempt - 1 if event.attempt <= len(tries) else None
    return next(
        (place for place, tried in enumerate(tries) if tried.cluster == event.cluster), None
    )


def _earlier(tried: Try, event: ResponseHeaders, now: datetime) -> Outcome | None:
    failure = event.failures.get(tried.cluster)
    if failure is None:  # it said nothing at all
        return Outcome(tried, True)
    return _said(tried, failure.status, event, now)


def _answered(tried: Try, event: ResponseHeaders, now: datetime) -> Outcome | None:
    if event.status < 300 or event.details in ("", "via_upstream"):
        return _said(tried, event.status, event, now)
    if not event.details.startswith(_FROM_ENVOY):
        return None
    return Outcome(tried, True, is_lost=event.details == _NOBODY)


def _said(tried: Try, status: int, event: ResponseHeaders, now: datetime) -> Outcome | None:
    if status in _OF_THE_CALLER:
        return None
    if status not in _FAILED and status < 500:
        return Outcome(tried, False)
    failure = event.failures.get(tried.cluster)
    told = None if failure is None else retry_after(failure.headers, now)
    return Outcome(tried, True, told)
