"""Who reads one request, and its answer."""

from __future__ import annotations

import json
from typing import Any

from extproc.a2a.operations import Operation
from extproc.a2a.requests import A2aRequest
from extproc.a2a_exchange.described import call_of
from extproc.a2a_exchange.reading import read
from extproc.a2a_exchange.reviewing import Passed, Reviewing
from extproc.facts import Facts
from extproc.verdict import Deny
from gateway.a2a import Binding
from tests.kit.a2a_exchange import TWO, V1, agents, card, program, send
from tests.kit.mcp_exchange import NOW

GUARDS = """
guardrails:
  - {name: a, type: regex, patterns: [apollo], action: mask, phase: both, for: {a2a: travel}}
  - {name: b, type: regex, patterns: [hermes], for: {a2a: travel}}
"""


def reviewed(text: str, agent: str = "travel", yaml: str = GUARDS) -> tuple[Reviewing, Any, Any]:
    built = program(TWO + yaml, agents(travel=card()))
    assert built.a2a is not None
    headers = {name.replace("_", "-"): value for name, value in V1.items()}
    facts = Facts(now=NOW, method="POST", path=f"/a2a/{agent}", headers=headers)
    body = json.dumps(send(text)).encode()
    request = read(Binding.JSONRPC, facts, "", body)
    assert isinstance(request, A2aRequest)
    facts.a2a = call_of(request, agent)
    reviewing = Reviewing(built, built.a2a, facts)
    return reviewing, request, reviewing.sent(request, body, "")


def test_a_request_goes_on_as_guards_have_left_it() -> None:
    _, request, found = reviewed("hello")
    assert isinstance(found, Passed)
    assert (found.request is request, found.is_changed) == (True, False)
    _, _, found = reviewed("apollo")
    assert isinstance(found, Passed)
    assert found.is_changed
    assert found.request.message is not None
    assert found.request.message["parts"] == [{"text": "[redacted]"}]
    assert b"apollo" not in found.body
    assert isinstance(reviewed("hermes")[2], Deny)


def test_answers_are_for_those_who_read_them() -> None:
    reviewing, request, _ = reviewed("hello")
    assert reviewing.may_read(["hotels", "travel"])
    assert not reviewing.may_read(["hotels"])
    assert reviewing.answer(request, None) is not None
    others = (reviewed("hello", "hotels"), reviewed("hello", yaml=""))
    for nobody, asked, _ in others:
        assert nobody.answer(asked, None) is None
    assert request.operation is Operation.SEND
