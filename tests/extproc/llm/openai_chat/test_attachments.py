"""Attachments are the same bytes, however they are written."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.faults import Unfit
from extproc.llm.openai_chat.attachments import (
    audio_format,
    cache_mark,
    data_url,
    file_name,
    file_source,
    inline,
    source_of,
)
from extproc.llm.request import CacheMark, Inline, Remote


@given(st.binary(), st.sampled_from(["image/png", "application/pdf", "text/plain"]))
def test_a_data_url_comes_back_as_it_went(data: bytes, media_type: str) -> None:
    source = Inline(media_type, base64.b64encode(data).decode())
    assert source_of(data_url(source), "url") == source


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://a.example/x.png", Remote("https://a.example/x.png")),
        ("gs://bucket/x.png", Remote("gs://bucket/x.png")),
        ("DATA:Image/PNG;Base64,AAAA", Inline("image/png", "AAAA")),
        ("data:text/plain;charset=utf-8;base64,aGk=", Inline("text/plain", "aGk=")),
        ("data:image/png;base64,aGk", Inline("image/png", "aGk=")),
        ("data:image/png;base64,aGk%3D", Inline("image/png", "aGk=")),
        ("data:,h%69", Inline("text/plain", "aGk=")),
        ("data:text/html,hi", Inline("text/html", "aGk=")),
        ("data:;base64,/9j/AAAA", Inline("image/jpeg", "/9j/AAAA")),
        ("data:;base64,aGk=", Inline("", "aGk=")),
    ],
)
def test_every_form_of_a_url_is_read(url: str, source: Inline | Remote) -> None:
    assert source_of(url, "url") == source


def test_a_data_url_without_data_is_refused() -> None:
    with pytest.raises(Unfit) as raised:
        source_of("data:image/png;base64", "messages[0].content[1].image_url")
    assert raised.value.deny.param == "messages[0].content[1].image_url"
    assert raised.value.deny.status == 400


@pytest.mark.parametrize(
    ("data", "name", "source"),
    [
        ("data:application/pdf;base64,AAAA", "x.txt", Inline("application/pdf", "AAAA")),
        ("AAAA", "x.PDF", Inline("application/pdf", "AAAA")),
        ("AAAA", "notes", Inline("", "AAAA")),
        ("JVBERi0xLjQ=", "", Inline("application/pdf", "JVBERi0xLjQ=")),
        ("https://a.example/x.pdf", "", Remote("https://a.example/x.pdf")),
    ],
)
def test_files_are_of_the_type_that_they_say(data: str, name: str, source: Inline | Remote) -> None:
    assert file_source(data, name, "file_data") == source


def test_a_type_that_nobody_said_is_guessed_where_it_shows() -> None:
    assert data_url(Inline("", "iVBORw0KGgoAAA==")).startswith("data:image/png;base64,")
    assert data_url(Inline("", "AAAA")) == "data:application/octet-stream;base64,AAAA"
    assert inline("audio/wav", "AAAA") == Inline("audio/wav", "AAAA")


def test_a_file_without_a_name_is_given_one() -> None:
    assert file_name("application/pdf") == "document.pdf"
    assert file_name("application/x-unheard-of") == "document"


def test_sound_is_in_one_of_two_formats() -> None:
    assert audio_format("audio/mpeg") == "mp3"
    assert audio_format("audio/x-wav") == "wav"
    assert audio_format("audio/flac") is None


@pytest.mark.parametrize(
    ("part", "mark"),
    [
        ({}, None),
        ({"cache_control": None}, None),
        ({"cache_control": {"type": "ephemeral"}}, CacheMark()),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, CacheMark("1h")),
        ({"prompt_cache_breakpoint": {"mode": "explicit"}}, CacheMark()),
        ({"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}, CacheMark("1h")),
    ],
)
def test_cache_marks_are_read_in_either_form(
    part: dict[str, object], mark: CacheMark | None
) -> None:
    assert cache_mark(part, "") == mark
