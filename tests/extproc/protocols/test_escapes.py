"""Escapes in texts, as backends read them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols.escapes import may_have_others, others


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ('{"a": "b\\u0061d", "n": NaN}', '{"a": "bad", "n": NaN}'),
        ('{"a": 1, "a": "b\\u0061d"}', '{"a": 1, "a": "bad"}'),
        ('{"a": "b\\u0061d \\ud800"}', '{"a": "bad \\ud800"}'),
        ('say: "b\\x61d\\U00000021"', 'say: "bad!"'),
        ("<a>b&#97;d</a>", "<a>bad</a>"),
        ("<a>b&#x00061;d</a>", "<a>bad</a>"),
        ("<a>b&#97d</a>", "<a>bad</a>"),
        ("ann&commat;x&period;org", "ann@x.org"),
        ("a\\u0020b", "a b"),
    ],
)
def test_what_escapes_stand_for_is_read(text: str, reading: str) -> None:
    assert others([text]) == (reading,)
    assert may_have_others(json.dumps([text]).encode())


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "C:\\users\\x",
        "a\\nb",
        "b\\u00e4 &#228; &auml;",
        "<a>R&amp;D &lt; &#39;x&#39; &quot;</a>",
        "a & b; c&d=e",
        '{"a": "b\\u0061d"}',
        "&#xfffffff; \\U11111111",
        "",
    ],
)
def test_a_text_without_such_escapes_has_no_other_reading(text: str) -> None:
    assert others([text]) == ()


@given(st.text("ab1\\u0x6&#;@ä", max_size=30))
def test_any_text_has_few_readings_and_they_have_none_of_its_escapes_left(text: str) -> None:
    found = others([text])
    assert len(found) <= 2
    assert text not in found


def test_readings_of_long_texts_are_found_in_one_pass() -> None:
    for each in ("&", "&#", "&#0", "&#x0", "\\", "\\u", "&#97", "\\u0061"):
        assert len(others([each * 100_000])) <= 1
    for long in ("&#" + "0" * 100_000 + "97;", "&#" + "9" * 100_000 + "&#97;"):
        assert others([long])[0].endswith("a")
