"""Failover and health, as they are written."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gateway.config.block import Block, refusal
from gateway.config.scalars import Count, Duration, Retries
from gateway.failover import USUAL_CAUSES, Cause, Failover, HealthRules

_USUAL = tuple(cause for cause in Cause if cause in USUAL_CAUSES)


class HealthBlock(Block):
    """When a target that fails is set aside: then others of its model are tried before it."""

    failures: Retries = 3
    """So many failures in a row; one is enough where the provider says when to come back
    (`Retry-After`). 0: none is ever set aside."""
    cool_down: Duration = 10.0
    """For how long the first time, unless the provider says it; twice as long each time that it
    fails again."""
    most: Duration = 300.0
    """Never for longer, whatever the provider says."""

    @model_validator(mode="after")
    def _is_ordered(self) -> HealthBlock:
        if self.most < self.cool_down:
            raise refusal("has a 'most' that is shorter than its cool_down", is_shown=False)
        return self


class FailoverBlock(Block):
    """How a request goes through the targets of its model."""

    after: Annotated[tuple[Cause, ...], Field(min_length=1)] = _USUAL
    """After what the next target is tried: `rate_limit` (429), `server_error` (5xx, 408, 409,
    424), `timeout` (nothing is answered, or the connection breaks first), `connect` (no
    connection), `context_length` (the prompt is too long for the model), `content_filter` (the
    provider's filter refuses the prompt)."""
    attempts: Count | None = None
    """At most so many targets are tried. Default: all."""
    time: Duration | None = None
    """Until an answer has to have begun: each of n tries gets an nth of it, or `first_byte` where
    that is shorter. An answer that is not streamed begins when it is whole. Default: no bound."""
    health: HealthBlock = HealthBlock()
    """When a target that fails is set aside."""


def failover(block: FailoverBlock) -> Failover:
    """What was written."""
    health = block.health
    return Failover(
        frozenset(block.after),
        block.attempts,
        block.time,
        HealthRules(health.failures, health.cool_down, health.most),
    )
