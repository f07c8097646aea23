"""What is said of a virtual key when it is made or changed: checked, and shown again as it is said.

Times are Unix seconds. Docs: docs/keys.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from gateway.config.block import Block, refusal
from gateway.config.budgets import AlertBlock, BudgetMode, Per, TimeZone
from gateway.config.finding import dotted
from gateway.config.limits import NOTHING_COUNTED
from gateway.config.scalars import (
    Amount,
    ByteRate,
    CountRate,
    Flag,
    Limit,
    Name,
    Text,
    Weight,
    written_limit,
    written_permille,
    written_rate,
)
from gateway.limits import Algorithm, Counted, Rate
from gateway.problem import Problem, did_you_mean
from gateway.virtual_keys import OwnBudget, OwnLimit, VirtualKey

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_LONGEST_SECONDS = 100 * 366 * 86_400
_SPAN = re.compile(r"([0-9]{1,9})([mhd])")
_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text",
    "dict_type": "must be keys and values",
    "model_type": "must be keys and values",
    "tuple_type": "must be a list",
}


class KeyBudgetBlock(Block):
    """How much the key may spend; what applies to it in the configuration applies as well."""

    limit: Amount
    """`5 USD`, `100k tokens`."""
    per: Per
    """When it starts anew, as for `budgets`: `hour`, `day`, `week`, `month`, `total`, or `rolling
    24h`."""
    time_zone: TimeZone | None = None
    """Of the calendar, such as `Europe/Berlin`. Default: UTC."""
    mode: BudgetMode = BudgetMode.HARD
    """As for `budgets`: `hard`, or `soft`, which counts and refuses nobody."""
    alerts: tuple[AlertBlock, ...] = ()
    """As for `budgets`: when the webhook of `alerts` is told."""

    @model_validator(mode="after")
    def _has_a_calendar(self) -> KeyBudgetBlock:
        if self.time_zone is not None and not self.per.is_of_calendar:
            raise refusal("has a time_zone, and no calendar", is_shown=False)
        return self


def _expiry(value: str) -> str:
    if span(value) is None and _moment(value) is None:
        raise refusal("must be a time with its zone, or a time from now", "2027-01-31T00:00Z, 90d")
    return value


class KeyLimitBlock(Block):
    """How much may be asked with the key in a time; what applies to it in the configuration applies
    as well."""

    requests: CountRate | None = None
    """Requests: `60/min`."""
    tokens: CountRate | None = None
    """Tokens of models: `100k/min`."""
    bytes: ByteRate | None = None
    """Bytes of requests' bodies: `10MB/min`."""
    concurrent: Weight | None = None
    """Requests that are open at once."""
    algorithm: Algorithm = Algorithm.TOKEN_BUCKET
    """As for `limits`: `token_bucket` or `sliding_window`."""

    @model_validator(mode="after")
    def _counts_something(self) -> KeyLimitBlock:
        if not self.all():
            raise refusal(NOTHING_COUNTED)
        return self

    def all(self) -> tuple[OwnLimit, ...]:
        """One for each thing that is counted."""
        rates = (
            (Counted.REQUESTS, self.requests),
            (Counted.TOKENS, self.tokens),
            (Counted.BYTES, self.bytes),
        )
        found = [
            OwnLimit(counted, rate.amount, rate.seconds, self.algorithm)
            for counted, rate in rates
            if rate is not None
        ]
        if self.concurrent is not None:
            found.append(OwnLimit(Counted.CONCURRENT, self.concurrent))
        return tuple(found)


class KeyTermsBlock(Block):
    """What a key is for and what it opens."""

    name: Name
    """What it is called in rules, budgets and reports; unique."""
    user: Text | None = None
    """Whose key it is."""
    team: Text | None = None
    """The team that pays."""
    groups: tuple[Text, ...] = ()
    """What rules see as `principal.groups`."""
    tags: dict[Text, Text] = Field(default={})
    """Free labels, for rules."""
    models: tuple[Text, ...] = ()
    """The models that it opens, as clients ask for them; `*` stands for anything. Default: all."""
    tools: tuple[Text, ...] = ()
    """The tools of MCP servers that it opens: globs over `SERVER__TOOL`. Default: all."""
    budgets: tuple[KeyBudgetBlock, ...] = ()
    """Its own budgets, one for each unit and period."""
    limits: tuple[KeyLimitBlock, ...] = ()
    """Its own limits, one for each thing that is counted and period."""
    expires: Annotated[str, AfterValidator(_expiry)] | None = None
    """When it stops working: `2027-01-31T00:00Z`, or from now: `90d`, `12h`, `30m`."""
    enabled: Flag = True
    """False: it is refused until it is enabled again."""

    @model_validator(mode="after")
    def _has_budgets_that_differ(self) -> KeyTermsBlock:
        seen = [(each.limit.unit, each.per) for each in self.budgets]
        if len(set(seen)) < len(seen):
            raise refusal("budgets: one for each unit and period", is_shown=False)
        return self

    @model_validator(mode="after")
    def _has_limits_that_differ(self) -> KeyTermsBlock:
        seen = [(one.counted, one.seconds) for each in self.limits for one in each.all()]
        if len(set(seen)) < len(seen):
            raise refusal("limits: one for each thing that is counted and period", is_shown=False)
        return self


