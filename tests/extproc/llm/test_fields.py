"""A field is of its kind, or is refused by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.llm import fields
from extproc.llm.faults import Unfit
from extproc.verdict import Deny

READERS: tuple[tuple[Callable[..., Any], object, object], ...] = (
    (fields.string, "a", ""),
    (fields.boolean, False, None),
    (fields.integer, 7, None),
    (fields.number, 0.5, None),
    (fields.mapping, {"a": 1}, None),
    (fields.objects, [{"a": 1}], []),
)
REQUIRED: tuple[tuple[Callable[..., Any], object], ...] = (
    (fields.required_string, "a"),
    (fields.required_mapping, {"a": 1}),
)


@pytest.mark.parametrize(("read", "value", "absent"), READERS)
def test_a_field_is_read_and_may_be_absent(
    read: Callable[..., Any], value: object, absent: object
) -> None:
    assert read({"x": value}, "x") == value
    assert read({"x": None}, "x") == absent
    assert read({}, "x") == absent


@pytest.mark.parametrize(("read", "value"), REQUIRED)
def test_a_field_that_must_be_there_is_missed(read: Callable[..., Any], value: object) -> None:
    assert read({"x": value}, "x") == value
    with pytest.raises(Unfit) as raised:
        read({}, "x", "at[0].")
    assert raised.value.deny.code == "missing_required_parameter"
    assert raised.value.deny.param == "at[0].x"


def denied(read: Callable[..., Any], value: object) -> Deny | None:
    try:
        read({"x": value}, "x", "at[0].")
    except Unfit as unfit:
        return unfit.deny
    return None


@pytest.mark.parametrize("read", [*[each[0] for each in READERS], *[each[0] for each in REQUIRED]])
def test_a_field_of_another_kind_is_refused_by_its_name(read: Callable[..., Any]) -> None:
    odd: tuple[object, ...] = ("a", True, 7, 0.5, {"a": 1}, [{"a": 1}])
    denies = [deny for value in odd if (deny := denied(read, value)) is not None]
    assert {(deny.code, deny.param) for deny in denies} == {("invalid_type", "at[0].x")}
    assert len(denies) == len(odd) - (2 if read is fields.number else 1)


def test_an_array_of_objects_holds_nothing_else() -> None:
    with pytest.raises(Unfit) as raised:
        fields.objects({"x": [{}, 7]}, "x")
    assert raised.value.deny.param == "x[1]"


def test_a_word_that_means_nothing_here_is_named() -> None:
    deny = fields.unsupported("tool_choice", "maybe").deny
    assert (deny.status, deny.code, deny.param) == (400, "unsupported_value", "tool_choice")
    assert "'maybe'" in deny.reason


def test_an_array_of_strings_holds_nothing_else() -> None:
    assert fields.strings({"x": ["a", "b"]}, "x") == ("a", "b")
    assert fields.strings({"x": None}, "x") == fields.strings({}, "x") == ()
    for value, param in ((["a", 7], "at[0].x[1]"), ("a", "at[0].x")):
        with pytest.raises(Unfit) as raised:
            fields.strings({"x": value}, "x", "at[0].")
        assert (raised.value.deny.code, raised.value.deny.param) == ("invalid_type", param)
