"""How a Messages body is said where others than Anthropic serve Claude."""

from __future__ import annotations

from typing import assert_never

from extproc.llm.anthropic import elsewhere
from gateway.model import BodyForm


def said_as(body: bytes, form: BodyForm) -> bytes:
    """The body as this form has it."""
    match form:
        case BodyForm.PLAIN:
            return body
        case BodyForm.VERTEX_CLAUDE:
            return elsewhere.to_vertex(body)
        case BodyForm.BEDROCK_CLAUDE:
            return elsewhere.to_bedrock(body)
        case _:
            assert_never(form)
