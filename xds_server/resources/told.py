"""Where a client's limits stand, in the headers of its answer: extproc wrote it down beforehand."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import names
from gateway.limits import LimitHeaders
from gateway.model import Limit
from xds_server.resources.extension import Json

_OPENAI = tuple((names.RATE_LIMIT_PREFIX + name, name) for name in names.RATE_LIMITS)
_SHOWN = {
    LimitHeaders.OPENAI: _OPENAI,
    LimitHeaders.BOTH: (*_OPENAI, *names.IETF_RATE_LIMITS),
}
"""Headers, and what their values are called where extproc writes them down."""


def removed(headers: LimitHeaders) -> list[str]:
    """First: those of a provider are for its customer, the gateway's operator."""
    return [header for header, _ in _SHOWN[headers]]


def added(headers: LimitHeaders) -> list[Json]:
    """Where nothing is written down, there is no header."""
    return [
        {
            "header": {
                "key": header,
                "value": f"%DYNAMIC_METADATA({names.LIMITS_NAMESPACE}:{name})%",
            },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
        for header, name in _SHOWN[headers]
    ]


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
