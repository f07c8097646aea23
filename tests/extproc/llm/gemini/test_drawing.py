from __future__ import annotations

import pytest

from extproc.llm.gemini.drawing import drawing
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import ImageOutput


@pytest.mark.parametrize(
    ("wanted", "config", "is_lost"),
    [
        (ImageOutput(), {"responseModalities": ["TEXT", "IMAGE"]}, False),
        (ImageOutput(True), {"responseModalities": ["IMAGE"]}, False),
        (
            ImageOutput(True, "16:9", "4K"),
            {
                "responseModalities": ["IMAGE"],
                "imageConfig": {"aspectRatio": "16:9", "imageSize": "4K"},
            },
            False,
        ),
        (
            ImageOutput(aspect_ratio="8:5"),
            {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "3:2"}},
            True,
        ),
        (ImageOutput(resolution="8K"), {"responseModalities": ["TEXT", "IMAGE"]}, True),
        (ImageOutput(aspect_ratio="wide"), {"responseModalities": ["TEXT", "IMAGE"]}, True),
    ],
)
def test_what_is_wanted_is_said_as_near_as_can_be(
    wanted: ImageOutput, config: dict[str, object], is_lost: bool
) -> None:
    losses = Losses()
    assert drawing(wanted, losses) == config
    assert losses.features == ({Feature.IMAGE_OUTPUT_FORM} if is_lost else set())
