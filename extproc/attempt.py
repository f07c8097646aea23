"""One try at one provider: asks for the model that this provider knows.

Runs only on the clusters of tries whose model differs from the first try's (`gateway.attempts`),
and shares nothing with the exchange but dynamic metadata.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.openai_chat import reading as openai_chat
from extproc.protocols import json_spans


def rewritten(body: bytes, cluster: str, models: Mapping[str, str]) -> bytes | None:
    """The body for this cluster; None when the plan names no model for it."""
    model = models.get(cluster)
    if model is None:
        return None
    return json_spans.replace(body, {"model": openai_chat.encode_text(model)})
