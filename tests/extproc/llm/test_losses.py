"""What may be lost in translation is up to who runs the gateway."""

from __future__ import annotations

import pytest

from extproc.llm.losses import HINTS, Feature, Losses
from gateway.model import Lossiness


def losing(*features: Feature) -> Losses:
    losses = Losses()
    for feature in features:
        losses.lose(feature, feature.value)
    return losses


@pytest.mark.parametrize(
    ("allowed", "lost", "is_refused"),
    [
        (Lossiness.NONE, Feature.SEED, True),
        (Lossiness.HINTS, Feature.SEED, False),
        (Lossiness.NONE, Feature.PARALLEL_CALLS, True),
        (Lossiness.HINTS, Feature.PARALLEL_CALLS, False),
        (Lossiness.HINTS, Feature.CHOICES, True),
        (Lossiness.ALL, Feature.CHOICES, False),
    ],
)
def test_hints_and_what_is_essential_are_told_apart(
    allowed: Lossiness, lost: Feature, is_refused: bool
) -> None:
    assert (losing(lost).refusal(allowed, "Gemini") is not None) is is_refused


@pytest.mark.parametrize("allowed", Lossiness)
def test_who_loses_nothing_is_never_refused(allowed: Lossiness) -> None:
    assert losing().refusal(allowed, "Gemini") is None


def test_a_refusal_names_the_part_and_the_api() -> None:
    deny = losing(Feature.SEED, Feature.CHOICES).refusal(Lossiness.HINTS, "Gemini")
    assert deny is not None
    assert (deny.status, deny.code, deny.param) == (400, "unsupported_parameter", "choices")
    assert "Gemini" in deny.reason


@pytest.mark.parametrize(("where", "param"), [("choices", "n"), ("choices[4]", "n[4]"), ("n", "n")])
def test_a_refusal_names_the_part_as_the_client_does(where: str, param: str) -> None:
    losses = Losses()
    losses.lose(Feature.CHOICES, where)
    deny = losses.refusal(Lossiness.HINTS, "Gemini", {Feature.CHOICES: "n"})
    assert deny is not None
    assert deny.param == param
    assert deny.reason.startswith(f"{param} cannot be expressed")


def test_a_refusal_says_what_the_name_of_a_field_does_not() -> None:
    losses = Losses()
    losses.lose(Feature.IMAGE_URL, "url")
    deny = losses.refusal(Lossiness.HINTS, "Gemini")
    assert deny is not None
    assert deny.reason.startswith("url (an image by its address) cannot be expressed")


def test_the_first_place_of_a_loss_is_kept() -> None:
    losses = Losses()
    losses.lose(Feature.IMAGE_URL, "messages[0]")
    losses.lose(Feature.IMAGE_URL, "messages[1]")
    deny = losses.refusal(Lossiness.HINTS, "x")
    assert deny is not None
    assert deny.param == "messages[0]"
    assert losses.features == {Feature.IMAGE_URL}


def test_text_and_tools_are_never_mere_hints() -> None:
    assert not HINTS & {Feature.TEXT, Feature.SYSTEM, Feature.TOOLS, Feature.JSON_SCHEMA}
