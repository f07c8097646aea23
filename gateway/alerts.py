"""Who is told when budgets run low."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AlertsTo:
    """Who is told what is spent of budgets."""

    url: str
    secret: str = field(default="", repr=False)
    """Base64; empty: nothing is signed."""
