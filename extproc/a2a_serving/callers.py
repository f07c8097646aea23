"""Who asked to be called back, as the address says it that the agent is told: what guards, rules
and the audit log know of a caller when a notification comes. Claims of tokens are not kept."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from msgspec import Struct

from extproc.principal import Kind, Principal

_MOST_REMEMBERED: Final = 1024


class Caller(Struct, frozen=True, array_like=True):
    """One."""

    kind: Kind
    name: str
    key: str = ""
    user: str = ""
    team: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


def caller_of(principal: Principal | None) -> Caller | None:
    """None: anybody."""
    if principal is None:
        return None
    said = principal
    return Caller(said.kind, said.name, said.key, said.user, said.team, said.groups, said.tags)


@lru_cache(_MOST_REMEMBERED)
def principal_of(caller: Caller) -> Principal:
    """The same one each time, since what is remembered of callers is by identity."""
    return Principal(
        caller.kind,
        caller.name,
        caller.key,
        caller.user,
        caller.team,
        caller.groups,
        caller.tags,
    )
