"""What clients say to agents, past the guards."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.events import Action, Direct, RequestBody, Respond
from tests.kit.a2a_exchange import TWO, V0_3, V1, Played, agents, card, program, send
from tests.kit.mcp_exchange import set_headers

GUARDS = """
guardrails:
  - {name: mails, type: pii, kinds: [email], action: mask, for: {a2a: travel}}
  - {name: words, type: regex, patterns: [apollo], for: {a2a: "*"}}
  - {name: llm, type: regex, patterns: [mercury]}
"""
MODES = {"defaultInputModes": ["*/*"]}
GRPC = "/lf.a2a.v1.A2AService/SendMessage"
OLD_GRPC = "/a2a.v1.A2AService/SendMessage"


def open_gateway() -> Played:
    cards = {"travel": card(**MODES), "hotels": card("hotels", "hotels", **MODES)}
    return Played(program(TWO + GUARDS, agents(**cards)))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def parts(action: Action) -> Any:
    assert isinstance(action, Direct), action
    assert action.body is not None
    return json.loads(action.body)["params"]["message"]["parts"]


@pytest.mark.parametrize(
    "part",
    [
        {"text": "all of apollo"},
        {"data": {"apollo": 1}},
        {"url": "https://x/apollo"},
        {"raw": b64("of apollo"), "mediaType": "text/plain"},
        {"raw": b64("x"), "filename": "apollo.txt"},
        {"text": "x", "metadata": {"about": "apollo"}},
    ],
)
def test_what_is_found_in_any_part_is_refused(part: dict[str, object]) -> None:
    _, found = open_gateway().ask("/a2a/travel", send(parts=[part]), **V1)
    assert isinstance(found, Respond)
    assert found.status == 400
    error = json.loads(found.body)["error"]
    assert "(guard 'words')" in error["message"]
    assert error["data"][0]["metadata"] == {"code": "content_policy_violation"}
    assert json.loads(found.body)["id"] == 7


def test_parts_of_0_3_are_read() -> None:
    file = {"bytes": b64("apollo"), "mimeType": "text/plain"}
    body = send(method="message/send", role="user", kind="message", parts=[])
    for part in ({"kind": "text", "text": "apollo"}, {"kind": "file", "file": file}):
        body["params"]["message"]["parts"] = [part]  # type: ignore[index]
        _, found = open_gateway().ask("/a2a/travel", body, **V0_3)
        assert isinstance(found, Respond)


def test_what_is_masked_goes_on_without_it_and_the_rest_as_it_was() -> None:
    data = {"to": "jane@example.com", "n": 12345678901234567890}
    body = send(parts=[{"text": "write to jane@example.com"}, {"data": data}])
    _, found = open_gateway().ask("/a2a/travel", body, **V1)
    assert parts(found) == [
        {"text": "write to [EMAIL]"},
        {"data": {"to": "[EMAIL]", "n": 12345678901234567890}},
    ]


def test_a_guard_is_asked_about_its_agents_alone() -> None:
    _, found = open_gateway().ask("/a2a/hotels", send("jane@example.com"), **V1)
    assert isinstance(found, Direct)
    assert found.body is None
    _, found = open_gateway().ask("/a2a/travel", send("mercury"), **V1)
    assert isinstance(found, Direct)
    assert found.body is None


def test_over_http_what_is_masked_is_the_body() -> None:
    body = send("jane@example.com")["params"]
    _, found = open_gateway().ask("/a2a/travel/message:send", body, **V1)
    assert isinstance(found, Direct)
    assert json.loads(found.body or b"")["message"]["parts"] == [{"text": "[EMAIL]"}]
    assert set_headers(RequestBody(b""), found)[":path"] == "/rest/message:send"


@pytest.mark.parametrize(("path", "version"), [(GRPC, "1.0"), (OLD_GRPC, "0.3")])
def test_over_grpc_the_message_is_written_anew(path: str, version: str) -> None:
    cards = {"travel": card(**MODES)}
    yaml = """
a2a: {agents: {travel: {url: "http://travel:9999", grpc: "http://travel:50051"}}}
"""
    asked = Played(program(yaml + GUARDS, agents(**cards)))
    package = protobuf.V1_0 if version == "1.0" else protobuf.V0_3
    member = "parts" if version == "1.0" else "content"
    for text, is_sent in (("to jane@example.com", True), ("apollo", False), ("plain", True)):
        message = {"messageId": "m", "role": "ROLE_USER", member: [{"text": text}]}
        said = protobuf.encode(f"{package}SendMessageRequest", {"message": message}, [])
        body = grpc_frames.frame(said)
        _, found = asked.ask(path, body, a2a_version=version, content_type="application/grpc")
        if not is_sent:
            assert isinstance(found, Respond)
            assert ("grpc-status", "3") in found.headers
            continue
        assert isinstance(found, Direct)
        if text == "plain":
            assert found.body is None
            continue
        (told,) = grpc_frames.FrameDecoder().feed(found.body or b"")
        document: Any = protobuf.decode(f"{package}SendMessageRequest", told)
        assert document["message"][member] == [{"text": "to [EMAIL]"}]


def test_what_asks_about_tasks_is_not_read() -> None:
    cancel = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "apollo"}}
    _, found = open_gateway().ask("/a2a/travel", cancel, **V1)
    assert isinstance(found, Direct)


def test_metadata_of_what_is_cancelled_is_read() -> None:
    params = {"id": "t", "metadata": {"why": "apollo"}}
    cancel = {"jsonrpc": "2.0", "id": 1, "method": "CancelTask", "params": params}
    _, found = open_gateway().ask("/a2a/travel", cancel, **V1)
    assert isinstance(found, Respond)
    _, found = open_gateway().ask("/a2a/travel/tasks/t:cancel", b"", **V1)
    assert isinstance(found, Direct)


def test_what_is_masked_is_translated_so() -> None:
    place = {"url": "http://t/at", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}
    asked = Played(program(TWO + GUARDS, agents(travel=card(supportedInterfaces=[place], **MODES))))
    for _ in range(2):  # the first time, the card is asked for
        _, found = asked.ask("/a2a/travel", send("jane@example.com"), **V1)
    assert parts(found) == [{"kind": "text", "text": "[EMAIL]"}]
