"""What Gemini counts is one Usage."""

from __future__ import annotations

from google.genai import types
from msgspec.structs import replace

from extproc.llm.gemini.usage import encode_usage, usage_of
from gateway.usage import Usage


def test_thoughts_are_output_and_what_tools_read_is_input() -> None:
    usage = usage_of(
        {
            "promptTokenCount": 100,
            "toolUsePromptTokenCount": 20,
            "candidatesTokenCount": 7,
            "thoughtsTokenCount": 30,
            "cachedContentTokenCount": 64,
            "totalTokenCount": 157,
            "trafficType": "ON_DEMAND_PRIORITY",
        }
    )
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (120, 37)
    assert (usage.cached_input_tokens, usage.reasoning_tokens) == (64, 30)
    assert usage.service_tier == "priority"
    assert dict(usage.reported)["toolUsePromptTokenCount"] == 20


def test_modalities_are_told_apart() -> None:
    usage = usage_of(
        {
            "promptTokenCount": 600,
            "candidatesTokenCount": 50,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 10},
                {"modality": "IMAGE", "tokenCount": 258},
                {"modality": "AUDIO", "tokenCount": 332},
            ],
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}, "?"],
            "serviceTier": "FLEX",
        }
    )
    assert usage is not None
    assert (usage.image_input_tokens, usage.audio_input_tokens) == (258, 332)
    assert (usage.audio_output_tokens, usage.image_output_tokens) == (50, 0)
    assert usage.service_tier == "flex"


def test_output_that_is_not_told_follows_from_the_total() -> None:
    usage = usage_of({"promptTokenCount": 9, "totalTokenCount": 12, "thoughtsTokenCount": 1})
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (9, 3)


def test_embeddings_have_only_input() -> None:
    usage = usage_of(
        {
            "promptTokenCount": 5,
            "promptTokenDetails": [{"modality": "IMAGE", "tokenCount": 5}],
        }
    )
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.image_input_tokens) == (5, 0, 5)


def test_no_numbers_are_no_usage() -> None:
    assert usage_of(None) is None
    assert usage_of({}) is None
    assert usage_of({"trafficType": "ON_DEMAND"}) is None


def test_what_is_written_is_read_as_the_same_and_by_googles_types() -> None:
    usage = Usage(
        120,
        50,
        cached_input_tokens=64,
        reasoning_tokens=30,
        audio_input_tokens=10,
        image_input_tokens=20,
        image_output_tokens=5,
    )
    said = encode_usage(usage)
    again = usage_of(said)
    assert again is not None
    assert replace(again, reported=()) == usage
    read = types.GenerateContentResponseUsageMetadata.model_validate(said)
    assert read.total_token_count == 170
    assert read.thoughts_token_count == 30
