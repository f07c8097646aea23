from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm import answer_texts
from extproc.llm.frames import MessageFrames, SseFrames
from gateway.model import Dialect
from tests.kit.sample_providers import SAMPLES, stream_of

WHOLE = sorted(SAMPLES.glob("*/answers/*.json"))
STRUCTURE = ("chatcmpl", "msg_", "resp_", "toolu_", "assistant", "tool_calls", "completed")
"""Of ids, roles and reasons: no guard shall look at them, and mask what libraries depend on."""


@pytest.mark.parametrize("sample", WHOLE, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_the_names_of_documented_answers_are_known_and_structure_is_no_text(sample: Any) -> None:
    texts = answer_texts.texts(json.loads(sample.read_text()))
    assert [text for text in texts if text.startswith(STRUCTURE) and " " not in text] == []


def leaves(value: object, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, key)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item, name)]
    return [(name, value)] if isinstance(value, str) else []


@pytest.mark.parametrize("sample", WHOLE, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_all_words_of_documented_answers_are_read(sample: Any) -> None:
    document = json.loads(sample.read_text())
    texts = answer_texts.texts(document)
    words = [
        text
        for name, text in leaves(document)
        if " " in text and name not in ("token", "bytes") and "logprob" not in name
    ]
    assert [text for text in words if text not in texts] == []


@pytest.mark.parametrize("dialect", Dialect)
def test_all_words_of_streamed_events_are_read(dialect: Dialect) -> None:
    frames = MessageFrames() if dialect is Dialect.BEDROCK else SseFrames()
    for frame in frames.feed(stream_of(dialect.value, "text"), is_end=True):
        if frame.data == b"[DONE]":
            continue
        document = json.loads(frame.data)
        texts = answer_texts.texts(document)
        assert [text for _, text in leaves(document) if " " in text and text not in texts] == []


def test_what_is_not_known_is_read_with_its_name() -> None:
    assert answer_texts.texts({"choices": [{"news": {"deep": ["x"]}}]}) == ("news", "deep", "x")
