"""The guards of MCP, asked about messages."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from extproc.facts import Facts, McpCall
from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp_serving.guarding import McpGuards, read
from extproc.policies.inquiry import Inquiry
from extproc.verdict import Deny
from gateway.guards import (
    DetectionAction,
    DetectionGuard,
    Guard,
    GuardAction,
    GuardTerms,
    LengthGuard,
    Phase,
    RegexGuard,
    TextScope,
)
from gateway.kinds import Kind
from gateway.scopes import Mode, Scope
from tests.kit.opinions import Webhooks, objecting, webhook_guard


def terms(**more: Any) -> GuardTerms:
    return GuardTerms(**{"scope": Scope(mcp="a"), **more})


def regex(pattern: str = "bad", *, is_mask: bool = False, **more: Any) -> RegexGuard:
    action = GuardAction.MASK if is_mask else GuardAction.BLOCK
    return RegexGuard("r", (pattern,), action, "*", "no", terms(**more))


def guards(*of: Guard) -> McpGuards:
    return McpGuards(of, None, lambda texts: sum(map(len, texts)))


def facts(server: str = "a") -> Facts:
    return Facts(now=datetime(2026, 11, 26, tzinfo=UTC), mcp=McpCall("tools/call", server))


def sent(**arguments: object) -> Message:
    params = {"name": "t", "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    found = messages.read(json.dumps(body).encode())
    assert isinstance(found, Message)
    return found


def said(of: McpGuards, text: str) -> object:
    result = {"content": [{"type": "text", "text": text}]}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    document = read(body)
    assert not isinstance(document, Deny)
    return of.said(facts(), body, document)


def test_only_those_are_asked_that_are_for_the_server_and_the_phase() -> None:
    of = guards(regex())
    assert of.reads_requests(facts("a"))
    assert not of.reads_requests(facts("b"))
    assert not of.reads_answers(facts("a"))
    late = guards(regex(phase=Phase.RESPONSE))
    assert late.reads_answers(facts("a"))
    assert not late.reads_requests(facts("a"))
    assert not late.reads_answers(facts("b"))


def test_arguments_are_refused_or_masked_at_any_depth() -> None:
    assert isinstance(guards(regex()).sent(facts(), sent(a=[{"b": "so bad"}])), Deny)
    message = sent(a="fine")
    assert guards(regex()).sent(facts(), message) is message
    masked = guards(regex(is_mask=True)).sent(facts(), sent(a=[{"b": "so bad"}], n=1))
    assert isinstance(masked, Message)
    assert masked.arguments == {"a": [{"b": "so *"}], "n": 1}


def test_keys_are_read_and_cannot_be_masked() -> None:
    assert isinstance(guards(regex(is_mask=True)).sent(facts(), sent(bad=1)), Deny)


def test_numbers_are_read_as_they_are_spelled() -> None:
    masked = guards(regex("4111", is_mask=True)).sent(facts(), sent(card=41117))
    assert isinstance(masked, Message)
    assert masked.arguments == {"card": "*7"}


def test_answers_of_clients_are_read() -> None:
    body = b'{"jsonrpc":"2.0","id":"x","result":{"action":"accept","content":{"name":"bad"}}}'
    message = messages.read(body)
    assert isinstance(message, Message)
    assert isinstance(guards(regex()).sent(facts(), message), Deny)


def test_results_are_refused_or_masked() -> None:
    assert isinstance(said(guards(regex(phase=Phase.RESPONSE)), "bad"), Deny)
    masked = said(guards(regex(phase=Phase.RESPONSE, is_mask=True)), "so bad")
    assert isinstance(masked, bytes)
    assert json.loads(masked)["result"]["content"][0]["text"] == "so *"


def test_arguments_are_tool_input_and_results_tool_output() -> None:
    wrong = regex(phase=Phase.BOTH, texts=frozenset({TextScope.TOOL_OUTPUT}))
    message = sent(a="bad")
    assert guards(wrong).sent(facts(), message) is message
    assert isinstance(said(guards(wrong), "bad"), Deny)


def test_audit_changes_nothing() -> None:
    message = sent(a="bad")
    assert guards(regex(mode=Mode.AUDIT)).sent(facts(), message) is message


def test_lengths_of_answers_are_judged() -> None:
    long = LengthGuard("l", 10, "", terms(phase=Phase.BOTH))
    denied = said(guards(long), "x" * 11)
    assert isinstance(denied, Deny)
    assert denied.code == "text_too_long"
    assert isinstance(said(guards(long), "x" * 10), bytes)


def test_services_are_asked() -> None:
    hooks = Webhooks({"hook": objecting("bad")})
    of = guards(webhook_guard("hook", terms=terms(phase=Phase.BOTH)))

    async def settled(text: str) -> tuple[object, object]:
        asked, told = of.sent(facts(), sent(a=text)), said(of, text)
        assert isinstance(asked, Inquiry)
        assert isinstance(told, Inquiry)
        inquirer = hooks.inquirer
        return await inquirer.settled(asked), await inquirer.settled(told)

    assert all(isinstance(each, Deny) for each in asyncio.run(settled("so bad")))
    passed = asyncio.run(settled("fine"))
    assert isinstance(passed[0], Message)
    assert isinstance(passed[1], bytes)


def test_what_cannot_be_read_is_refused() -> None:
    for text in (b"[]", b"{", b'{"a":1,"a":2}', b"\xff"):
        assert isinstance(read(text), Deny)


def test_what_says_nothing_passes() -> None:
    for body in (
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","id":1,"method":"of/others"}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
    ):
        message = messages.read(body)
        assert isinstance(message, Message)
        assert guards(regex()).sent(facts(), message) is message


def tokenising(**more: Any) -> DetectionGuard:
    kinds = (Kind.EMAIL,)
    return DetectionGuard("p", "pii", kinds, (), DetectionAction.TOKENISE, {}, "", terms(**more))


def told(of: McpGuards, about: Facts, result: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    document = read(body)
    assert not isinstance(document, Deny)
    found = of.said(about, body, document)
    assert isinstance(found, bytes)
    return json.loads(found)["result"]


def test_values_of_arguments_are_put_back_into_the_result() -> None:
    of, about = guards(tokenising()), facts()
    passed = of.sent(about, sent(to="ann@example.com", cc=["bob@example.com", "ann@example.com"]))
    assert isinstance(passed, Message)
    assert passed.arguments == {"to": "<EMAIL_1>", "cc": ["<EMAIL_2>", "<EMAIL_1>"]}
    result = {
        "content": [{"type": "text", "text": "sent to <EMAIL_2>, not to <EMAIL_3>"}],
        "structuredContent": {"to": ["<EMAIL_1>"], "json": '{"to":"<EMAIL_1>"}'},
    }
    assert told(of, about, result) == {
        "content": [{"type": "text", "text": "sent to bob@example.com, not to <EMAIL_3>"}],
        "structuredContent": {"to": ["ann@example.com"], "json": '{"to":"ann@example.com"}'},
    }


def test_answers_are_read_only_where_something_was_replaced() -> None:
    of, about = guards(tokenising()), facts()
    assert of.may_read_answers(about)
    assert not of.may_read_answers(facts("b"))
    of.sent(about, sent(to="nobody"))
    assert not of.reads_answers(about)
    of.sent(about, sent(to="ann@example.com"))
    assert of.reads_answers(about)


def test_other_guards_of_answers_see_tokens() -> None:
    late = regex("ann@", phase=Phase.RESPONSE)
    of, about = guards(tokenising(), late), facts()
    of.sent(about, sent(to="ann@example.com"))
    result = {"content": [{"type": "text", "text": "to <EMAIL_1>"}]}
    assert told(of, about, result)["content"][0]["text"] == "to ann@example.com"


def test_what_has_no_answer_is_masked() -> None:
    """Tokens of one exchange stand for other values in another."""
    body = {"jsonrpc": "2.0", "id": "q", "result": {"content": {"mail": "ann@example.com"}}}
    message = messages.read(json.dumps(body).encode())
    assert isinstance(message, Message)
    about = facts()
    passed = guards(tokenising()).sent(about, message)
    assert isinstance(passed, Message)
    assert json.loads(passed.body)["result"] == {"content": {"mail": "[EMAIL]"}}
    assert about.tokens is None
