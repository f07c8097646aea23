"""A conversation in its own dialect that was, in part, held with providers of others.

Clients play back what they were shown, marked seals too (`seals`). A provider that is told the
client's own body would refuse what it did not seal, so that is taken out first.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm import seals
from extproc.llm.dialect import Call, Codec
from extproc.llm.lenient import objects
from extproc.llm.losses import Losses
from extproc.llm.openai_chat.history import foreign_messages, own_messages
from extproc.llm.openai_responses.history import own_input
from extproc.protocols import json_spans
from extproc.verdict import Deny
from gateway.model import Dialect

_PLACES: Mapping[Dialect, tuple[str, str, frozenset[str]]] = {
    Dialect.ANTHROPIC: ("messages", "content", frozenset({"signature", "data"})),
    Dialect.BEDROCK: ("messages", "content", frozenset({"reasoningContent"})),
    Dialect.GEMINI: ("contents", "parts", frozenset({"thoughtSignature", "thought_signature"})),
}
"""Where seals stand: the messages, their parts, what a part with a seal has."""


def is_foreign(body: bytes, call: Call, dialect: Dialect) -> bool:
    """Whether others sealed something in it."""
    match dialect:
        case Dialect.OPENAI_RESPONSES:
            return own_input(call.document) is not None
        case Dialect.OPENAI_CHAT:
            return bool(foreign_messages(call.document))
        case _:
            return _is_sealed(call.document, dialect) and seals.mark(dialect) in body


def own(body: bytes, call: Call, dialect: Dialect, codec: Codec) -> bytes:
    """The body without what others sealed; nearly always as it is."""
    if dialect is Dialect.OPENAI_CHAT:
        return own_messages(body, call.document)
    if dialect is Dialect.OPENAI_RESPONSES:
        kept = own_input(call.document)
        return body if kept is None else json_spans.replace(body, {"input": kept})
    # the body is looked through only when there is a seal at all: it may be long
    if not is_foreign(body, call, dialect):
        return body
    said = codec.decode_request(call)
    if isinstance(said, Deny):
        return body  # it is no conversation that could be told otherwise
    return codec.encode_request(said, Losses())


def _is_sealed(document: Mapping[str, object], dialect: Dialect) -> bool:
    place = _PLACES.get(dialect)
    if place is None:
        return False
    messages, parts, sealing = place
    return any(
        not sealing.isdisjoint(part)
        for message in objects(document.get(messages))
        for part in objects(message.get(parts))
    )
