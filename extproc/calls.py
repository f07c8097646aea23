"""A line of log for each call that is settled: who asked, who answered, what it took.

At `info`; without it, nothing of this is made. Docs: docs/llm.md, "What a call costs".
"""

from __future__ import annotations

import logging

from msgspec import Struct

from extproc.facts import Facts
from gateway.catalog import cost
from gateway.price import Price
from gateway.price_rows import NANODOLLARS_PER_DOLLAR
from gateway.usage import Usage

logger = logging.getLogger(__name__)


class Caller(Struct, frozen=True):
    """Whose call it is; kept until it is settled."""

    request_id: str
    key: str
    """Its name; empty: no key was shown."""
    user: str
    """Empty: nobody knows."""
    model: str
    """As the client asked."""


class Answered(Struct, frozen=True):
    """Who has worked for it; where nobody answered, who was asked first."""

    provider: str
    model: str
    """As the provider calls it."""
    price: Price | None


def caller(facts: Facts) -> Caller | None:
    """None: nobody reads the log."""
    if not logger.isEnabledFor(logging.INFO):
        return None
    request_id = facts.headers.get("x-request-id", "")
    principal = facts.principal
    if principal is None:
        return Caller(request_id, "", "", facts.model)
    return Caller(request_id, principal.key, principal.user, facts.model)


def record(whose: Caller, by: Answered, usage: Usage) -> None:
    """Write the line."""
    told: dict[str, object] = {
        "request_id": whose.request_id,
        "key": whose.key,
        "user": whose.user,
        "model": whose.model,
        "provider": by.provider,
        "provider_model": by.model,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if by.price is not None:
        told["cost_usd"] = cost(by.price, usage) / NANODOLLARS_PER_DOLLAR
    if usage.is_estimated:
        told["estimated"] = True
    if usage.reported:
        told["reported"] = dict(usage.reported)
    logger.info(
        "%d tokens in, %d out: %s/%s%s",
        usage.input_tokens,
        usage.output_tokens,
        by.provider,
        by.model,
        " (estimated)" if usage.is_estimated else "",
        extra=told,
    )
