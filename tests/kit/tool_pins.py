"""Definitions of tools as workers have written them down."""

from __future__ import annotations

from pathlib import Path

from extproc.adapters.tool_pins import SqliteToolPins
from extproc.ports import Seen


def seen(folder: Path, server: str, **tools: str) -> None:
    """Name → the digest that is known and, behind a space, the one that was seen since."""
    pins = SqliteToolPins(folder, lambda: 1_700_000_000.0)
    for tool, digests in tools.items():
        known, _, now = digests.partition(" ")
        if known:
            pins.put(server, [Seen(tool, known, known, _text(tool, known))])
        if now:
            pins.put(server, [Seen(tool, known, now, _text(tool, now))])
    pins.close()


def _text(tool: str, digest: str) -> str:
    return f'{{"name":"{tool}","description":"{digest}"}}'
