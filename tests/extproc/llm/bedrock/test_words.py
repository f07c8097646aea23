"""Every word of Bedrock's is in its own model of the API, and none is missing."""

from __future__ import annotations

import pytest

from extproc.llm.answer import Stop
from extproc.llm.bedrock import words
from tests.kit.bedrock import service


def enumerated(shape: str) -> set[str]:
    return set(service().shape_for(shape).enum)


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        (words.IMAGE_TYPES, "ImageFormat"),
        (words.DOCUMENT_TYPES, "DocumentFormat"),
        (words.AUDIO_TYPES, "AudioFormat"),
        (words.VIDEO_TYPES, "VideoFormat"),
        (words.TIERS, "ServiceTierType"),
        (words.TTLS, "CacheTTL"),
    ],
)
def test_words_are_bedrocks(table: object, shape: str) -> None:
    assert set(table) == enumerated(shape)  # type: ignore[call-overload]


def test_every_stop_has_a_reason_of_bedrocks() -> None:
    assert set(words.STOP_REASONS) == set(Stop)
    assert set(words.STOP_REASONS.values()) < enumerated("StopReason")
    others = enumerated("StopReason") - set(words.STOPS)
    assert others == {"malformed_model_output", "malformed_tool_use"}


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("image/png", "png"),
        ("IMAGE/JPG; q=1", "jpeg"),
        ("image/tiff", None),
        ("audio/wav", None),
        ("", None),
    ],
)
def test_formats_of_images(media_type: str, name: str | None) -> None:
    assert words.image_format(media_type) == name


def test_formats_of_the_rest() -> None:
    assert words.document_format("text/plain; charset=utf-8") == "txt"
    assert words.audio_format("audio/x-wav") == "wav"
    assert words.video_format("video/3gpp") == "three_gp"
    assert words.audio_format("image/jpg") is None
