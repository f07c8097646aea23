"""Images in answers of the Responses API: the tool that draws, and the items of what it drew.

https://platform.openai.com/docs/guides/tools-image-generation. Elsewhere the model itself draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.llm.fields import objects, string
from extproc.llm.image_ratio import nearest, of_size
from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_chat.attachments import inline
from extproc.llm.request import Image, ImageOutput, Inline

DRAWING: Final = "image_generation"
"""The type of the tool."""
DRAWN: Final = "image_generation_call"
"""The type of an item."""

_NEUTRAL: Mapping[str, object] = {"type": DRAWING, "action": "auto"}
"""Fields that ask for nothing; nor does any whose value is `auto`."""
_SIZES: Mapping[str, str] = {"1:1": "1024x1024", "3:2": "1536x1024", "2:3": "1024x1536"}
"""Those that all models of OpenAI draw, by their aspect ratios."""
_FORMS = frozenset({"png", "webp", "jpeg", "gif"})
_USUAL = ("", "1K")
"""Resolutions of about these sizes."""


def image_output(document: Mapping[str, object], extras: dict[Feature, None]) -> ImageOutput | None:
    """What a request says of images; None: the tool is not offered."""
    for index, tool in enumerate(objects(document, "tools")):
        if tool.get("type") != DRAWING:
            continue
        if tool.get("input_image_mask"):  # of an edit by places, which no other API has
            extras[Feature.PROVIDER_TOOLS] = None
        size = string(tool, "size", f"tools[{index}].")
        ratio = of_size(size)
        for name, value in tool.items():
            is_read = name == "size" and bool(ratio)
            if not is_read and value not in (None, "auto", _NEUTRAL.get(name)):
                extras[Feature.IMAGE_OUTPUT_FORM] = None
        return ImageOutput(aspect_ratio=ratio)
    return None


def drawing_tool(wanted: ImageOutput, losses: Losses) -> dict[str, object]:
    """The tool that is offered to a provider."""
    tool: dict[str, object] = {"type": DRAWING}
    ratio = nearest(wanted.aspect_ratio, _SIZES)
    if ratio:
        tool["size"] = _SIZES[ratio]
    if ratio != wanted.aspect_ratio or wanted.resolution not in _USUAL:
        losses.lose(Feature.IMAGE_OUTPUT_FORM, "size")
    return tool


def image_of(item: Mapping[str, object]) -> Image | None:
    """What an item holds; None: nothing was drawn, or OpenAI keeps it under its id."""
    data, form = item.get("result"), item.get("output_format")
    if type(data) is not str or not data:
        return None
    return Image(inline(f"image/{form}" if type(form) is str and form else "", data))


def drawn_item(image: Image) -> dict[str, object] | None:
    """Without its id; None: the image is not here, but at an address."""
    match image.source:
        case Inline(media_type, data):
            item: dict[str, object] = {"type": DRAWN, "status": "completed", "result": data}
            form = media_type.removeprefix("image/")
            return {**item, "output_format": form} if form in _FORMS else item
        case _:
            return None
