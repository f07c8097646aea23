"""What the table of fields says is what is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from extproc.llm.anthropic.reading import READING
from extproc.llm.anthropic.shapes import REQUEST
from extproc.llm.shapes import ByType, Rule, Unread

SECRET = "what a guard must see"


def rules(fields: Mapping[str, Rule], *above: str) -> Iterator[tuple[tuple[str, ...], Rule]]:
    """Every field that is listed, with its way from the top; of sources, what is always text."""
    for name, rule in fields.items():
        yield (*above, name), rule
        if isinstance(rule, ByType):
            yield from rules(rule.otherwise, *above, name)
        elif isinstance(rule, Mapping):
            yield from rules(rule, *above, name)


RULES = tuple(rules(REQUEST))
WAYS = tuple(".".join(way) for way, _ in RULES)


def holding(way: tuple[str, ...], value: object) -> dict[str, object]:
    for name in reversed(way[1:]):
        value = {name: value}
    return {way[0]: value}


def texts(document: dict[str, object]) -> tuple[str, ...]:
    found = READING.texts(document)
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize(("way", "rule"), RULES, ids=WAYS)
def test_every_listed_field_is_read_or_not_as_it_says(way: tuple[str, ...], rule: Rule) -> None:
    is_read = any(SECRET in text for text in texts(holding(way, SECRET)))
    assert is_read is (rule is not Unread.ALL)


@pytest.mark.parametrize(("way", "rule"), RULES, ids=WAYS)
def test_names_that_are_not_listed_are_read(way: tuple[str, ...], rule: Rule) -> None:
    is_read = any(SECRET in text for text in texts(holding(way, {SECRET: 1})))
    assert is_read is (rule is not Unread.ALL)


@pytest.mark.parametrize("kind", ["text", "url", "base64x", None])
def test_data_is_text_but_in_base64(kind: str | None) -> None:
    def read(source: dict[str, object]) -> bool:
        content = [{"type": "document", "source": source}]
        said = texts({"messages": [{"role": "user", "content": content}]})
        return any(SECRET in text or data in text for text in said)

    data = SECRET.replace(" ", "")
    assert read({"type": kind, "data": data})
    assert not read({"type": "base64", "media_type": "application/pdf", "data": data})
    assert read({"type": "base64", "media_type": SECRET, "data": ""})


def test_what_tools_gave_and_providers_found_is_read() -> None:
    content = [
        {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "one"}]},
        {"type": "tool_use", "id": "b", "name": "two", "input": {"three": ["four"]}},
        {
            "type": "web_search_tool_result",
            "content": [{"type": "web_search_result", "title": "five", "encrypted_content": "no"}],
        },
        {"type": "thinking", "thinking": "six", "signature": "no"},
        {"type": "redacted_thinking", "data": "no"},
        {"type": "search_result", "source": "seven", "content": [{"type": "text", "text": "8"}]},
    ]
    assert texts({"messages": [{"role": "user", "content": content}]}) == (
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "8",
    )
