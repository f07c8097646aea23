from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import modes
from extproc.a2a.cards import Card, read_card
from extproc.a2a.modes import CardModes, Mismatch, media_type


def declared(inputs: Any = (), outputs: Any = (), skills: Any = ()) -> CardModes:
    document = {
        "name": "a",
        "url": "http://a",
        "defaultInputModes": list(inputs),
        "defaultOutputModes": list(outputs),
        "skills": list(skills),
    }
    card = read_card(json.dumps(document).encode())
    assert isinstance(card, Card)
    return modes.modes_of(card)


def takes(inputs: Any, *parts: Mapping[str, object]) -> bool:
    return declared(inputs).mismatch(parts, ()) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("text/plain", "text/plain"),
        ("text/plain", "TEXT/Plain"),
        ("text/*", "text/markdown"),
        ("*/*", "image/png"),
        ("*", "image/png"),
        ("text", "text/html"),
        ("image", "image/png"),
        ("file", "application/pdf"),
        ("data", "application/json"),
        ("application/json", "application/json; charset=utf-8"),
        ("application/json;charset=UTF-8", 'application/json;charset="utf-8"'),
        ("text/plain;a=1", "text/plain;b=2"),
        ("odd", "odd"),
    ],
)
def test_types_that_fit(one: str, other: str) -> None:
    assert media_type(one).fits(media_type(other))
    assert media_type(other).fits(media_type(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("text/plain", "text/html"),
        ("text/*", "image/png"),
        ("image/*", "text/*"),
        ("text/plain;charset=utf-8", "text/plain;charset=latin1"),
        ("odd", "text/plain"),
        ("", "text/plain"),
    ],
)
def test_types_that_do_not(one: str, other: str) -> None:
    assert not media_type(one).fits(media_type(other))
    assert not media_type(other).fits(media_type(one))


TEXT = {"text": "x"}
OLD_TEXT = {"kind": "text", "text": "x"}
MARKDOWN = {"text": "x", "mediaType": "text/markdown"}
DATA = {"data": {"a": 1}}
OLD_DATA = {"kind": "data", "data": {"a": 1}}
XML = {"data": "x", "mediaType": "application/xml"}
IMAGE = {"url": "http://x/a.png", "mediaType": "image/png"}
RAW = {"raw": "AAAA", "mediaType": "image/png", "filename": "a.png"}
OLD_IMAGE = {"kind": "file", "file": {"mimeType": "image/png", "uri": "http://x"}}
DRAFT_IMAGE = {"file": {"mediaType": "image/png", "fileWithUri": "http://x"}}
FILE = {"url": "http://x/a"}
OLD_FILE = {"kind": "file", "file": {"uri": "http://x"}}


@pytest.mark.parametrize(
    ("inputs", "fitting"),
    [
        ([], [TEXT, DATA, IMAGE, FILE, XML, MARKDOWN]),
        (["text/plain"], [TEXT, OLD_TEXT, FILE, OLD_FILE]),
        (["text/markdown"], [TEXT, OLD_TEXT, MARKDOWN, FILE]),
        (["text"], [TEXT, MARKDOWN]),
        (["application/json"], [DATA, OLD_DATA, FILE]),
        (["application/vnd.geo+json"], [DATA]),
        (["image/png"], [IMAGE, RAW, OLD_IMAGE, DRAFT_IMAGE]),
        (["image/*", "application/xml"], [IMAGE, RAW, OLD_IMAGE, DRAFT_IMAGE, XML]),
        (["*/*"], [TEXT, DATA, IMAGE, XML, MARKDOWN, FILE]),
    ],
)
def test_parts_are_matched_by_what_they_are(inputs: list[str], fitting: list[Any]) -> None:
    every = (TEXT, OLD_TEXT, MARKDOWN, DATA, OLD_DATA, XML, IMAGE, RAW, OLD_IMAGE, DRAFT_IMAGE)
    for part in fitting:
        assert takes(inputs, part), part
    if inputs == ["image/png"]:
        assert [each for each in every if takes(inputs, each)] == fitting


@pytest.mark.parametrize(
    ("inputs", "part", "named"),
    [
        (["application/json"], TEXT, "text/plain"),
        (["text/plain"], MARKDOWN, "text/markdown"),
        (["text/plain"], DATA, "application/json"),
        (["application/json"], XML, "application/xml"),
        (["text/plain"], OLD_IMAGE, "image/png"),
        (["text/plain"], DRAFT_IMAGE, "image/png"),
        (["image/jpeg"], RAW, "image/png"),
    ],
)
def test_what_does_not_fit_is_named(inputs: list[str], part: Any, named: str) -> None:
    fitting = {"url": "x"}
    found = declared(inputs).mismatch((fitting, part), ())
    assert found == Mismatch(
        f"part 2 of the message is {named}; accepted are {inputs[0]}",
        {"part": "2", "mediaType": named, "supported": inputs[0]},
    )


def test_one_of_the_accepted_outputs_is_enough() -> None:
    of = declared(outputs=["text/plain", "image/png"])
    assert of.mismatch((), ()) is None
    assert of.mismatch((), ("application/pdf", "image/*")) is None
    assert of.mismatch((), ("text",)) is None
    found = of.mismatch((), ("application/pdf", "audio/*"))
    assert found is not None
    assert found.message == (
        "none of the accepted output modes application/pdf, audio/* is given;"
        " given are text/plain, image/png"
    )
    assert found.metadata["supported"] == "text/plain, image/png"
    assert declared().mismatch((), ("application/pdf",)) is None


SKILLS = [
    {"id": "draw", "inputModes": ["text/plain"], "outputModes": ["image/png"]},
    {"id": "look", "inputModes": ["image/png"]},
    {"id": "any"},
]


def test_without_a_skill_those_of_all_count() -> None:
    of = declared(["application/json"], ["text/plain"], SKILLS)
    assert of.mismatch((TEXT, IMAGE, DATA), ("image/png",)) is None
    assert of.mismatch((XML,), ()) is not None


def test_with_a_skill_its_own_count_or_else_the_agents() -> None:
    of = declared(["application/json"], ["text/plain"], SKILLS)
    assert of.mismatch((TEXT,), ("image/png",), "draw") is None
    assert of.mismatch((IMAGE,), (), "draw") is not None
    assert of.mismatch((TEXT,), ("text/plain",), "draw") is not None
    assert of.mismatch((IMAGE,), ("text/plain",), "look") is None
    assert of.mismatch((DATA,), (), "any") is None
    assert of.mismatch((TEXT,), (), "any") is not None
    assert of.mismatch((TEXT,), (), "none such") is None


def test_what_is_told_is_bounded() -> None:
    of = declared([f"text/{'x' * 200}{number}" for number in range(100)])
    found = of.mismatch(({"mediaType": "y" * 5000, "text": ""},), ())
    assert found is not None
    assert len(found.message) < 3000


@given(st.text(max_size=20), st.text(max_size=20))
def test_fitting_has_no_direction(one: str, other: str) -> None:
    assert media_type(one).fits(media_type(other)) == media_type(other).fits(media_type(one))
    assert media_type(one).fits(media_type(one)) or ";" in one


odd = (
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.dictionaries(st.text(max_size=3), st.none())
)


@given(st.dictionaries(st.sampled_from(["text", "data", "file", "mediaType", "kind", "url"]), odd))
def test_odd_parts_break_nothing(part: dict[str, Any]) -> None:
    found = declared(["text/plain"]).mismatch((part,), ())
    assert found is None or isinstance(found, Mismatch)
