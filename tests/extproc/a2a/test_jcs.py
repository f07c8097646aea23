"""https://www.rfc-editor.org/rfc/rfc8785: its example, its table of numbers, its sorting."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from a2a.utils import _jcs as other
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import jcs
from extproc.a2a.jcs import NotCanonical
from extproc.protocols import json_spans

NUMBERS = [  # appendix B: the bits of a double, and how it is written
    (0x0000000000000000, "0"),
    (0x8000000000000000, "0"),
    (0x0000000000000001, "5e-324"),
    (0x8000000000000001, "-5e-324"),
    (0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"),
    (0xFFEFFFFFFFFFFFFF, "-1.7976931348623157e+308"),
    (0x4340000000000000, "9007199254740992"),
    (0xC340000000000000, "-9007199254740992"),
    (0x4430000000000000, "295147905179352830000"),
    (0x44B52D02C7E14AF5, "9.999999999999997e+22"),
    (0x44B52D02C7E14AF6, "1e+23"),
    (0x44B52D02C7E14AF7, "1.0000000000000001e+23"),
    (0x444B1AE4D6E2EF4E, "999999999999999700000"),
    (0x444B1AE4D6E2EF4F, "999999999999999900000"),
    (0x444B1AE4D6E2EF50, "1e+21"),
    (0x3EB0C6F7A0B5ED8C, "9.999999999999997e-7"),
    (0x3EB0C6F7A0B5ED8D, "0.000001"),
    (0x41B3DE4355555553, "333333333.3333332"),
    (0x41B3DE4355555554, "333333333.33333325"),
    (0x41B3DE4355555555, "333333333.3333333"),
    (0x41B3DE4355555556, "333333333.3333334"),
    (0x41B3DE4355555557, "333333333.33333343"),
    (0xBECBF647612F3696, "-0.0000033333333333333333"),
    (0x43143FF3C1CB0959, "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "written"), NUMBERS)
def test_numbers_are_written_as_ecmascript_writes_them(bits: int, written: str) -> None:
    (number,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    assert jcs.encode(number) == written.encode()


def test_the_example_of_the_specification() -> None:
    text = rb"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    assert (
        jcs.encode(json_spans.decode(text))
        == (
            '{"literals":[null,true,false],'
            '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_members_are_sorted_by_units_of_utf_16() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(jcs.encode(dict.fromkeys(names)))
    assert list(written) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize(
    ("value", "written"),
    [([], "[]"), ({}, "{}"), ({"b": [1.0, {}], "a": ""}, '{"a":"","b":[1,{}]}'), (10**21, "1e+21")],
)
def test_nothing_is_between_values(value: Any, written: str) -> None:
    assert jcs.encode(value) == written.encode()


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        2**53 + 1,
        10**400,
        "\ud800",
        {"\ud800": 1},
        b"x",
        {"a": {1, 2}},
    ],
)
def test_what_has_no_one_form_has_none(value: Any) -> None:
    with pytest.raises(NotCanonical):
        jcs.encode(value)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_is_bounded() -> None:
    assert len(jcs.encode(nested(jcs.MOST_NESTED))) == 2 * jcs.MOST_NESTED + 1
    with pytest.raises(NotCanonical, match="deep"):
        jcs.encode(nested(jcs.MOST_NESTED + 1))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_the_official_sdk_writes_the_same(value: Any) -> None:
    written = jcs.encode(value)
    assert written == other.canonicalize(value).encode()
    assert jcs.encode(json_spans.decode_any(written)) == written
