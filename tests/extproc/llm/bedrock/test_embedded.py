"""Embeddings of Bedrock come back in OpenAI's words."""

from __future__ import annotations

import json

import pytest

from extproc.llm.bedrock import embedded
from extproc.llm.bedrock.embedded import EmbeddedAnswer
from extproc.llm.dialect import Asked, UnreadableAnswer

TITAN = json.dumps({"embedding": [0.5, -1.0], "inputTextTokenCount": 7}).encode()


def test_an_answer_is_said_at_its_end_with_its_usage() -> None:
    found = EmbeddedAnswer(Asked("embed", "id", 1))
    assert found.feed(TITAN[:9], is_end=False) == b""
    said = json.loads(found.feed(TITAN[9:], is_end=True))
    assert said["data"] == [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
    assert said["model"] == "embed"
    assert found.usage is not None
    assert found.usage.input_tokens == 7


def test_vectors_come_in_the_encoding_that_was_asked_for() -> None:
    asked = Asked("embed", "id", 1, document={"encoding_format": "base64"})
    said = json.loads(EmbeddedAnswer(asked).feed(TITAN, is_end=True))
    assert isinstance(said["data"][0]["embedding"], str)


def test_what_is_no_answer_or_does_not_end_is_given_up() -> None:
    with pytest.raises(UnreadableAnswer):
        EmbeddedAnswer(Asked("m", "i", 1)).feed(b"<html>", is_end=True)
    endless = EmbeddedAnswer(Asked("m", "i", 1))
    for _ in range(embedded.LARGEST_ANSWER_BYTES >> 20):
        endless.feed(bytes(1 << 20), is_end=False)
    with pytest.raises(UnreadableAnswer):
        endless.feed(b"x", is_end=False)
