"""Where a client's limits stand, in the headers of its answer: extproc wrote it down beforehand."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import names
from gateway.model import Limit
from xds_server.resources.extension import Json

REMOVED = tuple(names.RATE_LIMIT_PREFIX + name for name in names.RATE_LIMITS)
"""First: those of a provider are for its customer, the gateway's operator."""
ADDED: list[Json] = [
    {
        "header": {
            "key": names.RATE_LIMIT_PREFIX + name,
            "value": f"%DYNAMIC_METADATA({names.LIMITS_NAMESPACE}:{name})%",
        },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    for name in names.RATE_LIMITS
]
"""Where nothing is written down, there is no header."""
LOW: list[Json] = [
    {
        "header": {
            "key": names.LOW_BUDGET_HEADER,
            "value": f"%DYNAMIC_METADATA({names.LIMITS_NAMESPACE}:{names.LOW_BUDGET})%",
        },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
]
"""Of a budget of which too little is left for the model that was asked for."""


def is_told(limits: Iterable[Limit]) -> bool:
    """Whether one of them is told."""
    return any(each.requests is not None or each.tokens is not None for each in limits)
