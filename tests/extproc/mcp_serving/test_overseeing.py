"""Answers of MCP servers, past their guards."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.audits import uncounted
from extproc.events import CONTINUE, ChangeHeaders, Replace, Respond, ResponseHeaders, Watch
from extproc.facts import Facts, McpCall
from extproc.inquiring import Inquirer
from extproc.mcp_serving import overseeing
from extproc.mcp_serving.guarding import McpGuards
from extproc.mcp_serving.overseeing import AskedFor, OverseenAnswer, Overseers
from extproc.policies.authorize import Authorize
from gateway.guards import Guard, GuardAction, GuardTerms, Phase, RegexGuard
from gateway.model import Effect, Rule
from gateway.model import Phase as RulePhase
from gateway.scopes import Scope
from tests.kit.opinions import Webhooks, replacing, webhook_guard

TERMS = GuardTerms(Scope(mcp="*"), Phase.RESPONSE)
BLOCK = RegexGuard("block", ("bad",), GuardAction.BLOCK, "", "it is bad", TERMS)
MASK = RegexGuard("mask", ("secret",), GuardAction.MASK, "*", "", TERMS)
CALL = AskedFor("tools/call", b"1")
STREAM = AskedFor()
JSON, EVENTS = {"content-type": "application/json"}, {"content-type": "text/event-stream"}


def overseen(
    *guards: Guard,
    asked: AskedFor = CALL,
    inquirer: Inquirer | None = None,
    servers: tuple[str, ...] = ("a",),
) -> OverseenAnswer:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    facts = [Facts(now=now, mcp=McpCall("", each)) for each in servers]
    of = McpGuards(guards or (BLOCK, MASK), None, lambda texts: len(texts))
    overseers = Overseers(of, None, inquirer or Inquirer.of_nobody(), uncounted())
    return OverseenAnswer(overseers, facts, asked)


def ruled(*rules: Rule, asked: AskedFor = CALL, tool: str = "add") -> OverseenAnswer:
    """By rules alone."""
    late = Authorize(rules, phase=RulePhase.RESPONSE)
    facts = Facts(now=datetime(2026, 11, 26, tzinfo=UTC), mcp=McpCall("tools/call", "a", tool))
    overseers = Overseers(None, late, Inquirer.of_nobody(), uncounted())
    return OverseenAnswer(overseers, [facts], asked)


def denying(expression: str, server: str = "a") -> Rule:
    scope, phase = Scope(mcp=server), RulePhase.RESPONSE
    return Rule("no-secrets", scope, Effect.DENY, expression, phase=phase)


def begun(of: OverseenAnswer, headers: dict[str, str], status: int = 200) -> OverseenAnswer:
    assert isinstance(of.begins(ResponseHeaders(status, "", headers=headers)), Watch)
    return of


def taken(of: OverseenAnswer, data: bytes, *, is_end: bool = True) -> bytes:
    found = of.take(data, is_end=is_end)
    assert isinstance(found, Replace)
    return found.body


def result(text: str, identity: object = 1) -> dict[str, object]:
    content = [{"type": "text", "text": text}]
    return {"jsonrpc": "2.0", "id": identity, "result": {"content": content}}


def encoded(message: object) -> bytes:
    return json.dumps(message).encode()


def event(message: object, more: bytes = b"") -> bytes:
    return more + b"data: " + encoded(message) + b"\n\n"


def told(events: bytes) -> list[Any]:
    return [
        json.loads(line.removeprefix(b"data: "))
        for line in events.split(b"\n")
        if line.startswith(b"data: {")
    ]


def test_an_answer_waits_until_it_is_whole() -> None:
    of = begun(overseen(), JSON)
    body = encoded(result("fine"))
    assert taken(of, body[:20], is_end=False) == b""
    assert not of.is_over
    assert taken(of, body[20:]) == body
    assert of.is_over


def test_what_is_masked_is_valid_and_the_rest_stays() -> None:
    said = taken(begun(overseen(), JSON), encoded(result("a secret")))
    assert json.loads(said) == result("a *")


def test_a_result_that_is_blocked_is_a_failed_one_that_models_can_read() -> None:
    said = json.loads(taken(begun(overseen(), JSON), encoded(result("bad"))))
    assert said["result"] == {
        "content": [{"type": "text", "text": "it is bad (guard 'block')"}],
        "isError": True,
        "_meta": {"dragoman/denied": "content_policy_violation"},
    }
    modern = AskedFor("tools/call", b"1", is_modern=True)
    said = json.loads(taken(begun(overseen(asked=modern), JSON), encoded(result("bad"))))
    assert said["result"]["resultType"] == "complete"


@pytest.mark.parametrize(
    "asked", [AskedFor("prompts/get", b'"x"'), AskedFor("tools/call", b'"x"', is_task=True)]
)
def test_of_all_else_it_is_an_error(asked: AskedFor) -> None:
    said = json.loads(taken(begun(overseen(asked=asked), JSON), encoded(result("bad", "x"))))
    assert said["id"] == "x"
    assert said["error"] == {
        "code": -32003,
        "message": "it is bad (guard 'block')",
        "data": {"code": "content_policy_violation"},
    }


@pytest.mark.parametrize("body", [b"[]", b"no json", b'{"id":1,"id":2}', b""])
def test_what_cannot_be_read_is_withheld(body: bytes) -> None:
    said = taken(begun(overseen(), JSON), body)
    if body:
        assert json.loads(said)["result"]["isError"]
    else:
        assert said == b""


def test_errors_of_servers_are_read() -> None:
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "bad"}}
    said = json.loads(taken(begun(overseen(), JSON, 400), encoded(error)))
    assert said["result"]["isError"]


def test_what_has_nothing_to_read_passes() -> None:
    for status, headers in ((202, JSON), (200, JSON | {"content-length": "0"}), (404, {})):
        of = overseen()
        assert of.begins(ResponseHeaders(status, "", headers=headers)) is CONTINUE
        assert of.is_over
    of = overseen()
    changed = of.begins(ResponseHeaders(404, "", headers={}), ((":status", "200"),))
    assert changed == ChangeHeaders(((":status", "200"),))


def test_what_is_coded_is_refused() -> None:
    of = overseen()
    said = of.begins(ResponseHeaders(200, "", headers=JSON | {"content-encoding": "br"}))
    assert isinstance(said, Respond)
    assert json.loads(said.body)["error"]["data"] == {"code": "unreadable_answer"}
    assert of.is_over


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overseeing, "LARGEST_BYTES", 100)
    of = begun(overseen(), JSON)
    said = taken(of, b"{" + b" " * 60, is_end=False) + taken(of, b" " * 60, is_end=False)
    assert json.loads(said)["error"]["data"] == {"code": "answer_too_large"}
    assert taken(of, b"the rest") == b""
    of = begun(overseen(), EVENTS)
    said = taken(of, b"data: " + b"x" * 100, is_end=False)
    assert told(said)[0]["error"]["data"] == {"code": "answer_too_large"}
    assert taken(of, event(result("fine"))) == b""


FINE = (
    b": ping\n\n"
    + event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}})
    + event(result("fine"), b"id: 7\nevent: message\nretry: 3\n")
)


@given(st.lists(st.integers(0, len(FINE)), max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_that_are_fine_pass_byte_for_byte_however_they_are_cut(
    cuts: list[int], line_end: bytes
) -> None:
    text = FINE.replace(b"\n", line_end)
    of = begun(overseen(), EVENTS)
    places = [0, *sorted(min(each, len(text)) for each in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    said = b"".join(taken(of, each, is_end=False) for each in pieces) + taken(of, b"")
    assert said == text


@given(st.lists(st.integers(0, 400), max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_nothing_that_is_masked_is_seen_however_it_is_cut(cuts: list[int], line_end: bytes) -> None:
    text = (b"\xef\xbb\xbf" + event(result("a secret")) + event(result("secret"))).replace(
        b"\n", line_end
    )
    of = begun(overseen(), EVENTS)
    places = [0, *sorted(min(each, len(text)) for each in cuts), len(text)]
    said = b"".join(taken(of, text[a:b], is_end=False) for a, b in pairwise(places)) + taken(
        of, b""
    )
    assert b"secret" not in said
    assert said.count(b"*") == 2


def test_what_does_not_end_is_read_too() -> None:
    of = begun(overseen(), EVENTS)
    assert told(taken(of, b"data: " + encoded(result("a secret")))) == [result("a *")]


def test_many_lines_that_end_no_event_are_read_once() -> None:
    """And not with each of its pieces anew."""
    of = overseen()
    of.begins(ResponseHeaders(200, "", headers=EVENTS))
    piece = b"".join(b"data: %s\n" % (b" " * 60) for _ in range(16))
    begun = time.process_time()
    for _ in range(8_000):
        assert of.take(piece, is_end=False) == Replace(b"")
    last = of.take(b'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n', is_end=True)
    assert isinstance(last, Replace)
    assert len(last.body) > 8_000_000
    assert time.process_time() - begun < 5


def test_data_in_several_lines_is_one_message() -> None:
    of = begun(overseen(), EVENTS)
    body = encoded(result("bad"))
    lines = b'data: {"jsonrpc": "2.0",\ndata:' + body.removeprefix(b'{"jsonrpc": "2.0",')
    assert told(taken(of, lines + b"\n\n"))[0]["result"]["isError"]


def test_notifications_that_may_not_go_on_are_left_out() -> None:
    of = begun(overseen(), EVENTS)
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "bad"}}
    said = taken(of, event(note) + event(result("fine")))
    assert told(said) == [result("fine")]


def test_a_question_that_may_not_be_asked_ends_the_call() -> None:
    of = begun(overseen(), EVENTS)
    question = {"jsonrpc": "2.0", "id": 9, "method": "elicitation/create"}
    said = taken(of, event(question | {"params": {"message": "bad"}}), is_end=False)
    (answer,) = told(said)
    assert answer["id"] == 1
    assert answer["result"]["isError"]
    assert taken(of, event(result("fine"))) == b""


def test_in_a_stream_without_a_request_it_is_left_out() -> None:
    of = begun(overseen(asked=STREAM), EVENTS)
    question = {"jsonrpc": "2.0", "id": 9, "method": "elicitation/create"}
    said = taken(of, event(question | {"params": {"message": "bad"}}), is_end=False)
    assert told(said) == []
    resumed = told(taken(of, event(result("bad", 4)) + event(result("fine", 5))))
    assert [each["id"] for each in resumed] == [4, 5]
    assert "error" in resumed[0]


def test_events_that_are_no_messages_are_left_out() -> None:
    of = begun(overseen(), EVENTS)
    assert taken(of, b"event: other\ndata: bad\n\n") == b""


def test_guards_of_each_server_read_what_may_be_its_own() -> None:
    one = RegexGuard(
        "b", ("bad",), GuardAction.MASK, "*", "", GuardTerms(Scope(mcp="b"), Phase.RESPONSE)
    )
    of = begun(overseen(one, MASK, asked=STREAM, servers=("a", "b")), EVENTS)
    assert told(taken(of, event(result("bad secret")))) == [result("* *")]


def test_pieces_wait_for_services_in_order() -> None:
    hooks = Webhooks({"hook": replacing("bad", "good")})
    of = begun(overseen(webhook_guard("hook", terms=TERMS), inquirer=hooks.inquirer), EVENTS)

    async def all_of_it() -> list[bytes]:
        pieces = [event(result("bad")), b": ping\n\n", event(result("fine", 2))]
        found = [of.take(each, is_end=each is pieces[-1]) for each in pieces]
        assert all(isinstance(each, Awaitable) for each in found)
        assert not of.is_over
        said = await asyncio.gather(*(each for each in found if isinstance(each, Awaitable)))
        return [each.body for each in said if isinstance(each, Replace)]

    first, second, third = asyncio.run(all_of_it())
    assert told(first) == [result("good")]
    assert second == b": ping\n\n"
    assert told(third) == [result("fine", 2)]
    assert of.is_over


def test_a_service_that_says_nothing_is_an_error() -> None:
    hook = webhook_guard("hook", terms=TERMS)
    of = overseen(hook)
    said = json.loads(asyncio.run(of.whole(encoded(result("x")))))
    assert said["error"]["code"] == -32006


# --- rules of results ----------------------------------------------------------------------


def test_a_rule_reads_what_a_call_comes_to() -> None:
    rule = denying('mcp.tool == "add" && mcp.result.content[0].text.contains("secret")')
    text = encoded(result("fine"))
    assert taken(begun(ruled(rule), JSON), text) == text
    denied = json.loads(taken(begun(ruled(rule), JSON), encoded(result("a secret"))))
    assert denied["result"]["isError"]
    said = denied["result"]["content"][0]["text"]
    assert said == "the response is denied by 'no-secrets'"
    other = ruled(rule, tool="echo")
    assert b"a secret" in taken(begun(other, JSON), encoded(result("a secret")))


def test_a_rule_that_cannot_be_evaluated_refuses() -> None:
    rule = denying("mcp.result.structuredContent.total > 5")
    assert json.loads(taken(begun(ruled(rule), JSON), encoded(result("x"))))["result"]["isError"]


def test_a_rule_reads_the_status_and_headers_of_the_answer() -> None:
    rule = denying('response.status == 200 && "x-stage" in response.headers')
    text = encoded(result("fine"))
    assert taken(begun(ruled(rule), JSON), text) == text
    assert b"isError" in taken(begun(ruled(rule), {**JSON, "x-stage": "1"}), text)
    assert asyncio.run(ruled(denying("response.status != 200")).whole(text)) == text


def test_rules_judge_results_and_nothing_else() -> None:
    rule = denying("true")
    for message in (
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}},
        {"jsonrpc": "2.0", "id": 5, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {}},
    ):
        assert taken(begun(ruled(rule), JSON), encoded(message)) == encoded(message)
    of = begun(ruled(rule), EVENTS)
    question = event({"jsonrpc": "2.0", "id": 5, "method": "ping"})
    assert taken(of, question, is_end=False) == question
    assert b"isError" in taken(of, event(result("x")))


def test_a_result_in_a_stream_that_was_taken_up_again_is_refused_where_rules_would_judge_it() -> (
    None
):
    text = event(result("x"))
    assert b"taken up again" in taken(begun(ruled(denying("true"), asked=STREAM), EVENTS), text)
    others = ruled(denying("true", "b"), asked=STREAM)
    assert taken(begun(others, EVENTS), text) == text
