"""Images that a model of Gemini is to draw: how they are asked for.

https://ai.google.dev/gemini-api/docs/image-generation.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.image_ratio import nearest
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import ImageOutput

_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_RESOLUTIONS = frozenset({"1K", "2K", "4K"})


def drawing(wanted: ImageOutput, losses: Losses) -> Mapping[str, object]:
    """The fields of `generationConfig`."""
    config: dict[str, object] = {}
    if wanted.aspect_ratio:
        ratio = nearest(wanted.aspect_ratio, _RATIOS)
        if ratio != wanted.aspect_ratio:
            losses.lose(Feature.IMAGE_OUTPUT_FORM, "aspect_ratio")
        if ratio:
            config["aspectRatio"] = ratio
    if wanted.resolution in _RESOLUTIONS:
        config["imageSize"] = wanted.resolution
    elif wanted.resolution:
        losses.lose(Feature.IMAGE_OUTPUT_FORM, "image_size")
    said: dict[str, object] = {
        "responseModalities": ["IMAGE"] if wanted.is_required else ["TEXT", "IMAGE"]
    }
    return {**said, "imageConfig": config} if config else said
