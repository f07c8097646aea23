"""LiteLLM's cool-downs and what it drops of requests → `llm.failover.health` and `llm.lossy`.

Each is written in `router_settings` or in `litellm_settings`; what is read first counts.
https://docs.litellm.ai/docs/proxy/reliability
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from gateway.importers.litellm_values import duration, fits_duration, flag, number
from gateway.importers.walk import Node

_MOST_FAILURES = 10
_HEALTH = "llm.failover.health"
_ALL_OF_THEM = "for all models; here a target counts as failing after so many failures in a row"
_FIXED = "for all models; each time as long, unless the provider says less"
_SET_ASIDE = "a target that fails is never set aside"
_DROPPED = "whatever a provider's dialect cannot express is dropped, not parameters alone"
_OTHER = "the one in router_settings counts"


def read_health(blocks: Sequence[Node]) -> dict[str, object]:
    """`allowed_fails`, `cooldown_time` and `disable_cooldowns`."""
    switch = [node for block in blocks if (node := block.take("disable_cooldowns")).is_written]
    is_off = [flag(node) for node in switch]
    failures = _failures([block.take("allowed_fails") for block in blocks])
    cool_down = _cool_down([block.take("cooldown_time") for block in blocks])
    for node, says in zip(switch, is_off, strict=True):
        node.exact(f"{_HEALTH}.failures" if says else "")
    if any(is_off) or cool_down == {}:
        for block in blocks:
            for key in ("allowed_fails", "cooldown_time"):
                block.take(key).forget()
                block.take(key).exact(f"{_HEALTH}.failures", _SET_ASIDE)
        return {"failures": 0}
    return {**failures, **(cool_down or {})}


def read_lossiness(blocks: Sequence[Node]) -> str | None:
    """`drop_params`."""
    node = _first([block.take("drop_params") for block in blocks])
    if node is None:
        return None
    if not flag(node):
        node.exact()
        return None
    node.different("llm.lossy", _DROPPED)
    return "all"


def _failures(nodes: Sequence[Node]) -> dict[str, object]:
    node = _first(nodes)
    allowed = None if node is None else number(node)
    if node is None or allowed is None:
        return {}
    if allowed < 0 or allowed != int(allowed):
        node.problem("must be a whole number, and not less than 0")
        return {}
    failures = int(min(allowed + 1, Decimal(_MOST_FAILURES)))
    cut = "" if failures == allowed + 1 else f"; at most {_MOST_FAILURES}"
    node.different(f"{_HEALTH}.failures", f"{_ALL_OF_THEM}, one more than are allowed{cut}")
    return {"failures": failures}


def _cool_down(nodes: Sequence[Node]) -> dict[str, object] | None:
    """None: nothing is said; empty: there is none."""
    node = _first(nodes)
    seconds = None if node is None else number(node)
    if node is None or seconds is None:
        return None
    if seconds <= 0:
        return {}
    cut = "" if fits_duration(seconds) else "; cut to what a duration can be"
    node.different(f"{_HEALTH}.cool_down", f"{_FIXED}{cut}")
    return {"cool_down": duration(seconds), "most": duration(seconds)}


def _first(nodes: Sequence[Node]) -> Node | None:
    written = [node for node in nodes if not node.is_empty]
    for node in written[1:]:
        node.unsupported(_OTHER)
    return written[0] if written else None
