"""How a Messages body is said where others than Anthropic serve Claude."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from extproc.llm.anthropic import elsewhere
from gateway.model import BodyForm


def said_as(body: bytes, form: BodyForm, betas: Sequence[str] = ()) -> bytes:
    """The body as this form has it; `betas` are the client's, from its header."""
    match form:
        case BodyForm.PLAIN:
            return body
        case BodyForm.VERTEX_CLAUDE:
            return elsewhere.to_vertex(body)
        case BodyForm.BEDROCK_CLAUDE:
            return elsewhere.with_betas(elsewhere.to_bedrock(body), betas)
        case _:
            assert_never(form)
