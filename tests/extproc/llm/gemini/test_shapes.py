"""What the table of fields says is what is read, in both spellings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from extproc.llm.gemini.reading import read_texts
from extproc.llm.gemini.shapes import BATCH, COUNT, EMBED, REQUEST, ROLES
from extproc.llm.shapes import FREE, Fields, Rule, Unread

SECRET = "what a guard must see"


def rules(fields: Fields, *above: str) -> Iterator[tuple[tuple[str, ...], Rule]]:
    for name, rule in fields.items():
        yield (*above, name), rule
        if isinstance(rule, Mapping):
            yield from rules(rule, *above, name)


def holding(way: tuple[str, ...], value: object) -> dict[str, object]:
    for name in reversed(way[1:]):
        value = {name: value}
    return {way[0]: value}


@pytest.mark.parametrize("shape", [REQUEST, COUNT, EMBED, BATCH], ids=["chat", "count", "1", "n"])
def test_every_listed_field_is_read_or_not_as_it_says(shape: Fields) -> None:
    for way, rule in rules(shape):
        found = read_texts(holding(way, SECRET), shape)
        assert isinstance(found, tuple)
        is_read = any(SECRET in text for text in found)
        assert is_read is (rule is not Unread.ALL), way


@pytest.mark.parametrize("shape", [REQUEST, COUNT, EMBED, BATCH], ids=["chat", "count", "1", "n"])
def test_names_that_are_not_listed_are_read(shape: Fields) -> None:
    for way, rule in rules(shape):
        found = read_texts(holding(way, {SECRET: 1}), shape)
        assert isinstance(found, tuple)
        assert any(SECRET in text for text in found) is (rule is not Unread.ALL), way


def test_a_role_is_structure_only_where_it_is_listed() -> None:
    for role in ROLES:
        assert read_texts({"contents": [{"role": role}]}, REQUEST) == ()
    assert read_texts({"contents": [{"role": SECRET}]}, REQUEST) == (SECRET,)


def test_what_is_free_lists_nothing() -> None:
    assert FREE == {}
