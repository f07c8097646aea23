"""Who asked whom: the agents before this one, as W3C baggage carries them from agent to agent.

https://www.w3.org/TR/baggage/. Agents that pass on the context of OpenTelemetry pass this on, too.
It is what clients say: of use against mistakes, and no proof of anything.
"""

from __future__ import annotations

import re
from typing import Final

HEADER: Final = "baggage"
MEMBER: Final = "dragoman-agents"
LONGEST_BYTES: Final = 8192
"""Of the header, as all who pass it on take it."""
_BETWEEN: Final = "/"
_AGENT: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,62}")
_MOST: Final = 64


def read(baggage: str) -> tuple[str, ...]:
    """The agents that were asked before, in order; what is no name is left out."""
    if MEMBER not in baggage:
        return ()
    found: list[str] = []
    for member in baggage.split(","):
        name, _, value = member.partition("=")
        if name.strip() == MEMBER:
            found += value.partition(";")[0].strip().split(_BETWEEN)
    return tuple(each for each in found[:_MOST] if _AGENT.fullmatch(each))


def written(baggage: str, chain: tuple[str, ...]) -> str:
    """The header with this chain. Other members stay, unless it would be too long."""
    own = f"{MEMBER}={_BETWEEN.join(chain)}"
    others = [
        each.strip() for each in baggage.split(",") if each.partition("=")[0].strip() != MEMBER
    ]
    said = ",".join((own, *filter(None, others)))
    return said if len(said) <= LONGEST_BYTES else own
