"""What is added to a Responses request as it is written: instructions, and a key for the cache.

https://platform.openai.com/docs/guides/prompt-caching.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.openai_chat.shaping import keyed
from extproc.llm.prompts import joined
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks


def prompted(members: Mapping[str, bytes], before: str, after: str) -> dict[str, bytes]:
    """The instructions, with texts before and behind the client's own."""
    own = json_spans.decode_exactly(members.get("instructions", b"null"))
    return {
        "instructions": json_spans.encode(joined(before, own if type(own) is str else "", after))
    }


def marked(members: Mapping[str, bytes], marks: CacheMarks) -> dict[str, bytes]:
    """A key by which requests of one beginning find each other, and how long it is kept."""
    system = members.get("instructions", b"null")
    return keyed(members, () if system == b"null" else (system,), marks)
