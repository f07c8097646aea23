"""Whole sessions with several servers as one: `tests/transcripts/mcp`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.mcp_conversation import Conversation
from tests.kit.transcript import check_transcript

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts" / "mcp"


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.glob("*.txt")))
def test_sessions_go_as_written(name: str) -> None:
    check_transcript(TRANSCRIPTS / f"{name}.txt", Conversation().say)
