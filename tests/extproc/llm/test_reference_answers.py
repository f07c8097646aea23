"""What the page says of answers is what clients are told."""

from __future__ import annotations

import pytest

from extproc.llm.reference_answers import NO, PROBES, YES, Probe, told
from gateway.model import Dialect


def found(title: str) -> dict[Dialect, str]:
    (probe,) = [probe for probe in PROBES if probe.title == title]
    return {dialect: told(probe, dialect) for dialect in Dialect}


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.title)
def test_somebody_is_told_each_part_in_full(probe: Probe) -> None:
    assert YES in {told(probe, dialect) for dialect in Dialect}


@pytest.mark.parametrize("title", ["text", "tool calls, several at once", "seals of tool calls"])
def test_no_client_goes_without_what_it_must_act_on(title: str) -> None:
    assert set(found(title).values()) == {YES}


def test_what_a_dialect_has_no_place_for_is_said_or_not_there() -> None:
    assert found("logprobs")[Dialect.ANTHROPIC] == NO
    assert found("logprobs")[Dialect.GEMINI] == "without the tokens' bytes"
    assert found("refusals")[Dialect.GEMINI] == "as text"
    assert found("speech")[Dialect.ANTHROPIC] == "its transcript"
    assert found("several choices")[Dialect.ANTHROPIC] == "the first"
