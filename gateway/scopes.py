"""Which requests a policy is for, and whether what it says is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests something is for; `None` does not ask. `*` in a value matches anything."""

    key: str | None = None
    user: str | None = None
    team: str | None = None
    model: str | None = None
    provider: str | None = None
    llm: str | None = None
    mcp: str | None = None
    tool: str | None = None
    """Of an MCP server, as that calls it."""
    a2a: str | None = None
    route: str | None = None


EVERYTHING = Scope()


class Mode(StrEnum):
    """Whether what a policy says is done."""

    ENFORCE = "enforce"
    AUDIT = "audit"
    """It decides nothing; what it would have decided is counted and logged."""
