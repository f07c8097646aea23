"""Local limits of theirs → budgets of tokens, where a bucket is as good as an hour or a day."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Draft
from gateway.importers.agentgateway.durations import seconds
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node

_PERIODS = {3600: "hour", 86400: "day"}
_NO_BUDGET = (
    "the number of tokens is not limited here: budgets are for whole hours or days; write one"
    " under budgets"
)
_CALENDAR = (
    "by hours and days of the clock, in UTC; the estimate is reserved before the call;"
    " counted for all replicas together"
)


def read_token_limits(node: Node, scope: Mapping[str, str], draft: Draft) -> None:
    """Each limit of models; `scope`: whose models."""
    if isinstance(node.value, dict):
        node.unsupported(
            "nothing is limited here, since a limit does not depend on conditions: write budgets",
            is_security=True,
        )
        return
    for item in node.items():
        settle(item, policy_keys.RATE_LIMIT, unknown_is_lock=False)
        most, refill = item.take("maxTokens").integer(), item.take("tokensPerFill").integer()
        length = seconds(item.take("fillInterval").text() or "")
        per = _PERIODS.get(int(length)) if length is not None and length == int(length) else None
        if item.take("type").text() != "tokens":
            item.unsupported(policy_keys.UNLIMITED, is_security=True)
        elif not isinstance(most, int) or most < 1 or most != refill or per is None:
            item.unsupported(_NO_BUDGET, is_security=True)
        else:
            name = draft.name("budget", f"tokens-{per}", "tokens")
            block: dict[str, object] = {"name": name, **({"for": dict(scope)} if scope else {})}
            draft.budgets.append({**block, "limit": f"{most} tokens", "per": per})
            item.different(f"budgets.{len(draft.budgets) - 1}", _CALENDAR)
