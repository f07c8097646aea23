"""What the table of fields says is what is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from extproc.llm.openai_chat.reading import READING
from extproc.llm.openai_chat.shapes import REQUEST, ROLES
from extproc.llm.shapes import FREE, Rule, Unread

SECRET = "what a guard must see"


def rules(fields: Mapping[str, Rule], *above: str) -> Iterator[tuple[tuple[str, ...], Rule]]:
    """Every field that is listed, with its way from the top."""
    for name, rule in fields.items():
        yield (*above, name), rule
        if isinstance(rule, Mapping):
            yield from rules(rule, *above, name)


RULES = tuple(rules(REQUEST))
WAYS = tuple(".".join(way) for way, _ in RULES)


def holding(way: tuple[str, ...], value: object) -> dict[str, object]:
    """A request with this value at the end of the way."""
    for name in reversed(way[1:]):
        value = {name: value}
    return {way[0]: value}


@pytest.mark.parametrize(("way", "rule"), RULES, ids=WAYS)
def test_every_listed_field_is_read_or_not_as_it_says(way: tuple[str, ...], rule: Rule) -> None:
    texts = READING.texts(holding(way, SECRET))
    assert isinstance(texts, tuple)
    is_read = any(SECRET in text for text in texts)
    assert is_read is (rule not in (Unread.ALL, Unread.FILE))


@pytest.mark.parametrize(("way", "rule"), RULES, ids=WAYS)
def test_names_that_are_not_listed_are_read(way: tuple[str, ...], rule: Rule) -> None:
    texts = READING.texts(holding(way, {SECRET: 1}))
    assert isinstance(texts, tuple)
    assert any(SECRET in text for text in texts) is (rule is not Unread.ALL)


def test_a_word_is_structure_only_where_it_is_listed() -> None:
    for role in ROLES:
        assert READING.texts({"messages": [{"role": role, "content": ""}]}) in ((), ("",))
    assert READING.texts({"messages": [{"role": SECRET, "content": ""}]}) != ()


def test_what_is_free_lists_nothing() -> None:
    assert FREE == {}
