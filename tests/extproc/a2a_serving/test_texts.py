"""What of A2A documents is read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from extproc.a2a_serving.texts import DOCUMENT, ENVELOPE
from extproc.message_texts import rewords, texts_of
from extproc.rewording import Reworded
from extproc.verdict import Deny
from gateway.guards import TextScope


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def read(document: dict[str, Any]) -> set[str]:
    found = texts_of(document, DOCUMENT)
    assert not isinstance(found, Deny)
    return set(found)


MESSAGE = {"messageId": "m-1", "taskId": "t-1", "contextId": "c-1", "role": "ROLE_USER"}


@pytest.mark.parametrize(
    ("part", "texts"),
    [
        ({"text": "hi"}, {"hi"}),
        ({"kind": "text", "text": "hi"}, {"hi"}),
        ({"data": {"card": 4111}}, {"card", "4111"}),
        ({"kind": "data", "data": {"a": ["b"]}}, {"a", "b"}),
        ({"data": {"data": {"a": "b"}}}, {"data", "a", "b"}),
        ({"raw": b64("hi"), "filename": "a.txt", "mediaType": "text/plain"}, {"hi", "a.txt"}),
        ({"url": "https://x/y"}, {"https://x/y"}),
        ({"url": f"data:text/plain;base64,{b64('hi')}"}, {"hi"}),
        ({"file": {"bytes": b64("hi"), "name": "a", "mimeType": "text/plain"}}, {"hi", "a"}),
        ({"file": {"uri": "https://x", "name": "a"}}, {"https://x", "a"}),
        ({"file": {"fileWithBytes": b64(b64("hi"))}}, {b64("hi"), "hi"}),
        ({"file": {"file_with_uri": "https://x"}}, {"https://x"}),
        ({"text": "hi", "metadata": {"note": "n"}}, {"hi", "note", "n"}),
        ({"unknown": "hi"}, {"unknown", "hi"}),
    ],
)
def test_texts_data_and_files_are_read(part: dict[str, Any], texts: set[str]) -> None:
    for name in ("parts", "content"):
        assert read({"message": {**MESSAGE, name: [part]}}) == texts


def test_parts_that_follow_each_other_are_read_together_too() -> None:
    assert "secret" in read({"message": {**MESSAGE, "parts": [{"text": "sec"}, {"text": "ret"}]}})


def test_structure_is_not_read() -> None:
    document = {
        "tenant": "t",
        "message": {**MESSAGE, "parts": [], "extensions": []},
        "configuration": {
            "blocking": True,
            "historyLength": 3,
            "taskPushNotificationConfig": {"url": "https://me", "token": "secret"},
            "pushNotificationConfig": {"token": "secret"},
        },
    }
    assert read(document) == set()
    assert read({"task": {"id": "t", "status": {"state": "TASK_STATE_WORKING"}}}) == set()


def test_words_where_ids_and_states_stand_are_read() -> None:
    assert read({"task": {"id": "my password", "status": {"state": "so sad"}}}) == {
        "my password",
        "so sad",
    }


@pytest.mark.parametrize(
    "event",
    [
        {"statusUpdate": {"taskId": "t", "status": {"message": {"parts": [{"text": "hi"}]}}}},
        {"artifactUpdate": {"artifact": {"parts": [{"text": "hi"}]}, "append": True}},
        {"task": {"artifacts": [{"parts": [{"text": "hi"}]}]}},
        {"tasks": [{"history": [{"parts": [{"text": "hi"}]}]}]},
        {"kind": "artifact-update", "artifact": {"parts": [{"kind": "text", "text": "hi"}]}},
        {"error": {"code": 404, "message": "hi"}},
    ],
)
def test_events_are_read(event: dict[str, Any]) -> None:
    assert read(event) == {"hi"}


class _Loud:
    def __init__(self) -> None:
        self.kept: list[str] = []

    def text(self, text: str) -> str:
        return text.upper()

    def across(self, pieces: Any) -> Any:
        return pieces

    def fixed(self, text: str) -> None:
        self.kept.append(text)


def test_texts_are_reworded_where_they_stand() -> None:
    parts = [{"text": "hi"}, {"data": {"a": "b", "n": "N"}}, {"raw": b64("file")}]
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "result": {"message": {**MESSAGE, "parts": parts}}}
    ).encode()
    body = body.replace(b'"N"', b"1.50")
    loud = _Loud()
    found = rewords(ENVELOPE, TextScope.ASSISTANT)(body, loud)
    assert isinstance(found, Reworded)
    result = json.loads(found.values["result"])
    assert result["message"]["parts"] == [
        {"text": "HI"},
        {"data": {"a": "B", "n": 1.5}},
        {"raw": b64("file")},
    ]
    assert "file" in loud.kept
    assert b"1.50" in found.values["result"]


def test_what_is_no_json_is_refused() -> None:
    found = rewords(DOCUMENT, TextScope.USER)(b"{", _Loud())
    assert isinstance(found, Deny)
    assert found.code == "unreadable_message"
