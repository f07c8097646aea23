"""How clients of each revision are told of a link, and what they bring back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.mcp import eliciting, messages
from extproc.mcp.eliciting import Link, Way
from extproc.mcp.messages import Message

LINK = Link("github", "https://gateway.example/x", "n1", "sealed")
URL, FORM = b'{"elicitation":{"url":{}}}', b'{"elicitation":{}}'


def message(method: str = "tools/call", **params: Any) -> Message:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"name": "t", **params}}
    found = messages.read(json.dumps(body).encode())
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize(
    ("revision", "capabilities", "is_modern", "expected"),
    [
        ("2026-07-28", URL, True, Way.ROUND),
        ("2026-07-28", FORM, True, Way.TEXT),
        ("2025-11-25", URL, False, Way.ERROR),
        ("2025-11-25", FORM, False, Way.TEXT),
        ("2025-11-25", b"{}", False, Way.TEXT),
        ("2025-06-18", URL, False, Way.TEXT),
        ("2025-11-25", b"[]", False, Way.TEXT),
        ("2025-11-25", b'{"elicitation":5}', False, Way.TEXT),
    ],
)
def test_links_are_told_to_those_alone_that_open_them(
    revision: str, capabilities: bytes, is_modern: bool, expected: Way
) -> None:
    assert eliciting.way(revision, capabilities, is_modern=is_modern) is expected


def test_clients_of_2025_get_the_error_that_names_the_link() -> None:
    error = json.loads(eliciting.asking(message(), Way.ERROR, LINK, is_modern=False))["error"]
    assert error["code"] == -32042
    (one,) = error["data"]["elicitations"]
    assert one == {
        "mode": "url",
        "elicitationId": "n1",
        "url": "https://gateway.example/x",
        "message": LINK.message,
    }
    assert "http" not in LINK.message


def test_clients_of_2026_get_a_result_that_asks_for_input() -> None:
    said = json.loads(eliciting.asking(message(), Way.ROUND, LINK, is_modern=True))["result"]
    (question,) = said["inputRequests"].values()
    assert question["method"] == "elicitation/create"
    assert set(question["params"]) == {"mode", "url", "message"}
    assert (said["resultType"], said["requestState"]) == ("input_required", "dmc.sealed")
    waiting = json.loads(eliciting.waiting(message(), "sealed"))["result"]
    assert waiting == {"resultType": "input_required", "requestState": "dmc.sealed"}


def test_others_are_told_by_text() -> None:
    said = json.loads(eliciting.asking(message(), Way.TEXT, LINK, is_modern=True))["result"]
    assert said["isError"]
    assert LINK.url in said["content"][0]["text"]
    assert said["resultType"] == "complete"
    error = eliciting.asking(message("prompts/get"), Way.TEXT, LINK, is_modern=False)
    assert json.loads(error)["error"]["data"] == {"code": "consent_needed"}


def test_what_is_brought_back_goes_no_further() -> None:
    answers = {"consent": {"action": "accept"}}
    asked = message(requestState="dmc.sealed", inputResponses=answers, arguments={"a": 1})
    found = eliciting.returned(asked)
    assert found is not None
    assert (found.sealed, found.is_declined) == ("sealed", False)
    assert json.loads(found.message.body)["params"] == {"name": "t", "arguments": {"a": 1}}
    assert found.message.raw_id == b"7"
    for action in ("decline", "cancel"):
        said = message(requestState="dmc.s", inputResponses={"consent": {"action": action}})
        back = eliciting.returned(said)
        assert back is not None
        assert back.is_declined


@pytest.mark.parametrize(
    "asked",
    [message(), message(requestState="dmr.x"), message("tools/list", requestState="dmc.x")],
)
def test_what_is_others_stays(asked: Message) -> None:
    assert eliciting.returned(asked) is None
