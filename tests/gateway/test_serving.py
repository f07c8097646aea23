"""What a provider is asked for, when a client asks for something."""

from __future__ import annotations

import pytest

from gateway.operations import Operation as O
from gateway.serving import serving, turns


@pytest.mark.parametrize(
    ("offers", "asked", "is_stream", "served"),
    [
        ((O.CHAT,), O.CHAT, False, O.CHAT),
        ((O.CHAT,), O.CHAT, True, O.CHAT),
        ((O.CHAT, O.RESPONSES), O.RESPONSES, True, O.RESPONSES),
        ((O.CHAT, O.RESPONSES), O.MESSAGES, False, O.CHAT),
        ((O.MESSAGES,), O.CHAT, True, O.MESSAGES),
        ((O.MESSAGES, O.MESSAGES_STREAM), O.CHAT, True, O.MESSAGES_STREAM),
        ((O.MESSAGES, O.MESSAGES_STREAM), O.CHAT, False, O.MESSAGES),
        ((O.GENERATE, O.GENERATE_STREAM), O.GENERATE_STREAM, True, O.GENERATE_STREAM),
        ((O.GENERATE, O.GENERATE_STREAM), O.CONVERSE, False, O.GENERATE),
        ((O.CONVERSE, O.CONVERSE_STREAM), O.GENERATE_STREAM, True, O.CONVERSE_STREAM),
        ((O.CHAT,), O.GENERATE_STREAM, True, O.CHAT),
        ((O.EMBEDDINGS,), O.EMBEDDINGS, False, O.EMBEDDINGS),
        ((O.CONVERSE, O.INVOKE), O.EMBEDDINGS, False, O.INVOKE),
        ((O.INVOKE, O.EMBEDDINGS), O.EMBEDDINGS, False, O.EMBEDDINGS),
    ],
)
def test_the_same_operation_is_preferred_and_a_conversation_can_become_another(
    offers: tuple[O, ...], asked: O, is_stream: bool, served: O
) -> None:
    assert serving(offers, asked, is_stream=is_stream) is served


@pytest.mark.parametrize(
    ("offers", "asked", "is_stream"),
    [
        ((O.CHAT,), O.EMBEDDINGS, False),
        ((O.EMBEDDINGS,), O.CHAT, False),
        ((O.GENERATE,), O.CHAT, True),
        ((O.CONVERSE,), O.INVOKE, False),
        ((), O.CHAT, False),
    ],
)
def test_what_nothing_can_become_is_not_served(
    offers: tuple[O, ...], asked: O, is_stream: bool
) -> None:
    assert serving(offers, asked, is_stream=is_stream) is None


def test_turns_are_told_in_order_without_their_streamed_forms() -> None:
    offers = (O.EMBEDDINGS, O.GENERATE, O.GENERATE_STREAM, O.CHAT)
    assert turns(offers) == (O.GENERATE, O.CHAT)
