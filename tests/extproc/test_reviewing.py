"""Plain routes whose requests guards read, from the headers to what goes on."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable
from datetime import UTC, datetime

import pytest

from extproc.audits import Audits
from extproc.events import (
    CONTINUE,
    Action,
    Forward,
    Reading,
    RequestBody,
    RequestHeaders,
    Respond,
    Strip,
)
from extproc.exchange import NO_LIMIT, Exchange
from extproc.inquiring import Inquirer
from extproc.policies.remote.words import Stamp
from extproc.ports import Answered, Asked, Posted, Returned
from extproc.program import Program, build
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2030, 1, 1, tzinfo=UTC)
YAML = """
identity: {api_keys: {keys: [{name: ann, key: k-ann}, {name: bob, key: k-bob, team: b}]}}
authorize: [{name: no-bob, for: {route: ruled}, deny: principal.team == "b"}]
routes:
  - {name: open, match: {path: {prefix: /o}}, backend: "http://o.example", auth: none}
  - {name: ruled, match: {path: {prefix: /r}}, backend: "http://r.example", auth: key}
  - {name: free, match: {path: {prefix: /f}}, backend: "http://f.example", auth: key}
guardrails:
  - {name: words, type: regex, patterns: [bad], for: {route: open}}
  - {name: anns, type: regex, patterns: [card], action: mask, replacement: "[c]",
     for: {route: "*", key: ann}}
  - {name: short, type: max_length, characters: 50, for: {route: open}}
  - {name: masks, type: regex, patterns: [card], action: mask, replacement: "[c]",
     for: {route: open}}
