"""Counting the tokens of a request before it is made, answered as Anthropic answers it.

https://docs.claude.com/en/api/messages-count-tokens: the request is one of the Messages API without
what only concerns the answer.
"""

from __future__ import annotations

from extproc.llm.anthropic.reading import MessagesReading
from extproc.protocols import json_spans

READING = MessagesReading()


def encode_count(tokens: int) -> bytes:
    """The answer."""
    return json_spans.encode({"input_tokens": tokens})
