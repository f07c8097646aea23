"""Every style says a value so that somebody else reads the same: by a decoder of its own here."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp.openapi.styles import (
    Unsayable,
    encoded,
    in_header,
    in_path,
    of_query,
    pairs,
    text,
)
from gateway.openapi.values import Style

COLORS = ["blue", "black", "brown"]
RGB = {"R": 100, "G": 200, "B": 150}


def query(value: object, style: Style, *, explode: bool, reserved: bool = False) -> str:
    found = pairs("color", value, style, explode=explode)
    return "&".join(of_query(each, allows_reserved=reserved) for each in found)


@pytest.mark.parametrize(
    ("style", "explode", "empty", "string", "array", "object_"),
    [  # the table of the specification, "Style Examples"
        (
            "matrix",
            False,
            ";color",
            ";color=blue",
            ";color=blue,black,brown",
            ";color=R,100,G,200,B,150",
        ),
        (
            "matrix",
            True,
            ";color",
            ";color=blue",
            ";color=blue;color=black;color=brown",
            ";R=100;G=200;B=150",
        ),
        ("label", False, ".", ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
        ("label", True, ".", ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
        ("simple", False, "", "blue", "blue,black,brown", "R,100,G,200,B,150"),
        ("simple", True, "", "blue", "blue,black,brown", "R=100,G=200,B=150"),
    ],
)
def test_paths_are_as_the_specification_shows(
    style: str, explode: bool, empty: str, string: str, array: str, object_: str
) -> None:
    said = [
        in_path("color", each, Style(style), explode=explode) for each in ("", "blue", COLORS, RGB)
    ]
    assert said == [empty, string, array, object_]


@pytest.mark.parametrize(
    ("style", "explode", "value", "said"),
    [
        ("form", False, "", "color="),
        ("form", True, "blue", "color=blue"),
        ("form", False, COLORS, "color=blue,black,brown"),
        ("form", False, RGB, "color=R,100,G,200,B,150"),
        ("form", True, COLORS, "color=blue&color=black&color=brown"),
        ("form", True, RGB, "R=100&G=200&B=150"),
        ("spaceDelimited", False, COLORS, "color=blue%20black%20brown"),
        ("spaceDelimited", False, RGB, "color=R%20100%20G%20200%20B%20150"),
        ("pipeDelimited", False, COLORS, "color=blue%7Cblack%7Cbrown"),
        ("pipeDelimited", False, RGB, "color=R%7C100%7CG%7C200%7CB%7C150"),
        ("tabDelimited", False, COLORS, "color=blue%09black%09brown"),
        ("pipeDelimited", True, COLORS, "color=blue&color=black&color=brown"),
        ("deepObject", True, RGB, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
        ("deepObject", True, COLORS, "color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown"),
        (
            "deepObject",
            True,
            {"a": {"b": [1, 2]}},
            "color%5Ba%5D%5Bb%5D%5B%5D=1&color%5Ba%5D%5Bb%5D%5B%5D=2",
        ),
        ("deepObject", True, [{"a": 1}, {"a": 2}], "color%5B0%5D%5Ba%5D=1&color%5B1%5D%5Ba%5D=2"),
        ("deepObject", True, "blue", "color=blue"),
        ("form", True, [], ""),
        ("form", False, [], ""),
        ("form", True, None, ""),
        ("form", True, [1, None, True, 2.5], "color=1&color=true&color=2.5"),
        ("form", True, [{"a": [1]}], "color=%7B%22a%22%3A%5B1%5D%7D"),
    ],
)
def test_queries_are_as_the_specification_shows(
    style: str, explode: bool, value: object, said: str
) -> None:
    assert query(value, Style(style), explode=explode) == said


def test_headers_are_as_the_specification_shows() -> None:
    assert in_header("blue", Style.SIMPLE, explode=False) == "blue"
    assert in_header(COLORS, Style.SIMPLE, explode=True) == "blue,black,brown"
    assert in_header(RGB, Style.SIMPLE, explode=False) == "R,100,G,200,B,150"
    assert in_header(RGB, Style.SIMPLE, explode=True) == "R=100,G=200,B=150"
    assert in_header(COLORS, Style.PIPE_DELIMITED, explode=False) == "blue|black|brown"


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\0", "ä", " a", "a\t", "\x7f"])
def test_nothing_gets_out_of_a_header(value: str) -> None:
    with pytest.raises(Unsayable):
        in_header(value, Style.SIMPLE, explode=False)


@pytest.mark.parametrize("value", [["a,b"], {"a,b": 1}, {"a": "b,c"}])
def test_parts_of_headers_have_no_delimiter(value: object) -> None:
    with pytest.raises(Unsayable, match="which separates its parts"):
        in_header(value, Style.SIMPLE, explode=False)
    with pytest.raises(Unsayable, match="which separates its parts"):
        in_header({"a=b": 1}, Style.SIMPLE, explode=True)


def test_reserved_characters_pass_where_the_document_says_so() -> None:
    assert query("a/b?c%2Fd", Style.FORM, explode=True) == "color=a%2Fb%3Fc%252Fd"
    said = query("a/b?c%2Fd%", Style.FORM, explode=True, reserved=True)
    assert said == "color=a/b?c%2Fd%25"
    assert (
        query("a&x=1;y#[]+", Style.FORM, explode=True, reserved=True)
        == "color=a%26x%3D1%3By%23%5B%5D%2B"
    )


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(Unsayable):
        encoded("\ud800")
    with pytest.raises(Unsayable):
        text(["\ud800"])


def test_what_is_nested_without_end_is_refused() -> None:
    value: object = 1
    for _ in range(40):
        value = {"a": value}
    with pytest.raises(Unsayable, match="nested too deep"):
        pairs("a", value, Style.DEEP_OBJECT, explode=True)


# An independent reader: what a server does that knows the parameter's style.

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1, max_size=5)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.one_of(
    TEXTS,
    st.lists(TEXTS, min_size=1, max_size=4),
    st.dictionaries(NAMES, TEXTS, min_size=1, max_size=4),
)
EXPLODED = st.booleans()


def joined(parts: list[str], kind: type) -> Any:
    """What the parts between delimiters stand for."""
    texts = [unquote(each) for each in parts]
    if kind is dict:
        return dict(zip(texts[::2], texts[1::2], strict=True))
    return texts if kind is list else texts[0]


def members(parts: list[str]) -> dict[str, str]:
    return {unquote(key): unquote(each) for key, _, each in (part.partition("=") for part in parts)}


def read_path(said: str, style: Style, kind: type, *, explode: bool) -> Any:
    match style:
        case Style.MATRIX:
            parts = said.split(";")[1:]
            if explode and kind is dict:
                return members(parts)
            values = [part.partition("=")[2] for part in parts]
            if explode and kind is list:
                return [unquote(each) for each in values]
            return joined(values[0].split(",") if kind is not str else values, kind)
        case Style.LABEL:
            parts = said[1:].split("." if explode and kind is not str else ",")
        case _:
            parts = said.split(",")
    if kind is dict and explode:
        return members(parts)
    return joined(parts if kind is not str else [said[1:] if style is Style.LABEL else said], kind)


def read_query(said: str, style: Style, kind: type, *, explode: bool) -> Any:
    found = [tuple(part.split("=", 1)) for part in said.split("&")]
    if style is Style.DEEP_OBJECT and kind is dict:
        keys = [re.fullmatch(r"color\[(.*)\]", unquote(key), re.DOTALL) for key, _ in found]
        return {key[1]: unquote(each) for key, (_, each) in zip(keys, found, strict=True) if key}
    if style is Style.DEEP_OBJECT and kind is list:
        assert {unquote(key) for key, _ in found} == {"color[]"}
        return [unquote(each) for _, each in found]
    if explode and kind is dict:
        return {unquote(key): unquote(each) for key, each in found}
    if explode and kind is list:
        return [unquote(each) for _, each in found]
    ((_, value),) = found
    delimiter = {
        Style.SPACE_DELIMITED: "%20",
        Style.PIPE_DELIMITED: "%7C",
        Style.TAB_DELIMITED: "%09",
    }.get(style, ",")
    return joined(value.split(delimiter) if kind is not str else [value], kind)


@given(VALUES, st.sampled_from([Style.MATRIX, Style.LABEL, Style.SIMPLE]), EXPLODED)
def test_what_is_said_in_a_path_is_read_again(value: Any, style: Style, explode: bool) -> None:
    said = in_path("color", value, style, explode=explode)
    assert re.fullmatch(r"[A-Za-z0-9._~%,;=-]*", said)
    assert read_path(said, style, type(value), explode=explode) == value


@given(
    VALUES,
    st.sampled_from(
        [
            Style.FORM,
            Style.SPACE_DELIMITED,
            Style.PIPE_DELIMITED,
            Style.TAB_DELIMITED,
            Style.DEEP_OBJECT,
        ]
    ),
    EXPLODED,
)
def test_what_is_said_in_a_query_is_read_again(value: Any, style: Style, explode: bool) -> None:
    try:
        said = query(value, style, explode=explode)
    except Unsayable:
        assert isinstance(value, list | dict)
        assert any(sign in str(value) for sign in (" ", "|", "\\t"))
        return
    assert re.fullmatch(r"[A-Za-z0-9._~%,=&-]*", said)
    assert read_query(said, style, type(value), explode=explode) == value


SAYABLE = st.text("abc xyz019;:/?&=+%\"'", min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.one_of(SAYABLE, st.lists(SAYABLE, min_size=1)), EXPLODED)
def test_what_is_said_in_a_header_is_read_again(value: Any, explode: bool) -> None:
    said = in_header(value, Style.SIMPLE, explode=explode)
    assert said.split(",") == (value if isinstance(value, list) else [value])
