"""Texts are trees of plain values, no larger than they are written."""

from __future__ import annotations

import pytest

from gateway.openapi.reading import NotADocument, line_of, pointer, read


def test_yaml_is_read_by_its_core_schema() -> None:
    text = (
        "a: on\nb: 2024-01-01\nc: 1:30\nd: 012\ne: 1.5\nf: ~\ng: true\n200: {}\ntrue: 1\nh: .inf\n"
    )
    assert read(text) == {
        "a": "on",
        "b": "2024-01-01",
        "c": "1:30",
        "d": "012",
        "e": 1.5,
        "f": None,
        "g": True,
        "200": {},
        "true": 1,
        "h": ".inf",
    }


def test_json_is_read_with_a_mark_at_its_beginning() -> None:
    assert read('\ufeff{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


def test_anchors_and_merges_are_followed() -> None:
    assert read("a: &a {x: 1}\nb: {<<: *a, y: 2}")["b"] == {"x": 1, "y": 2}


def test_what_unfolds_is_refused() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(NotADocument, match="more than 4000000 values"):
        read("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 1000 + "1" + "}" * 1000, "a: &a [*a]"])
def test_what_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(NotADocument):
        read(text)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "{", "\x00", "a: !!python/object:os.x {}"])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(NotADocument):
        read(text)


def test_the_line_is_that_of_a_place_or_of_the_nearest_around_it() -> None:
    text = "a:\n  b:\n    - c: 1\n    - d: 2\n"
    assert line_of(text, ("a", "b", 1, "d")) == 4
    assert line_of(text, ("a", "b", 7)) == 2
    assert line_of(text, ("x",)) == 1
    assert line_of("a: [", ("a",)) == 0


def test_a_place_is_a_pointer() -> None:
    assert pointer(("paths", "/a~b", "get", 0)) == "#/paths/~1a~0b/get/0"
