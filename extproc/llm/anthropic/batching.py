"""What is said in a batch of messages that is to be made.

https://docs.claude.com/en/api/creating-message-batches: `requests`, each with its `params`, which
are a request for a message. All that is not known of such is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.llm import faults
from extproc.llm import texts as walk
from extproc.llm.anthropic.shapes import REQUEST
from extproc.llm.shapes import FREE, Fields
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny

MOST_MODELS: Final = 32
"""That one batch may be for: each has guards of its own."""
_SHAPE: Final[Fields] = {"requests": {"custom_id": FREE, "params": REQUEST}}


def decode(body: bytes) -> Mapping[str, object] | Deny:
    """The batch in a body."""
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        return faults.unreadable(error)
    fault = faults.of_names(document, frozenset({"requests"}))
    if fault is not None:
        return fault
    requests = document.get("requests")
    if type(requests) is not list:
        return faults.not_a(list, document, "requests")
    for index, request in enumerate(requests):
        where = f"requests[{index}]"
        if type(request) is not dict:
            return faults.wrong_type(dict, request, where)
        params = request.get("params")
        if type(params) is not dict:
            return faults.not_a(dict, request, "params", f"{where}.")
        if type(params.get("model")) is not str:
            return faults.not_a(str, params, "model", f"{where}.params.")
    if len(models_of(document)) > MOST_MODELS:
        return faults.wrong_value("requests", f"must be for {MOST_MODELS} models at most")
    return document


def models_of(document: Mapping[str, object]) -> tuple[str, ...]:
    """Of a batch that was accepted: the models that it is for."""
    requests = document["requests"]
    assert isinstance(requests, list), "it was accepted"
    return tuple(dict.fromkeys(request["params"]["model"] for request in requests))


def texts(document: Mapping[str, object]) -> tuple[str, ...] | Deny:
    """All that models would read, in order."""
    return walk.read_texts(document, _SHAPE)


def reword(body: bytes, rewording: Rewording) -> Reworded | Deny:
    """The batch with its texts changed."""
    return walk.reworded(body, _SHAPE, rewording)
