"""Counting the tokens of a request before it is made, answered as OpenAI answers it.

https://platform.openai.com/docs/api-reference/responses/input-tokens: the request is one of the
Responses API without what only concerns the answer.
"""

from __future__ import annotations

from extproc.llm.openai_responses.reading import ResponsesReading
from extproc.protocols import json_spans

READING = ResponsesReading()


def encode_count(tokens: int) -> bytes:
    """The answer."""
    return json_spans.encode({"object": "response.input_tokens", "input_tokens": tokens})
