"""Structs are plain values."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

from extproc.protocols.structs import plain


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": "a", "yes": True, "no": False, "nothing": None},
        {"whole": 5, "negative": -3, "part": 2.5},
        {"list": ["a", 1, [True], {"b": None}], "inner": {"deep": {"er": 1}}},
    ],
)
def test_values_come_back_as_they_were(values: dict[str, Any]) -> None:
    struct = Struct()
    struct.update(values)
    assert plain(struct) == values


def test_whole_numbers_are_integers() -> None:
    struct = Struct()
    struct.update({"a": 5.0, "b": 5.5})
    assert {name: type(value) for name, value in plain(struct).items()} == {"a": int, "b": float}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_stays_what_it_is(number: float) -> None:
    struct = Struct()
    struct.fields["a"].number_value = number
    assert isinstance(plain(struct)["a"], float)
