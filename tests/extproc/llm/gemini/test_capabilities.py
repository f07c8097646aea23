"""The rows of the table hold together."""

from __future__ import annotations

from extproc.llm.gemini.capabilities import EXPRESSES, ROUGHLY, SAYS
from extproc.llm.losses import Feature


def test_what_is_expressed_in_full_is_not_expressed_roughly() -> None:
    assert set(ROUGHLY) & EXPRESSES == set()


def test_what_is_lost_is_said_in_a_short_sentence() -> None:
    assert all(0 < len(each) < 80 and each[-1] != "." for each in ROUGHLY.values())


def test_what_nobody_else_can_be_told_is_not_expressed() -> None:
    only_here = {Feature.SAFETY_SETTINGS, Feature.STORED_STATE, Feature.PROVIDER_TOOLS}
    assert only_here <= SAYS
    assert not only_here & (EXPRESSES | ROUGHLY.keys())
