"""What several servers say of themselves, as one, past the guards that read it."""

from __future__ import annotations

import pytest

from tests.kit.mcp_exchange import (
    LEGACY,
    MODERN,
    TWO,
    Fake,
    answer,
    error,
    fakes,
    modern,
    played,
    program,
    request,
)

GUARDED = """
guardrails:
  - {name: d, type: regex, patterns: [bad], phase: response, for: {mcp: a}}
  - {name: m, type: regex, patterns: [key], action: mask, phase: response, for: {mcp: "*"}}
"""


def initialize(yaml: str, *servers: Fake) -> str:
    of = program(yaml, fakes(*servers))
    said = answer(played(of).post(request("initialize", protocolVersion=LEGACY, capabilities={})))
    text = said.get("instructions", "")
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({}, "'protocolVersion' is no text"),
        ({"protocolVersion": 7}, "'protocolVersion' is no text"),
        ({"protocolVersion": LEGACY, "capabilities": []}, "'capabilities' is no object"),
        ({"protocolVersion": LEGACY, "clientInfo": "me"}, "'clientInfo' is no object"),
    ],
)
def test_a_greeting_that_is_none_is_told_no_server(params: dict[str, object], why: str) -> None:
    a, b = Fake("a"), Fake("b")
    said = error(played(program(TWO, fakes(a, b))).post(request("initialize", **params)))
    assert said == {"code": -32602, "message": f"invalid params: {why}"}
    assert [*a.methods(), *b.methods()] == []


def test_instructions_follow_each_other() -> None:
    assert initialize(TWO, Fake("a"), Fake("b")) == "# a\n\nAsk a.\n\n# b\n\nAsk b."


def test_instructions_that_are_blocked_are_left_out_and_others_masked() -> None:
    servers = Fake("a", instructions="so bad"), Fake("b", instructions="bad key")
    assert initialize(TWO + GUARDED, *servers) == "# b\n\nbad [redacted]"


def test_clients_without_sessions_are_told_the_same() -> None:
    of = program(TWO + GUARDED, fakes(Fake("a", instructions="so bad"), Fake("b")))
    headers = {"mcp_protocol_version": MODERN, "mcp_method": "server/discover"}
    said = answer(played(of, **headers).post(modern("server/discover")))
    assert said["instructions"] == "# b\n\nAsk b."


def test_without_servers_there_is_no_session() -> None:
    of = program(TWO, fakes())
    found = error(played(of).post(request("initialize", protocolVersion=LEGACY, capabilities={})))
    assert found["code"] == -32603
