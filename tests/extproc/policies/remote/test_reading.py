from __future__ import annotations

import pytest

from extproc.policies.remote.reading import document, member, objects, shown
from extproc.policies.remote.words import Unreadable
from extproc.ports import Returned


def test_what_is_there_is_read() -> None:
    found = document(Returned(200, b'{"a": 1, "b": true, "c": [{"d": "e"}], "f": null}'))
    assert member(found, "a", int) == 1
    assert member(found, "b", bool) is True
    assert objects(found, "c") == [{"d": "e"}]
    assert objects(found, "f") == objects(found, "g") == []


def test_what_is_missing_or_of_another_kind_is_not_guessed() -> None:
    found = document(Returned(200, b'{"a": true, "b": "1", "c": [1], "d": {}}'))
    for name, kind in (("a", int), ("b", int), ("a", str), ("none", str)):
        with pytest.raises(Unreadable, match=name):
            member(found, name, kind)
    for name in ("c", "d"):
        with pytest.raises(Unreadable, match=name):
            objects(found, name)


@pytest.mark.parametrize(
    "answer",
    [Returned(201, b"{}"), Returned(500, b"{}"), Returned(200, b"[]"), Returned(200, b"\xff")],
)
def test_only_an_object_with_200_is_an_answer(answer: Returned) -> None:
    with pytest.raises(Unreadable):
        document(answer)


def test_what_is_shown_to_others_is_one_short_line() -> None:
    assert shown(" a\r\nb\t c ") == "a b c"
    assert len(shown("x" * 1000)) == 200
