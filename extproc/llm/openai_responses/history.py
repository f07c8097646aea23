"""What other providers answered before, taken out of a request that goes to OpenAI as it is.

A client of the Responses API plays back all items. OpenAI refuses reasoning that it did not seal,
and looks for reasoning without a seal under its id.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.openai_responses.sealed import Sealed, read_seal
from extproc.protocols import json_spans
from gateway.model import Dialect

_WORDS = 2
"""Of ids that OpenAI makes: `rs_` and digits. Ours have a number besides (`output.item_id`)."""


def own_input(document: Mapping[str, object]) -> bytes | None:
    """The value of `input` without reasoning that is not OpenAI's; None: there is none."""
    items = document.get("input")
    if type(items) is not list:
        return None
    own = [item for item in items if not _is_foreign(item)]
    return None if len(own) == len(items) else json_spans.encode(own)


def _is_foreign(item: object) -> bool:
    if type(item) is not dict or item.get("type") != "reasoning":
        return False
    encrypted = item.get("encrypted_content")
    if encrypted and type(encrypted) is str:
        seal = read_seal(encrypted)
        return (
            seal.sealed is not Sealed.REASONING
            or seal.signature.origin is not Dialect.OPENAI_RESPONSES
        )
    name = item.get("id")
    return type(name) is str and len(name.split("_")) > _WORDS
