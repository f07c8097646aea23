"""Base64 of either alphabet is the same bytes."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.gemini.base64_forms import decoded, encoded, standard, text_of


@given(st.binary())
def test_every_form_becomes_the_standard_one(data: bytes) -> None:
    expected = base64.b64encode(data).decode()
    url = base64.urlsafe_b64encode(data).decode()
    assert standard(url) == standard(url.rstrip("=")) == standard(expected) == expected


@given(st.text())
def test_texts_are_read_back(text: str) -> None:
    assert decoded(encoded(text)) == text
    assert text_of({"mimeType": "text/markdown", "data": encoded(text)}) == text
    assert text_of({"mime_type": "application/x-python", "data": encoded(text)}) == text


def test_what_may_be_text_is_read() -> None:
    for kind in (
        {},
        {"mimeType": None},
        {"mimeType": "image/svg+xml"},
        {"mimeType": " TEXT/PLAIN"},
    ):
        assert text_of({**kind, "data": "QUJD"}) == "ABC"


def test_what_is_no_text_is_not_read() -> None:
    assert text_of({"mimeType": "image/png", "data": "QUJD"}) is None
    assert text_of({"mimeType": "application/pdf", "data": "QUJD"}) is None
    assert text_of({"mimeType": "text/plain", "data": 1}) is None
    assert text_of("QUJD") is None
    assert decoded("ü") is None
    assert decoded("A") is None
