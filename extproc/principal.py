"""Who is calling, whatever proved it: what scopes, rules, budgets and logs know of a caller.

Set once for each request, by whoever authenticated it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.model import ApiKey, Budget, Limit


class Kind(StrEnum):
    """What proved who is calling."""

    API_KEY = "api_key"
    JWT = "jwt"
    CERTIFICATE = "certificate"
    BASIC = "basic"
    INTROSPECTION = "introspection"
    LOGIN = "login"


@dataclass(frozen=True, slots=True, eq=False)
class Principal:
    """A caller that is known.

    Compared by identity: what is remembered of one is never taken for that of another, who may have
    the same name and other groups. Who makes one keeps it, so that it is found again.
    """

    kind: Kind
    name: str
    """Of the key, the subject of the token, the name in the certificate, or the user of a
    password."""
    key: str = ""
    """The name of the API key; empty: it was something else."""
    user: str = ""
    team: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    claims: Mapping[str, object] | None = None
    """Of the token; None: there was none."""
    models: tuple[str, ...] = ()
    """Which the key opens, `*` stands for anything; empty: all."""
    tools: tuple[str, ...] = ()
    """Which tools of MCP servers the key opens: globs over `SERVER__TOOL`; empty: all."""
    budgets: tuple[Budget, ...] = ()
    """The key's own."""
    limits: tuple[Limit, ...] = ()
    """The key's own; one object for all keys that have the same."""
    counted_as: str = ""
    """Under which name they are counted."""


def of_key(key: ApiKey) -> Principal:
    """Who holds a key."""
    return Principal(
        Kind.API_KEY,
        key.name,
        key.name,
        key.user,
        key.team,
        key.groups,
        key.tags,
        models=key.models,
        tools=key.tools,
    )
