"""What is asked of an agent, as policies see it, whichever its binding and revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.a2a.requests import A2aRequest
from extproc.facts import A2aCall

_SKILLS: Final = ("skill", "skillId")
"""Where messages name a skill, in their metadata."""


def call_of(request: A2aRequest, agent: str, before: tuple[str, ...] = ()) -> A2aCall:
    """What is asked of it, for policies."""
    message = request.message or {}
    said = message.get("metadata")
    return A2aCall(
        request.operation.value,
        agent,
        request.task_id,
        request.context_id,
        _skill(said) if isinstance(said, Mapping) else "",
        parts_of(message),
        before,
    )


def parts_of(message: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    """Of a message in the words of any revision."""
    said = message.get("content" if "content" in message else "parts")
    return tuple(each for each in said if isinstance(each, dict)) if isinstance(said, list) else ()


def _skill(metadata: Mapping[str, object]) -> str:
    return next((said for name in _SKILLS if isinstance(said := metadata.get(name), str)), "")
