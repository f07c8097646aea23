"""Requests that are no conversation, in JSON: read as far as policies need, passed as they are.

Legacy completions, embeddings, moderations, images, speech, rerank. Fields that we do not know pass
untouched, unless another reader could take them for one that is decided on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.llm import faults
from extproc.llm import texts as walk
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.openai_chat import reading as openai_chat
from extproc.llm.others import kinds
from extproc.llm.others.kinds import Kind, is_tokens
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny
from gateway.usage import Usage


@dataclass(frozen=True, slots=True)
class JsonReading:
    """Of one kind of request; `Reading`."""

    kind: Kind

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        """A path that names the model (Azure's deployments) and a body that does must agree."""
        try:
            document = json_spans.decode(body)
        except InvalidJson as error:
            return faults.unreadable(error)
        return call_of(self.kind, document, model, len(body))

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        """All that a model would read, in order; what it reads as ids of tokens, no guard can."""
        opaque = self.kind.opaque
        if opaque and is_tokens(document.get(opaque)):
            reason = f"{opaque} must be text here: guards cannot read ids of tokens"
            return Deny(400, "unreadable_input", reason, param=opaque)
        return walk.read_texts(document, self.kind.shape)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return walk.reworded(body, self.kind.shape, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        return self.kind.input_tokens(call)

    def demands(self, call: Call) -> Usage:
        """What is paid for beside tokens, as far as the request says it."""
        return self.kind.demands(call.document)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return {"model": json_spans.encode(model)}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return openai_chat.READING.ask_usage(call)

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return openai_chat.READING.encode_error(deny)


def call_of(kind: Kind, document: Mapping[str, object], model: str, size: int) -> Call | Deny:
    """The request in a document, or what is wrong with it."""
    named = document.get("model")
    if model:
        if named is not None and named != model:
            return faults.wrong_value("model", f"must be {model!r}, as in the path")
        named = model
    elif named is None and kind.default_model:
        named = kind.default_model
    if type(named) is not str:
        return faults.not_a(str, document, "model")
    stream = document.get("stream")
    if "stream" in kind.decided_on and stream is not None and type(stream) is not bool:
        return faults.not_a(bool, document, "stream")
    fault = (
        faults.of_model(named) or faults.of_names(document, kind.decided_on) or kind.fault(document)
    )
    if fault is not None:
        return fault
    is_stream = stream is True or document.get("stream_format") == "sse"
    output = kind.output(document)
    return Call(
        named,
        is_stream,
        document,
        size,
        output.tokens,
        output.choices,
        not (is_stream and kind.needs_to_ask_usage) or _asks_usage(document),
    )


def _asks_usage(document: Mapping[str, object]) -> bool:
    options = document.get("stream_options")
    return type(options) is dict and options.get("include_usage") is True


COMPLETIONS = JsonReading(kinds.COMPLETIONS)
EMBEDDINGS = JsonReading(kinds.EMBEDDINGS)
MODERATIONS = JsonReading(kinds.MODERATIONS)
IMAGE_GENERATIONS = JsonReading(kinds.IMAGE_GENERATIONS)
SPEECH = JsonReading(kinds.SPEECH)
RERANK = JsonReading(kinds.RERANK)
