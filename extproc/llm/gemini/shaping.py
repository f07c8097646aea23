"""What is added to a generateContent request as it is written: system prompts.

https://ai.google.dev/api/generate-content. Its cache is implicit; there are no marks.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.protocols import json_spans

_NAMES = ("systemInstruction", "system_instruction")


def prompted(members: Mapping[str, bytes], before: str, after: str) -> dict[str, bytes]:
    """The system instruction, with parts before and behind the client's own."""
    name = next((each for each in _NAMES if each in members), _NAMES[0])
    own = members.get(name, b"null")
    if not own.startswith(b"{"):
        own = b"{}"
    parts = json_spans.members(own).get("parts", b"null")
    items = json_spans.items(parts) if parts.startswith(b"[") else []
    told = json_spans.array([*_parts(before), *items, *_parts(after)])
    return {name: json_spans.replace(own, {"parts": told})}


def _parts(text: str) -> list[bytes]:
    return [json_spans.encode({"text": text})] if text else []