"""
JSON = "application/json"
READ = Reading(is_answered=False, is_to_the_end=False)


class Service:
    """One that objects to what is bad."""

    async def post(self, service: str, posted: Posted, timeout_seconds: float) -> Returned:
        texts = [each["text"] for each in json.loads(posted.body)["texts"]]
        verdict = "block" if any("bad" in text for text in texts) else "pass"
        return Returned(200, json.dumps({"verdict": verdict}).encode())

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        raise NotImplementedError


def program(text: str = YAML, audits: Audits | None = None) -> Program:
    config = load(text, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    return build(
        resolve(config),
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=1,
        audits=audits,
        inquirer=Inquirer(Service(), lambda: Stamp("m", 1)),
    )


def settled(action: Action | Awaitable[Action]) -> Action:
    async def wait(action: Awaitable[Action]) -> Action:
        return await action

    return asyncio.run(wait(action)) if isinstance(action, Awaitable) else action


def begun(
    route: str, path: str, *, body: bool = True, limit: int = 1 << 20, **headers: str
) -> tuple[Exchange, Action]:
    exchange = Exchange(program(), NOW, route, limit)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    method = "POST" if body else "GET"
    event = RequestHeaders({":method": method, ":path": path, **named}, not body)
    return exchange, settled(exchange.on_event(event))


def refused(action: Action) -> tuple[int, str]:
    assert isinstance(action, Respond), action
    return action.status, json.loads(action.body)["error"]["code"]


def test_a_body_is_waited_for_and_goes_on_as_it_came() -> None:
    exchange, action = begun("open", "/o", content_type=JSON)
    assert (action, exchange.is_over) == (Strip((), reading=READ), False)
    assert exchange.on_event(RequestBody(b'{"a": "good"}')) is CONTINUE
    assert exchange.is_over


def test_what_a_guard_objects_to_is_forbidden() -> None:
    exchange, _ = begun("open", "/o", content_type=JSON)
    action = settled(exchange.on_event(RequestBody(b'{"a": ["b\\u0061d"]}')))
    assert refused(action) == (403, "content_policy_violation")
    assert isinstance(action, Respond)
    assert b"'words'" in action.body
    assert exchange.is_over


def test_what_is_masked_goes_on_masked_in_body_and_query() -> None:
    exchange, _ = begun("open", "/o?q=my+card", content_type="application/x-www-form-urlencoded")
    action = settled(exchange.on_event(RequestBody(b"a=card&b=c")))
    path = (":path", "/o?q=my%20%5Bc%5D")
    assert action == Forward(b"", b"a=%5Bc%5D&b=c", (path,))


def test_a_query_is_read_where_there_is_no_body() -> None:
    exchange, action = begun("open", "/o?q=bad", body=False)
    assert refused(action) == (403, "content_policy_violation")
    exchange, action = begun("open", "/o?q=card", body=False)
    assert action == Strip((), (), ((":path", "/o?q=%5Bc%5D"),))
    assert exchange.is_over


@pytest.mark.parametrize("content_type", ["image/png", "application/grpc"])
def test_what_is_not_read_is_not_waited_for(content_type: str) -> None:
    exchange, action = begun("open", "/o", content_type=content_type)
    assert (action, exchange.is_over) == (CONTINUE, True)


def test_a_length_is_that_of_all_texts() -> None:
    exchange, _ = begun("open", "/o", content_type="text/plain")
    action = settled(exchange.on_event(RequestBody(b"x" * 51)))
    assert refused(action) == (400, "text_too_long")


def test_a_body_goes_on_without_the_coding_in_which_it_was_read() -> None:
    exchange, action = begun("open", "/o", content_type=JSON, content_encoding="gzip")
    assert action == Strip(("content-encoding",), reading=READ)
    action = settled(exchange.on_event(RequestBody(gzip.compress(b'"good"'))))
    assert action == Forward(b"", b'"good"')


def test_a_coding_hides_nothing_and_does_not_expand_beyond_the_limit() -> None:
    exchange, _ = begun("open", "/o", content_type=JSON, content_encoding="gzip")
    action = settled(exchange.on_event(RequestBody(gzip.compress(b'"bad"'))))
    assert refused(action) == (403, "content_policy_violation")
    exchange, _ = begun("open", "/o", limit=1000, content_type=JSON, content_encoding="gzip")
    action = settled(exchange.on_event(RequestBody(gzip.compress(b'"%b"' % (b"x" * 5000)))))
    assert refused(action) == (413, "request_too_large")
    _, action = begun("open", "/o", content_type=JSON, content_encoding="zip")
    assert refused(action) == (415, "unsupported_encoding")


@pytest.mark.parametrize(
    ("content_type", "body"), [(JSON, b"{"), (JSON, b'{"a":1,"a":2}'), ("text/plain", b"\xff")]
)
def test_what_guards_cannot_read_is_refused(content_type: str, body: bytes) -> None:
    exchange, _ = begun("open", "/o", content_type=content_type)
    action = settled(exchange.on_event(RequestBody(body)))
    assert refused(action) == (400, "unreadable_request")


def test_several_content_types_are_refused_before_the_body() -> None:
    _, action = begun("open", "/o", content_type="image/png, application/json")
    assert refused(action) == (400, "unreadable_request")


def test_a_guard_for_a_key_reads_what_that_key_says_alone() -> None:
    exchange, action = begun("free", "/f", authorization="Bearer k-bob", content_type=JSON)
    assert exchange.is_over
    exchange, action = begun("free", "/f", authorization="Bearer k-ann", content_type=JSON)
    assert action == Strip(("authorization",), reading=READ)
    action = settled(exchange.on_event(RequestBody(b'"card"')))
    assert action == Forward(b"", b'"[c]"')


def test_rules_are_asked_before_the_body_is_waited_for() -> None:
    exchange, action = begun("ruled", "/r", authorization="Bearer k-bob", content_type=JSON)
    assert isinstance(action, Respond)
    assert action.status == 403
    assert exchange.is_over


def test_a_service_is_asked() -> None:
    guard = '{type: webhook, url: "http://g.example", for: {route: open}}'
    asking = program(YAML.partition("guardrails:")[0] + f"guardrails: [{guard}]")
    for body, status in ((b'"bad"', 403), (b'"good"', None)):
        exchange = Exchange(asking, NOW, "open", 1 << 20)
        headers = {":method": "POST", ":path": "/o", "content-type": JSON}
        exchange.on_event(RequestHeaders(headers, False))
        action = settled(exchange.on_event(RequestBody(body)))
        assert (action.status if isinstance(action, Respond) else None) == status
        assert exchange.is_over


def test_a_body_that_envoy_does_not_show_yet_is_not_waited_for_nor_changed() -> None:
    coded = {"content_type": JSON, "content_encoding": "gzip"}
    exchange, action = begun("open", "/o", limit=NO_LIMIT, **coded)
    assert (action, exchange.is_over) == (CONTINUE, True)
    _, action = begun("open", "/o?q=bad", limit=NO_LIMIT, **coded)
    assert refused(action) == (403, "content_policy_violation")
