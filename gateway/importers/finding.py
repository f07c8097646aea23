"""What became of each key of somebody else's file: the words are in `gateway.imported`."""

from __future__ import annotations

from gateway.imported import Imported, Mapped, Outcome, counts

__all__ = ["Imported", "Mapped", "Outcome", "counts"]
