"""Reranking by Cohere's and Amazon's models on Bedrock, for clients that ask as Cohere has it.

InvokeModel takes what Cohere's API does, but for the model, and answers without its `meta`:
https://docs.cohere.com/reference/rerank, https://docs.cohere.com/docs/amazon-bedrock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.faults import wrong_value
from extproc.llm.others.kinds import RERANK
from extproc.llm.pieces import Pieces
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny
from gateway.usage import Usage

LARGEST_ANSWER_BYTES = 16 << 20
_COHERE = "cohere.rerank"
_AMAZON = "amazon.rerank"
_API_VERSION = 2
_SAID = ("query", "documents", "top_n")
_SAID_TO_COHERE = (*_SAID, "max_tokens_per_doc")
_DROPPED = frozenset({"model", "priority", "return_documents"})
"""They change nothing of the order; documents are not returned."""


def encode_rerank(document: Mapping[str, object], model: str) -> bytes | Deny:
    """The body of an InvokeModel that asks for what a rerank request asks."""
    is_cohere = _COHERE in model
    if not is_cohere and _AMAZON not in model:
        reason = f"the model {model!r} is none that is known here to rerank"
        return Deny(400, "unsupported_model", reason, param="model")
    taken = _SAID_TO_COHERE if is_cohere else _SAID
    for name in document:
        if name not in taken and name not in _DROPPED:
            return wrong_value(name, "is not taken by this model")
    if type(document.get("query")) is not str:
        return wrong_value("query", "must be a string for this model")
    documents = document.get("documents")
    if type(documents) is not list or not all(type(each) is str for each in documents):
        return wrong_value("documents", "must be strings for this model")
    said = {name: document[name] for name in taken if document.get(name) is not None}
    if is_cohere:
        said["api_version"] = _API_VERSION
    return json_spans.encode(said)


class RankedAnswer:
    """`Translation` of the answer, said at its end: with what Cohere says that it cost."""

    __slots__ = ("_asked", "_pieces", "usage")
    unfinished: Sequence[str] | None = None

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._pieces = Pieces(LARGEST_ANSWER_BYTES)
        self.usage: Usage | None = None

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        self._pieces.add(data)
        if not is_end:
            return b""
        body = self._pieces.take()
        try:
            document = json_spans.decode(body)
        except InvalidJson as error:
            raise UnreadableAnswer(str(error)) from None
        if type(document.get("results")) is not list:
            raise UnreadableAnswer("no results in the answer")
        self.usage = RERANK.demands(self._asked.document)
        meta = {
            "api_version": {"version": str(_API_VERSION)},
            "billed_units": {"search_units": self.usage.searches},
        }
        values = {"meta": json_spans.encode(meta)}
        if "id" not in document:
            values["id"] = json_spans.encode(self._asked.answer_id)
        return json_spans.replace(body, values)
