from __future__ import annotations

from pathlib import Path

from extproc.llm.anthropic.capabilities import EXPRESSES, ROUGHLY, SAYS

SAMPLES = Path(__file__).parents[3] / "translations/anthropic/requests"


def test_there_is_a_sample_of_everything_that_can_be_said() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == {feature.value for feature in SAYS}


def test_what_is_expressed_in_full_is_not_expressed_roughly() -> None:
    assert not EXPRESSES & ROUGHLY.keys()


def test_every_loss_is_one_short_sentence() -> None:
    for text in ROUGHLY.values():
        assert 0 < len(text) <= 80
        assert not text.endswith(".")
