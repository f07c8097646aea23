from __future__ import annotations

import pytest

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_responses.drawing import (
    drawing_tool,
    drawn_item,
    image_of,
    image_output,
)
from extproc.llm.request import Image, ImageOutput, Inline, Remote

FORM = Feature.IMAGE_OUTPUT_FORM
TOOL = "image_generation"


@pytest.mark.parametrize(
    ("tool", "asked", "extras"),
    [
        ({}, ImageOutput(), []),
        ({"size": "auto", "quality": "auto", "background": None}, ImageOutput(), []),
        ({"size": "1536x1024"}, ImageOutput(aspect_ratio="3:2"), []),
        ({"size": "large"}, ImageOutput(), [FORM]),
        ({"quality": "high"}, ImageOutput(), [FORM]),
        ({"input_image_mask": {"file_id": "f"}}, ImageOutput(), [Feature.PROVIDER_TOOLS, FORM]),
    ],
)
def test_what_the_tool_says_is_read_or_noted(
    tool: dict[str, object], asked: ImageOutput, extras: list[Feature]
) -> None:
    found: dict[Feature, None] = {}
    assert image_output({"tools": [{"type": TOOL, **tool}]}, found) == asked
    assert list(found) == extras


def test_without_the_tool_nothing_is_asked() -> None:
    assert image_output({}, {}) is None
    assert image_output({"tools": [{"type": "function", "name": "f"}]}, {}) is None


@pytest.mark.parametrize(
    ("wanted", "tool", "is_lost"),
    [
        (ImageOutput(), {"type": TOOL}, False),
        (ImageOutput(aspect_ratio="1:1"), {"type": TOOL, "size": "1024x1024"}, False),
        (ImageOutput(aspect_ratio="2:3", resolution="1K"), {"type": TOOL, "size": "1024x1536"}, 0),
        (ImageOutput(aspect_ratio="16:9"), {"type": TOOL, "size": "1536x1024"}, True),
        (ImageOutput(aspect_ratio="wide"), {"type": TOOL}, True),
        (ImageOutput(resolution="4K"), {"type": TOOL}, True),
    ],
)
def test_the_tool_is_offered_with_the_nearest_size(
    wanted: ImageOutput, tool: dict[str, object], is_lost: bool
) -> None:
    losses = Losses()
    assert drawing_tool(wanted, losses) == tool
    assert losses.features == ({FORM} if is_lost else set())


def test_an_item_holds_an_image_or_nothing() -> None:
    png = Image(Inline("image/png", "iVBORw0KGgo="))
    assert image_of({"result": "iVBORw0KGgo="}) == png
    assert image_of({"result": "AAAA", "output_format": "webp"}) == Image(
        Inline("image/webp", "AAAA")
    )
    assert image_of({"result": None}) is None
    assert image_of({"result": ""}) is None


def test_an_image_is_told_with_its_format_where_this_api_has_it() -> None:
    item = {"type": "image_generation_call", "status": "completed", "result": "AAAA"}
    assert drawn_item(Image(Inline("image/jpeg", "AAAA"))) == {**item, "output_format": "jpeg"}
    assert drawn_item(Image(Inline("image/heic", "AAAA"))) == item
    assert drawn_item(Image(Remote("https://a.example/x.png"))) is None
