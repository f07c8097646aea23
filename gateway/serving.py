"""Which operation of a provider serves an operation of a client: its own, or one that a
conversation can be translated to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gateway.operations import Operation

STREAMED: Mapping[Operation, Operation] = MappingProxyType(
    {
        Operation.MESSAGES: Operation.MESSAGES_STREAM,
        Operation.GENERATE: Operation.GENERATE_STREAM,
        Operation.CONVERSE: Operation.CONVERSE_STREAM,
    }
)
"""Operations whose streams may have a path of their own."""

_WHOLE = {streamed: whole for whole, streamed in STREAMED.items()}
_SAYS_STREAM_IN_THE_BODY = frozenset({Operation.CHAT, Operation.RESPONSES, Operation.MESSAGES})
_INSTEAD: Mapping[Operation, Operation] = MappingProxyType(
    {Operation.EMBEDDINGS: Operation.INVOKE, Operation.RERANK: Operation.INVOKE}
)
"""What can be asked for in another form where it is not offered."""
_TURNS = (
    Operation.CHAT,
    Operation.RESPONSES,
    Operation.MESSAGES,
    Operation.GENERATE,
    Operation.CONVERSE,
)
"""Turns of a conversation, each in a dialect of its own."""


def turns(offers: Iterable[Operation]) -> tuple[Operation, ...]:
    """The turns of a conversation that are offered, in order; without their streamed forms."""
    return tuple(each for each in offers if each in _TURNS)


def serving(
    offers: Iterable[Operation], operation: Operation, *, is_stream: bool
) -> Operation | None:
    """What to ask a provider for; None: it has nothing that would do."""
    offered = tuple(offers)
    asked = _WHOLE.get(operation, operation)
    if asked not in _TURNS:
        served = (each for each in (operation, _INSTEAD.get(operation)) if each in offered)
        return next(served, None)
    for turn in (asked, *turns(offered)):
        streamed = STREAMED.get(turn)
        if is_stream and streamed in offered:
            return streamed
        if turn in offered and (not is_stream or turn in _SAYS_STREAM_IN_THE_BODY):
            return turn
    return None
