from __future__ import annotations

import pytest

from extproc.llm.lenient import mapping, objects, string

ODD: tuple[object, ...] = (None, True, 7, 0.5)


def test_what_is_of_its_kind_is_there() -> None:
    assert string({"a": "b"}, "a") == "b"
    assert mapping({"a": {"b": 1}}, "a") == {"b": 1}
    assert objects([{"a": 1}, "b", {}, None]) == [{"a": 1}, {}]


@pytest.mark.parametrize("value", ODD)
def test_what_is_not_is_as_if_it_were_not_there(value: object) -> None:
    assert string({"a": value}, "a") == string({}, "a") == ""
    assert mapping({"a": value}, "a") == mapping({}, "a") == {}
    assert objects(value) == objects({"a": {}}) == objects("ab") == []
