"""What of MCP messages is text."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import pytest

from extproc.llm.shapes import Fields
from extproc.mcp_serving.texts import SAID, SENT
from extproc.message_texts import rewords, texts_of
from extproc.protocols import bodies, json_spans
from extproc.rewording import Reworded
from extproc.verdict import Deny
from gateway.model import TextScope

IMAGE = base64.b64encode(bytes(range(256)) * 4).decode()


class Loud:
    """Everything in capitals."""

    def __init__(self) -> None:
        self.fixed_texts: list[str] = []

    def text(self, text: str) -> str:
        return text.upper()

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return pieces

    def fixed(self, text: str) -> None:
        self.fixed_texts.append(text)


class Placed(Loud):
    """The same, and where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[TextScope] = []

    def at(self, scope: TextScope) -> None:
        self.scopes.append(scope)


def request(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": "i", "method": method, "params": params}


def result(**result: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": "i", "result": result}


@pytest.mark.parametrize(
    ("shape", "message", "texts"),
    [
        (
            SENT,
            request("tools/call", name="t", arguments={"a": ["x", 7, {"b": True}]}, _meta={"p": 1}),
            ("a", "x", "7", "b"),
        ),
        (SENT, request("resources/read", uri="file:///x"), ()),
        (
            SENT,
            request("completion/complete", ref={"name": "r"}, argument={"name": "n", "value": "v"}),
            ("v",),
        ),
        (SENT, request("new/method", other="said"), ("other", "said")),
        (SENT, result(action="accept", content={"name": "Ann"}), ("name", "Ann")),
        (
            SENT,
            result(role="assistant", content={"type": "text", "text": "x"}, model="m"),
            ("type", "text", "text", "x"),
        ),
        (
            SAID,
            result(
                content=[
                    {"type": "text", "text": "x"},
                    {"type": "image", "data": IMAGE, "mimeType": "image/png"},
                    {"type": "resource", "resource": {"uri": "a://b", "text": "y"}},
                ],
                structuredContent={"k": 5},
                isError=False,
                _meta={"m": "unread"},
            ),
            ("x", "y", "k", "5"),
        ),
        (SAID, result(contents=[{"uri": "a://b", "mimeType": "text/plain", "text": "z"}]), ("z",)),
        (
            SAID,
            result(messages=[{"role": "user", "content": {"type": "text", "text": "p"}}]),
            ("p",),
        ),
        (SAID, result(contents=[{"uri": "a://b", "blob": "aGVsbG8gd29ybGQ="}]), ("hello world",)),
        (SAID, request("notifications/message", level="info", data="d"), ("data", "d")),
        (SAID, request("elicitation/create", message="who?"), ("message", "who?")),
        (SAID, {"id": 1, "error": {"code": -1, "message": "m", "data": "d"}}, ("m", "d")),
    ],
)
def test_all_is_read_but_structure(
    shape: Fields, message: dict[str, object], texts: tuple[str, ...]
) -> None:
    assert texts_of(message, shape) == texts


def test_what_is_changed_is_spliced_and_says_the_same_otherwise() -> None:
    text = json.dumps(json.dumps({"a": "b"})).encode()
    body = (
        b'{ "jsonrpc":"2.0", "id": 1.50, "result": {"content":[{"type":"text","text":%s}], '
        b'"structuredContent":{"a":"b","n":1.50}}, "x": [ 1 ] }' % text
    )
    reworded = rewords(SAID, TextScope.TOOL_OUTPUT)(body, Loud())
    assert isinstance(reworded, Reworded)
    said = bodies.replace(body, reworded.values)
    assert said.startswith(b'{ "jsonrpc":"2.0", "id": 1.50, "result": ')
    found = json.loads(said)
    copy, structured = found["result"]["content"][0]["text"], found["result"]["structuredContent"]
    assert json.loads(copy) == {"A": "B"}
    assert structured == {"a": "B", "n": 1.5}
    assert b'"n":1.50' in said


def test_keys_cannot_be_changed_and_are_told() -> None:
    loud = Loud()
    rewords(SENT, TextScope.TOOL_INPUT)(json_spans.encode(request("x", arguments={"k": "v"})), loud)
    assert loud.fixed_texts == ["k"]


def test_all_stands_in_one_place() -> None:
    placed = Placed()
    body = json.dumps(result(content=[{"type": "text", "text": "x"}])).encode()
    rewords(SAID, TextScope.TOOL_OUTPUT)(body, placed)
    assert placed.scopes == [TextScope.TOOL_OUTPUT]


def test_what_hides_in_json_in_strings_is_refused() -> None:
    text = '"x"'
    for _ in range(6):
        text = json.dumps({"a": text})
    found = texts_of(request("tools/call", arguments=text), SENT)
    assert isinstance(found, Deny)
    assert found.code == "unreadable_message"
    assert isinstance(rewords(SENT, TextScope.TOOL_INPUT)(b'{"a":1,"a":2}', Loud()), Deny)