_PARTS: Mapping[str, type[Block]] = {"budgets": KeyBudgetBlock, "limits": KeyLimitBlock}


def terms_of(said: object) -> KeyTermsBlock | tuple[Problem, ...]:
    """The terms, or everything that is wrong with them."""
    try:
        return KeyTermsBlock.model_validate(said)
    except ValidationError as error:
        return tuple(map(_problem, error.errors(include_url=False, include_input=False)))


def applied(terms: KeyTermsBlock, key: VirtualKey, now: int) -> VirtualKey | Problem:
    """The key with these terms in the place of its own."""
    expires = None if terms.expires is None else expiry_seconds(terms.expires, now)
    if expires is not None and expires <= now and expires != key.expires:
        return Problem("expires", f"has passed: {terms.expires}")
    return VirtualKey(
        id=key.id,
        name=terms.name,
        secrets=key.secrets,
        created=key.created,
        user=terms.user or "",
        team=terms.team or "",
        groups=terms.groups,
        tags=terms.tags,
        models=terms.models,
        tools=terms.tools,
        budgets=tuple(
            OwnBudget(
                each.limit.unit,
                each.limit.amount,
                each.per.period,
                each.per.seconds,
                each.time_zone or "UTC",
                each.mode is BudgetMode.SOFT,
                tuple(sorted({alert.at for alert in each.alerts})),
            )
            for each in terms.budgets
        ),
        limits=tuple(one for each in terms.limits for one in each.all()),
        expires=expires,
        enabled=terms.enabled,
        rotated=key.rotated,
        revoked=key.revoked,
    )


def said_of(key: VirtualKey) -> dict[str, Any]:
    """Its terms, as they could be said; without what is not said of it."""
    told: dict[str, Any] = {
        "name": key.name,
        "user": key.user,
        "team": key.team,
        "groups": list(key.groups),
        "tags": dict(key.tags),
        "models": list(key.models),
        "tools": list(key.tools),
        "budgets": list(map(_budget_said, key.budgets)),
        "limits": list(map(_limit_said, key.limits)),
        "expires": None if key.expires is None else iso(key.expires),
    }
    return {name: value for name, value in told.items() if value} | {"enabled": key.enabled}


def _budget_said(budget: OwnBudget) -> dict[str, Any]:
    said: dict[str, Any] = {
        "limit": written_limit(Limit(budget.unit, budget.limit)),
        "per": str(budget.span),
    }
    if budget.time_zone != "UTC":
        said["time_zone"] = budget.time_zone
    if budget.is_soft:
        said["mode"] = BudgetMode.SOFT.value
    if budget.alerts:
        said["alerts"] = [{"at": written_permille(each)} for each in budget.alerts]
    return said


def _limit_said(limit: OwnLimit) -> dict[str, Any]:
    if limit.counted is Counted.CONCURRENT:
        return {limit.counted.value: limit.amount}
    said = {limit.counted.value: written_rate(Rate(limit.amount, limit.seconds))}
    if limit.algorithm is not Algorithm.TOKEN_BUCKET:
        said["algorithm"] = limit.algorithm.value
    return said


def expiry_seconds(text: str, now: int) -> int:
    """What an `expires` that was checked means."""
    after = span(text)
    return now + after if after is not None else _moment(text) or 0


def span(text: str) -> int | None:
    """`90d`, `12h`, `30m` in seconds; None: it is something else."""
    match = _SPAN.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else None
    return seconds if seconds is not None and seconds <= _LONGEST_SECONDS else None


def iso(seconds: int) -> str:
    """As times are shown: `2027-01-31T00:00:00Z`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(found.timestamp()) if found.tzinfo is not None else None


def _problem(error: Any) -> Problem:
    path, context = error["loc"], error.get("ctx", {})
    if error["type"] == "refused":
        return Problem(dotted(path), context["message"], hint=context["hint"])
    if error["type"] == "extra_forbidden":
        block = _PARTS.get(str(path[0]), KeyTermsBlock)
        hint = did_you_mean(str(path[-1]), block.model_fields)
        return Problem(dotted(path), f"unknown key '{path[-1]}'", hint=hint)
    return Problem(dotted(path), _WORDS.get(error["type"], error["msg"].lower()))
