"""What the configuration says of the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.audit_log.sealing import SealingKey


@dataclass(frozen=True, slots=True)
class AuditTerms:
    """Where it is, and what is written there."""

    path: str = "audit"
    """A folder; where it is relative, in the state directory."""
    is_all: bool = False
    """Also what passes is written down."""
    has_content: bool = False
    """With the texts of the requests."""
    is_strict: bool = True
    """What cannot be written down is refused."""
    largest_bytes: int = 64 << 20
    """Of one file."""
    is_daily: bool = False
    """A new file for each day, UTC."""
    key: SealingKey | None = None
    """What records are sealed with; None: they are not."""
