from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols import bodies
from extproc.route_texts import (
    AnyForm,
    Form,
    Parts,
    Said,
    Unreadable,
    document_of,
    form_of,
    reword,
    said_by,
    texts_of,
)
from extproc.verdict import Deny


class Masking:
    """Says `[m]` for each `bad`."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def text(self, text: str) -> str:
        return text.replace("bad", "[m]")

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return pieces

    def fixed(self, text: str) -> None:
        self.kept.append(text)


def masked(said: Said) -> Said:
    document = document_of(said)
    reworded = reword(document, Masking())
    assert not isinstance(reworded, Deny)
    after = bodies.replace(document, reworded.values) if reworded.values else document
    return said_by(document, after, said)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/json", Form.JSON),
        ("application/JSON; charset=UTF-8", Form.JSON),
        ("application/merge-patch+json", Form.JSON),
        ("application/x-www-form-urlencoded", Form.FIELDS),
        ("text/plain;charset=utf-8", Form.TEXT),
        ("text/csv", Form.TEXT),
        ("application/x-ndjson", Form.TEXT),
        ("application/stream+json", Form.TEXT),
        ("application/x-yaml", Form.TEXT),
        ("image/svg+xml", Form.TEXT),
        ("", Form.UNSAID),
        ("application/octet-stream", None),
        ("multipart/form-data; boundary=x", Parts(b"--x")),
        ("image/png; charset=latin1", None),
    ],
)
def test_the_content_type_says_how_a_body_is_read(content_type: str, form: AnyForm | None) -> None:
    assert form_of(content_type) == form


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png, application/json",
        'text/plain; charset="utf-16"',
        "text/plain; charset*=utf-8''utf-16",
    ],
)
def test_what_readers_may_read_otherwise_is_not_read(content_type: str) -> None:
    with pytest.raises(Unreadable):
        form_of(content_type)


@pytest.mark.parametrize(
    ("query", "body", "form", "found"),
    [
        ("", b'{"a": ["b", {"c": 1}], "d": null}', Form.JSON, ["a", "b", "c", "1", "d"]),
        ("", b'["a", 2]', Form.JSON, ["a", "2"]),
        ("", b'"a"', Form.JSON, ["a"]),
        ("", "ä\nb".encode(), Form.TEXT, ["ä\nb"]),
        ("", b"a=b+c&d=%C3%A4&a=e", Form.FIELDS, ["a", "b c", "d", "ä", "a", "e"]),
        ("q=a%20b", b"", None, ["q", "a b"]),
        ("q=a", b"\xff", None, ["q", "a"]),
        ("", b'{"a": "\\u0062"}', Form.UNSAID, ["a", "b"]),
        ("", b"plain", Form.UNSAID, ["plain"]),
        (
            "",
            b'{"a": "b\\u0061d"}\n{"a": "\\u00e4"}',
            Form.TEXT,
            ['{"a": "b\\u0061d"}\n{"a": "\\u00e4"}', '{"a": "bad"}\n{"a": "ä"}'],
        ),
        ("", b"\xff", Form.UNSAID, []),
    ],
)
def test_all_that_a_request_says_is_read(
    query: str, body: bytes, form: Form | None, found: list[str]
) -> None:
    assert texts_of(document_of(Said(query, body, form))) == tuple(found)


@pytest.mark.parametrize(
    "said",
    [
        Said("", b"{", Form.JSON),
        Said("", b"[" * 250 + b"]" * 250, Form.JSON),
        Said("", b'1,"query":[]', Form.JSON),
        Said("", b'{"a": 1, "a": 2}', Form.JSON),
        Said("", b'{"a": 1, "a": 2}', Form.UNSAID),
        Said("", b"\xff", Form.TEXT),
        Said("", b"a=%ff", Form.FIELDS),
        Said("", b'<?xml version="1.0" encoding="UTF-7"?><a>+AGI-ad</a>', Form.TEXT),
        Said("", b"\xef\xbb\xbf <?xml encoding='IBM037'?><a/>", Form.UNSAID),
        Said("a=%ff", b"", None),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused(said: Said) -> None:
    with pytest.raises(Unreadable):
        document_of(said)


@pytest.mark.parametrize(
    ("said", "new"),
    [
        (
            Said("a=1&q=so+bad", b"", None),
            Said("a=1&q=so%20%5Bm%5D", b"", None),
        ),
        (
            Said("", b' {"a": "bad", "n": 1.50}\n', Form.JSON),
            Said("", b'{"a":"[m]","n":1.50}', Form.JSON),
        ),
        (Said("", b'"bad"', Form.JSON), Said("", b'"[m]"', Form.JSON)),
        (Said("", b'"bad"', Form.TEXT), Said("", b'"[m]"', Form.TEXT)),
        (Said("", b'"bad" ', Form.UNSAID), Said("", b'"[m]"', Form.UNSAID)),
        (Said("", b"bad day", Form.UNSAID), Said("", b"[m] day", Form.UNSAID)),
        (
            Said("", b"a=%62ad&b=x+y&c", Form.FIELDS),
            Said("", b"a=%5Bm%5D&b=x+y&c", Form.FIELDS),
        ),
    ],
)
def test_what_is_masked_is_said_as_it_was(said: Said, new: Said) -> None:
    assert masked(said) == new


def test_what_is_not_masked_stays_as_it_was_written() -> None:
    said = Said("a=b+c&&d", json.dumps({"a": [1.0, "x"]}, indent=3).encode(), Form.JSON)
    assert masked(said) == said


def test_what_a_text_says_in_escapes_is_read_and_not_changed() -> None:
    said = Said("", b'{"a": "b\\u0061d, bad", "n": NaN}', Form.TEXT)
    document = document_of(said)
    found = texts_of(document)
    assert not isinstance(found, Deny)
    assert found[-1] == '{"a": "bad, bad", "n": NaN}'
    masking = Masking()
    reworded = reword(document, masking)
    assert not isinstance(reworded, Deny)
    assert masking.kept[-1] == reworded.texts[-1] == '{"a": "bad, [m]", "n": NaN}'
    assert masked(said).body == b'{"a": "b\\u0061d, [m]", "n": NaN}'


def test_a_declaration_of_xml_may_say_what_changes_nothing() -> None:
    body = b'<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?><a>bad</a>'
    assert masked(Said("", body, Form.TEXT)).body == body.replace(b"bad", b"[m]")


def test_json_in_a_text_that_is_nested_too_deeply_is_refused() -> None:
    document = document_of(Said("", b'["\\n",' + b"[" * 250 + b"]" * 251, Form.TEXT))
    assert isinstance(texts_of(document), Deny)


MEMBERS = st.lists(
    st.tuples(st.text("ab+%2C=", max_size=5), st.text("xy+%20&", max_size=6)), max_size=4
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@given(MEMBERS, MEMBERS)
def test_queries_and_forms_in_which_nothing_is_found_stay_byte_for_byte(
    query: str, form: str
) -> None:
    said = Said(query, form.encode(), Form.FIELDS)
    try:
        document_of(said)
    except Unreadable:
        return
    assert masked(said) == said


@given(st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each)))
def test_any_json_in_which_nothing_is_found_stays_byte_for_byte(value: object) -> None:
    said = Said("", json.dumps(value, indent=1).encode(), Form.JSON)
    assert masked(said) == said
