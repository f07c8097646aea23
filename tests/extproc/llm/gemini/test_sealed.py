"""Seals of Gemini's, and those that its clients carry for others."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.gemini import sealed
from extproc.llm.request import Signature
from gateway.model import Dialect

FOREIGN = [dialect for dialect in Dialect if dialect is not Dialect.GEMINI]


@given(st.binary(min_size=1), st.sampled_from(FOREIGN), st.booleans())
def test_a_client_that_writes_base64_its_own_way_brings_a_seal_back(
    data: bytes, origin: Dialect, is_redacted: bool
) -> None:
    """Google's own decodes it and encodes it in the other alphabet."""
    seal = Signature(base64.b64encode(data).decode(), origin)
    shown = sealed.shown(seal, is_redacted=is_redacted)
    carried = base64.urlsafe_b64encode(base64.b64decode(shown)).decode()
    assert sealed.read({"thoughtSignature": carried}) == (seal, is_redacted)


def test_gemini_s_own_is_shown_as_it_is() -> None:
    seal = sealed.of_provider({"thoughtSignature": "QUJD"})
    assert seal == Signature("QUJD", Dialect.GEMINI)
    assert sealed.shown(seal) == "QUJD"
    assert sealed.read({"thoughtSignature": "QUJD"}) == (seal, False)


@pytest.mark.parametrize("value", [None, "", 7, "ü", sealed.UNCHECKED])
def test_what_is_no_seal_is_none(value: object) -> None:
    assert sealed.read({"thoughtSignature": value}) == (None, False)
