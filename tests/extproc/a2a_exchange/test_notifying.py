"""Notifications of agents, on their way to clients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest

from extproc.a2a_exchange.exchange import A2aExchange
from extproc.events import Action, Direct, RequestBody, RequestHeaders, Respond
from tests.extproc.a2a_exchange.test_pushing import CREATE, HOOK, PUSH, anywhere, call, echoing
from tests.kit.a2a_exchange import KEYED, V1, Played, agents, card, program
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, set_headers

TASK = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
BODY = RequestBody(b"")


def told(yaml: str = PUSH) -> tuple[Played, str, str]:
    """A gateway, and the address and the token that the agent was told."""
    peers = echoing()
    gateway = Played(program(yaml, peers, resolve=anywhere))
    gateway.ask(
        "/a2a/travel", call(CREATE, {"taskId": "t", **HOOK}), authorization="Bearer sk-ann", **V1
    )
    said = json.loads(peers.asked[-1][1].body)["params"]
    return gateway, said["url"].removeprefix("https://gw"), said["token"]


def test_a_notification_goes_to_the_client_and_nobody_is_asked_who_the_agent_is() -> None:
    gateway, path, token = told(PUSH + KEYED)
    exchange, action = gateway.ask(path, {"task": TASK}, x_a2a_notification_token=token)
    assert isinstance(action, Direct)
    headers = set_headers(BODY, action)
    assert headers["x-dragoman-a2a"] == "webhooks/https"
    assert action.address == "8.8.8.8:443"
    assert (headers[":authority"], headers[":path"]) == ("client", "/hook")
    assert headers["authorization"] == "Bearer secret"
    assert headers["x-a2a-notification-token"] == "tok"
    assert action.body is None
    assert exchange.is_over


def test_a_client_of_another_revision_is_told_in_its_words() -> None:
    gateway, path, token = told()
    old = {"kind": "task", "id": "t", "contextId": "c", "status": {"state": "working"}}
    _, action = gateway.ask(path, old, x_a2a_notification_token=token)
    assert isinstance(action, Direct)
    assert json.loads(action.body or b"")["task"]["status"]["state"] == "TASK_STATE_WORKING"


@pytest.mark.parametrize(
    ("body", "status"), [({"task": {**TASK, "id": "u"}}, 403), ({}, 400), (b"{", 400)]
)
def test_what_is_no_notification_of_the_task_is_refused(body: object, status: int) -> None:
    gateway, path, token = told()
    _, action = gateway.ask(path, body, x_a2a_notification_token=token)
    assert isinstance(action, Respond)
    assert action.status == status


def test_who_does_not_show_what_the_agent_was_told_is_refused() -> None:
    gateway, path, token = told()
    for place, shown, status in (
        (path[:-4], token, 404),
        (path.replace("travel", "hotels"), token, 404),
        ("/a2a/.push", token, 404),
        ("/a2a/.push/travel", token, 404),
        (path, "", 401),
        (path, "wrong", 401),
    ):
        _, action = gateway.ask(place, {"task": TASK}, x_a2a_notification_token=shown)
        assert isinstance(action, Respond), place
        assert action.status == status
    _, action = gateway.ask(path, method="GET", x_a2a_notification_token=token)
    assert isinstance(action, Respond)
    assert action.status == 405


def test_without_a_word_in_the_configuration_there_is_no_such_place() -> None:
    without = PUSH.replace('  push: {url: "https://gw"}\n', "")
    _, path, token = told()
    gateway = Played(program(without, agents(travel=card())))
    _, action = gateway.ask(path, {"task": TASK}, x_a2a_notification_token=token)
    assert isinstance(action, Respond)
    assert action.status == 404


def test_a_client_who_has_moved_inside_is_not_called() -> None:
    async def inside(host: str, port: int) -> Sequence[str]:
        return ("169.254.169.254",)

    _, path, token = told()
    gateway = Played(program(PUSH, agents(travel=card()), resolve=inside))
    _, action = gateway.ask(path, {"task": TASK}, x_a2a_notification_token=token)
    assert isinstance(action, Respond)
    assert (action.status, action.details) == (502, "dragoman_webhook_unreachable")


def test_some_day_it_is_over() -> None:
    gateway, path, token = told()
    exchange = A2aExchange(gateway.of, NOW + timedelta(days=31), LIMIT_BYTES)
    head = {":method": "POST", ":path": path, "x-a2a-notification-token": token}
    action = gateway.said(exchange.on_event(RequestHeaders(head, False)))
    assert isinstance(action, Respond)
    assert action.status == 410


def test_a_body_that_is_too_large_is_refused() -> None:
    gateway, path, token = told()
    exchange = A2aExchange(gateway.of, NOW, 10)
    head = {":method": "POST", ":path": path, "x-a2a-notification-token": token}
    gateway.said(exchange.on_event(RequestHeaders(head, False)))
    action: Action = gateway.said(exchange.on_event(RequestBody(b"x" * 11)))
    assert isinstance(action, Respond)
    assert action.status == 413


GUARDED = """
guardrails:
  - {name: a, type: pii, kinds: [email], action: mask, phase: response, for: {a2a: travel}}
  - {name: b, type: regex, patterns: [apollo], phase: response, for: {a2a: travel}}
  - {name: c, type: regex, patterns: [hermes], phase: request, for: {a2a: travel}}
