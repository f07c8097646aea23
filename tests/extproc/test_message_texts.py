"""Messages whose texts all stand in one place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from extproc.llm.shapes import FREE, Fields, Unread
from extproc.message_texts import rewords, texts_of
from extproc.rewording import Reworded
from extproc.verdict import Deny
from gateway.model import TextScope

SHAPE: Fields = {"said": FREE, "id": Unread.ALL}


class Placing:
    """Notes where it is told that texts stand."""

    def __init__(self) -> None:
        self.places: list[TextScope] = []

    def at(self, scope: TextScope) -> None:
        self.places.append(scope)

    def text(self, text: str) -> str:
        return text.upper()

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return pieces

    def fixed(self, text: str) -> None:
        pass


@pytest.mark.parametrize("scope", TextScope)
def test_all_stands_where_it_is_said_to_whatever_it_is_called(scope: TextScope) -> None:
    placing = Placing()
    found = rewords(SHAPE, scope)(b'{"id":"a","said":[{"role":"system","content":"b"}]}', placing)
    assert isinstance(found, Reworded)
    assert placing.places == [scope]
    assert found.values == {"said": b'[{"role":"SYSTEM","content":"B"}]'}


def test_what_cannot_be_read_is_refused() -> None:
    found = rewords(SHAPE, TextScope.USER)(b'{"said":"a","said":"b"}', Placing())
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (400, "unreadable_message")


def test_what_is_structure_is_no_text() -> None:
    assert texts_of({"id": "a", "said": "b"}, SHAPE) == ("b",)
