from __future__ import annotations

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from gateway.config.block import Block
from gateway.config.referenced import FileText, TextFile, named_files, put


class Inner(Block):
    """A block with a file."""

    ca: TextFile | None = None


class Outer(Block):
    """Files at every kind of place."""

    one: TextFile | None = None
    named: dict[str, Inner] = Field(default={})
    listed: tuple[Inner, ...] = ()
    either: Inner | int | None = None


def test_files_are_found_wherever_the_schema_has_them() -> None:
    value = {
        "one": "a",
        "named": {"x": {"ca": "b"}, "y": {}},
        "listed": [{}, {"ca": "c"}],
        "either": {"ca": "d"},
        "other": {"ca": "e"},
    }
    assert list(named_files(Outer, value)) == [
        (("one",), "a"),
        (("named", "x", "ca"), "b"),
        (("listed", 1, "ca"), "c"),
        (("either", "ca"), "d"),
    ]


def test_what_is_no_text_is_left_to_the_schema() -> None:
    assert list(named_files(Outer, {"one": 3, "named": [], "listed": {"ca": "x"}})) == []
    assert list(named_files(Outer, None)) == []


def test_putting_shares_what_is_not_on_the_way() -> None:
    value = {"a": [{"b": 1}, {"c": 2}], "d": {}}
    changed = put(value, ("a", 0, "b"), 3)
    assert changed == {"a": [{"b": 3}, {"c": 2}], "d": {}}
    assert value["a"] == [{"b": 1}, {"c": 2}]
    assert isinstance(changed, dict)
    assert changed["d"] is value["d"]


def test_only_a_file_that_was_read_is_one() -> None:
    adapter: TypeAdapter[FileText] = TypeAdapter(TextFile)
    file = FileText("a", "content")
    assert adapter.validate_python(file) is file
    assert adapter.dump_python(file, mode="json") == "a"
    for value in ("a", 3, None):
        with pytest.raises(ValidationError, match="must be the path of a file"):
            adapter.validate_python(value)


def test_what_is_in_a_file_is_not_shown() -> None:
    assert "hunter2" not in repr(FileText("a", "hunter2"))
