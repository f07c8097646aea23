from __future__ import annotations

import json
import tracemalloc
from email import message_from_bytes
from email.message import Message

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols import multipart
from extproc.protocols.multipart import MAX_PARTS, BadMultipart, Part, media_type, parts, text

TYPE = "multipart/form-data; boundary=b"
NAMES = st.text("abcdefghij_[].", min_size=1, max_size=8)
TEXTS = st.text(max_size=40)


def form(*fields: str) -> bytes:
    """Parts, each with its headers, by LF."""
    body = "".join(f"--b\r\n{each}\r\n" for each in fields)
    return f"{body}--b--\r\n".encode()


def field(name: str, said: str = "x") -> str:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{said}'


def sent(data: dict[str, str | list[str]], files: list[tuple[str, bytes]]) -> tuple[bytes, str]:
    """As httpx, and so OpenAI's library, would send it."""
    attached = [("file", (name, content)) for name, content in files] or [("file", ("f", b""))]
    request = httpx.Request("POST", "http://a", data=data, files=attached)
    return request.read(), request.headers["content-type"]


def oracle(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """The names and contents that Python's own reader of messages finds."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found = message.get_payload()
    assert isinstance(found, list)
    pairs = []
    for each in found:
        assert isinstance(each, Message)
        name = each.get_param("name", header="content-disposition")
        payload = each.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(payload, bytes)
        pairs.append((name, payload))
    return pairs


@given(st.dictionaries(NAMES, TEXTS | st.lists(TEXTS, min_size=1, max_size=3), max_size=4))
def test_fields_that_a_library_sends_are_found(data: dict[str, str | list[str]]) -> None:
    body, content_type = sent(data, [])
    found = [(each.name, text(body, each)) for each in parts(body, content_type)[:-1]]
    wanted = [
        (name, each)
        for name, value in data.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    assert found == wanted


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_files_are_found_as_they_are(contents: list[bytes]) -> None:
    body, content_type = sent({"model": "m"}, [(f"{n}.wav", c) for n, c in enumerate(contents)])
    found = parts(body, content_type)
    assert [body[each.start : each.end] for each in found] == [b"m", *contents]
    assert [each.filename for each in found] == [None, *(f"{n}.wav" for n in range(len(contents)))]


def test_another_reader_finds_the_same() -> None:
    body, content_type = sent({"model": "m", "prompt": "Grüße 🐉"}, [("a.bin", b"\x00\x01\xff")])
    ours = [(each.name, body[each.start : each.end]) for each in parts(body, content_type)]
    assert ours == oracle(body, content_type)


@given(st.binary(max_size=80))
def test_a_cut_or_changed_form_is_refused_or_still_one(garbage: bytes) -> None:
    body = form(field("model", "m"), field("prompt", "p"))
    for cut in range(0, len(body) - 2, 7):
        with pytest.raises(BadMultipart):
            parts(body[:cut], TYPE)
    for at in range(0, len(body), 9):
        try:
            found = parts(body[:at] + garbage + body[at:], TYPE)
        except BadMultipart:
            continue
        assert all(each.name for each in found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--\r\n",
        b"preamble\r\n" + form(field("a")),
        b"\r\n" + form(field("a")),
        form(field("a")) + b"epilogue",
        form(field("a")) + b"\r\n",
        form(field("a")).replace(b"--b\r\n", b"--b \r\n"),
        form(field("a")).replace(b"\r\n", b"\n"),
        form(field("a", "x\n--b\r\nContent-Disposition: form-data; name=b\r\n\r\ny")),
        form(field("a", "x\r--b\r\ny")),
        form(field("a", "\n--b\r\ny")),
        form(field("a", "--b\r\ny")),
        form(field("a", "--b--")),
        form(field("a", "x\r\n--bc\r\ny")),
        form("Content-Disposition: form-data; name=a\r\n"),
        form("X: y\r\n\r\nx"),
        form("\r\n\r\nx"),
        form("Content-Disposition: attachment; name=a\r\n\r\nx"),
        form("Content-Disposition: form-data-x; name=a\r\n\r\nx"),
        form("Content-Disposition: form-data\r\n\r\nx"),
        form('Content-Disposition: form-data; name=""\r\n\r\nx'),
        form("Content-Disposition: form-data; name=a; name=b\r\n\r\nx"),
        form("Content-Disposition: form-data; name=a; NAME=b\r\n\r\nx"),
        form("Content-Disposition: form-data; name=a; name*=utf-8''b\r\n\r\nx"),
        form('Content-Disposition: form-data; name="mod\\el"\r\n\r\nx'),
        form('Content-Disposition: form-data; name="=?utf-8?q?model?="\r\n\r\nx'),
        form('Content-Disposition: form-data; name="a" b\r\n\r\nx'),
        form('Content-Disposition: form-data; name="a\r\n\r\nx'),
        form("Content-Disposition: form-data;\r\n name=a\r\n\r\nx"),
        form(f"Content-Disposition: form-data; name=b\r\n{field('a')}"),
        form(f"Content-Transfer-Encoding: base64\r\n{field('a')}"),
        form(f"Content-Type: text/plain; charset=utf-16\r\n{field('a')}"),
        form(f"X: {'y' * 9000}\r\n{field('a')}"),
        form(*(field("a") for _ in range(MAX_PARTS + 1))),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(BadMultipart):
        parts(body, TYPE)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=c",
        "multipart/form-data; boundary=b; boundary=c",
        'multipart/form-data; boundary="b',
        f"multipart/form-data; boundary={'b' * 71}",
    ],
)
def test_the_boundary_must_be_said(content_type: str) -> None:
    with pytest.raises(BadMultipart):
        parts(form(field("a")), content_type)


@pytest.mark.parametrize(
    "content_type",
    [TYPE, 'Multipart/Form-Data;boundary="b"', "multipart/form-data; charset=utf-8; boundary=b "],
)
def test_the_content_type_may_be_written_in_any_way(content_type: str) -> None:
    assert media_type(content_type) == "multipart/form-data"
    (found,) = parts(form(field("a")), content_type)
    assert found.name == "a"


def test_a_boundary_within_a_line_is_text() -> None:
    body = form(field("a", "x--b\r\ny --b--"))
    (found,) = parts(body, TYPE)
    assert text(body, found) == "x--b\r\ny --b--"


def test_a_field_says_utf_8_or_nothing() -> None:
    body = form(field("_charset_", "iso-8859-1"))
    with pytest.raises(BadMultipart):
        text(body, parts(body, TYPE)[0])
    body = form(field("a", "ä")).replace("ä".encode(), b"\xe4")
    with pytest.raises(BadMultipart):
        text(body, parts(body, TYPE)[0])


@given(TEXTS, TEXTS, st.binary(max_size=50))
def test_only_what_is_named_changes(prompt: str, model: str, content: bytes) -> None:
    body, content_type = sent({"model": "m", "k[]": ["1", "2"], "prompt": prompt}, [("f", content)])
    values = {"model": json.dumps(model).encode(), "k[]": b'["3", "4"]', "new": b'"5"'}
    after = multipart.replace(body, values)
    said = {(each.name, n): after[each.start : each.end] for n, each in numbered(after)}
    assert said == {
        ("model", 0): model.encode(),
        ("k[]", 0): b"3",
        ("k[]", 1): b"4",
        ("prompt", 0): prompt.encode(),
        ("file", 0): content,
        ("new", 0): b"5",
    }
    assert multipart.replace(body, {}) == body
    assert parts(after, content_type)


def numbered(body: bytes) -> list[tuple[int, Part]]:
    """The parts, numbered among those of the same name."""
    seen: dict[str, int] = {}
    found = []
    for each in multipart.parts_of(body):
        seen[each.name] = seen.get(each.name, -1) + 1
        found.append((seen[each.name], each))
    return found


def test_a_new_text_cannot_end_its_part() -> None:
    body = form(field("a", "x"))
    assert multipart.has_boundary(body, "y\r\n--b--")
    assert not multipart.has_boundary(body, "y")
    with pytest.raises(BadMultipart):
        multipart.replace(body, {"a": b'"y\\r\\n--b--\\r\\n"'})


def test_a_large_file_is_copied_once() -> None:
    body, content_type = sent({"model": "m"}, [("f", bytes(50 << 20))])
    tracemalloc.start()
    try:
        assert len(parts(body, content_type)) == 2
        _, reading = tracemalloc.get_traced_memory()
        after = multipart.replace(body, {"model": b'"other"'})
        _, writing = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(after) == len(body) + 4
    assert reading < 1 << 20
    assert writing < len(body) + (1 << 20)
