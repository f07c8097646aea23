"""What is claimed has one meaning."""

from __future__ import annotations

from extproc.llm.bedrock.capabilities import EXPRESSES, ROUGHLY, SAYS
from extproc.llm.losses import Feature


def test_nothing_is_carried_both_fully_and_roughly() -> None:
    assert not EXPRESSES & set(ROUGHLY)
    assert all(ROUGHLY.values())


def test_what_is_carried_is_said_but_for_what_only_others_say() -> None:
    assert (EXPRESSES | set(ROUGHLY)) - SAYS == {Feature.REFUSAL, Feature.JSON_OBJECT}
