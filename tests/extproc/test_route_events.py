from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame
from extproc.protocols import json_spans
from extproc.route_events import EVENTS, RouteFrames, is_stream, read

LINES = "application/x-ndjson"


def frames(kind: str, data: bytes) -> tuple[RouteFrames, list[Frame]]:
    found = RouteFrames(kind)
    return found, list(found.feed(data, is_end=True))


def spots(body: object) -> tuple[list[str], bool]:
    """The pieces in an event; whether all has ended."""
    found = read({"body": body} if body is not None else {})
    return [each.text for each in found.spots], found.ended is None


@pytest.mark.parametrize(
    ("kind", "is_one"), [(EVENTS, True), (LINES, True), ("application/json", False), ("", False)]
)
def test_some_types_are_streams(kind: str, is_one: bool) -> None:
    assert is_stream(kind) is is_one


@pytest.mark.parametrize(
    ("data", "document"),
    [
        (b'{"a": 1.0}', b'{"body":{"a": 1.0}}'),
        (b"[1]", b'{"body":[1]}'),
        (b'"a"', b'{"body":"a"}'),
        (b"hello", b'{"body":"hello"}'),
        (b"12", b'{"body":"12"}'),
        (b"[DONE]", b'{"body":"[DONE]"}'),
        (b'{"a": 1}, "query": [{', b'{"body":"{\\"a\\": 1}, \\"query\\": [{"}'),
    ],
)
def test_an_event_is_a_document(data: bytes, document: bytes) -> None:
    written = b"id: 1\ndata: %b\n\n" % data
    found, (frame,) = frames(EVENTS, written)
    assert frame.data == document
    assert found.said(frame) == written


def test_what_has_changed_is_written_as_it_was() -> None:
    found, (first, second, third) = frames(EVENTS, b'data: {"a":1}\n\ndata: hi\n\ndata: "hi"\n\n')
    assert found.said(replace(first, data=b'{"body":[]}')) == b"data: []\n\n"
    said = found.said(replace(second, data=b'{"body":"a\\r\\nb\\rc"}'))
    assert said == b"data: a\ndata: b\ndata: c\n\n"
    assert found.said(replace(third, data=b'{"body":"[x]"}')) == b'data: "[x]"\n\n'


def test_lines_are_documents_of_json() -> None:
    found, (first, blank, last) = frames(LINES, b'{"a": 1}\n\n"b"')
    assert [first.data, blank.data, last.data] == [b'{"body":{"a": 1}}', b"{}", b'{"body":"b"}']
    assert b"".join(map(found.said, (first, blank, last))) == b'{"a": 1}\n\n"b"'
    assert found.said(replace(first, data=b'{"body":{}}')) == b"{}\n"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (EVENTS, b'data: {"a": 1, "a": 2}\n\n'),
        (EVENTS, b"data: \xff\n\n"),
        (EVENTS, b"data: %b\n\n" % (b"[" * 500 + b"]" * 500)),
        (LINES, b"hello\n"),
        (LINES, b"{\n"),
    ],
)
def test_what_can_be_read_in_two_ways_is_not_read(kind: str, data: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        frames(kind, data)


def test_an_error_ends_them() -> None:
    assert RouteFrames(EVENTS).closing(b"{}") == b"event: error\ndata: {}\n\n"
    assert RouteFrames(LINES).closing(b"{}") == b"{}\n"


def test_what_was_not_read_here_is_not_written() -> None:
    with pytest.raises(TypeError):
        RouteFrames(EVENTS).said(Frame(b"x"))


def test_comments_stand_aside_and_say_nothing() -> None:
    found, events = frames(EVENTS, b": hello\n\n")
    assert (events, found.aside(), found.aside()) == ([], b":\n\n", b"")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (b"id: 1\n: hi\nevent: a\ndata: x\ndata: y\n\n", b"id: 1\nevent: a\ndata: x\ndata: y\n\n"),
        (b"retry: 5\nretry: a@b.c\ndata: x\n\n", b"retry: 5\ndata: x\n\n"),
        (b"hello a@b.c\n\n", b""),
        (b"hello: a@b.c\nid: 1\n\n", b"id: 1\n\n"),
    ],
)
def test_what_readers_pass_over_goes_nowhere(event: bytes, told: bytes) -> None:
    found, (frame,) = frames(EVENTS, event)
    assert found.said(frame) == told


def test_names_of_events_are_read() -> None:
    found, (one, other) = frames(EVENTS, b"event: a\nid: 1\ndata: {}\n\nevent: a\n\n")
    assert (one.data, other.data) == (b'{"event":"a","body":{}}', b'{"event":"a"}')
    said = found.said(replace(one, data=b'{"event":"a\\nb","body":{}}'))
    assert said == b"id: 1\nevent: a b\ndata: {}\n\n"
    assert found.said(replace(one, data=b'{"event":"a","body":[]}')) == (
        b"event: a\nid: 1\ndata: []\n\n"
    )


@pytest.mark.parametrize(
    ("body", "pieces", "is_ended"),
    [
        ("Hel", ["Hel"], False),
        ("[DONE]", [], True),
        (None, [], True),
        ({"a": "b"}, [], True),
        ([{"a": "b"}], [], True),
        ({"choices": [{"delta": {"content": "Hel"}}]}, ["Hel"], False),
        ({"type": "content_block_delta", "delta": {"text": "Hel"}}, ["Hel"], False),
        ({"type": "response.output_text.delta", "delta": "Hel"}, ["Hel"], False),
        ({"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]}, ["Hel"], False),
        ({"message": {"content": "Hel"}, "done": False}, ["Hel"], False),
        ({"response": "lo", "done": True}, ["lo"], True),
        ({"done": True}, [], True),
        ({"response": "lo"}, [], True),
    ],
)
def test_texts_and_what_models_say_go_on(body: Any, pieces: list[str], is_ended: bool) -> None:
    assert spots(body) == (pieces, is_ended)


def test_a_spot_is_where_the_text_stands() -> None:
    document = json_spans.decode(json.dumps({"body": "Hel"}).encode())
    (spot,) = read(document).spots
    spot.holder[spot.name] = "x"
    assert document == {"body": "x"}