authorize:
  - {name: r, for: {a2a: travel}, phase: response, deny: 'a2a.task_state == "TASK_STATE_FAILED"'}
"""


@pytest.mark.parametrize(
    ("text", "state", "status", "said"),
    [
        ("hermes", "WORKING", 0, ""),
        ("to jane@example.com", "WORKING", 0, "to [EMAIL]"),
        ("apollo", "WORKING", 400, ""),
        ("hello", "FAILED", 403, ""),
    ],
)
def test_what_is_told_is_read_as_answers_are(text: str, state: str, status: int, said: str) -> None:
    gateway, path, token = told(PUSH + GUARDED)
    message = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": text}]}
    event = {"taskId": "t", "status": {"state": f"TASK_STATE_{state}", "message": message}}
    _, action = gateway.ask(path, {"statusUpdate": event}, x_a2a_notification_token=token)
    if status:
        assert isinstance(action, Respond)
        assert action.status == status
        return
    assert isinstance(action, Direct)
    if not said:
        assert action.body is None
        return
    found = json.loads(action.body or b"")["statusUpdate"]["status"]["message"]
    assert found["parts"] == [{"text": said}]


CALLERS = """
identity:
  api_keys:
    keys:
      - name: ann
        key: sk-ann
        user: ann@example.com
        team: red
        groups: [staff]
        tags: {tier: gold}
      - {name: bob, key: sk-bob, user: bob@example.com, team: blue}
guardrails:
  - {name: own, type: pii, kinds: [email], action: mask, phase: response, for: {WHO, a2a: travel}}
authorize:
  - name: staff
    for: {a2a: travel}
    phase: response
    require: '"staff" in principal.groups && principal.tags["tier"] == "gold"'
"""


@pytest.mark.parametrize(
    ("who", "is_read"),
    [
        ("key: ann", True),
        ("user: ann@example.com", True),
        ("team: red", True),
        ("team: blue", False),
        ("key: bob", False),
    ],
)
def test_what_is_for_a_caller_reads_what_goes_to_that_caller(who: str, is_read: bool) -> None:
    gateway, path, token = told(PUSH + CALLERS.replace("WHO", who))
    message = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "to jane@example.com"}]}
    event = {"taskId": "t", "status": {"state": "TASK_STATE_WORKING", "message": message}}
    for _ in range(2):
        shown = {"x_a2a_notification_token": token}
        _, action = gateway.ask(path, {"statusUpdate": event}, **shown)
        assert isinstance(action, Direct)
        assert (b"[EMAIL]" in (action.body or b"")) is is_read


def test_rules_of_answers_know_who_asked_to_be_called() -> None:
    yaml = PUSH + CALLERS.replace("WHO", "key: bob").replace("groups: [staff]", "groups: [guests]")
    gateway, path, token = told(yaml)
    _, action = gateway.ask(path, {"task": TASK}, x_a2a_notification_token=token)
    assert isinstance(action, Respond)
    assert action.status == 403
