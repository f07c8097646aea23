"""What agents say, past the guards and rules that read it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a_exchange.exchange import A2aExchange
from extproc.a2a_exchange.overseeing import LARGEST_BYTES
from extproc.events import (
    Action,
    ChangeHeaders,
    Direct,
    Flow,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
)
from extproc.ports import Answered
from gateway.a2a import Revision
from tests.kit.a2a_exchange import TRAVEL, V0_3, V1, Played, agents, card, program, send
from tests.kit.a2a_pools import GROUP, INSTANCES, desk, group, instances, telling
from tests.kit.a2a_pools import call as invoke
from tests.kit.opinions import Say, Webhooks, objecting, replacing

MASK = "{name: mails, type: pii, kinds: [email], action: mask, phase: response, for: {a2a: travel}}"
BLOCK = '{name: words, type: regex, patterns: [apollo], phase: response, for: {a2a: "*"}}'
LENGTH = "{name: short, type: max_length, characters: 20, phase: response, for: {a2a: travel}}"
PATHS = {
    "1.0": "/lf.a2a.v1.A2AService/",
    "0.3": "/a2a.v1.A2AService/",
}
PACKAGES = {"1.0": protobuf.V1_0, "0.3": protobuf.V0_3}
EVENTS = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
GRPC = {"content-type": "application/grpc"}
AGENT = {"messageId": "m", "role": "ROLE_AGENT"}


def gateway(*guards: str, rules: str = "", a2a: str = TRAVEL) -> Played:
    listed = "".join(f"\n  - {each}" for each in guards)
    yaml = f"{a2a}\n{f'guardrails:{listed}' if guards else ''}\n{rules}"
    return Played(program(yaml, agents(travel=card(defaultInputModes=["*/*"]))))


class Answer:
    """One, as the client gets it."""

    def __init__(self, played: Played, exchange: A2aExchange, head: dict[str, str]) -> None:
        self.played, self.exchange = played, exchange
        self.head: ChangeHeaders | None = None
        self.body = b""
        self.is_end = False
        self.trailers: ChangeHeaders | None = None
        self.respond: Respond | None = None
        self.take(ResponseHeaders(200, "", headers=head))

    def take(self, event: Any) -> Answer:
        action: Action = self.played.said(self.exchange.on_event(event))
        if isinstance(action, Respond):
            self.respond = action
            return self
        assert isinstance(action, Flow), action
        if action.head is not None:
            assert self.head is None
            self.head = action.head
        if action.body:
            assert self.head is not None
            assert not self.is_end
        self.body += action.body
        self.is_end |= action.is_end
        self.trailers = action.trailers or self.trailers
        return self

    def piece(self, data: bytes, *, is_end: bool = False) -> Answer:
        return self.take(ResponseBody(data, is_end))

    @property
    def events(self) -> list[Any]:
        blocks = [each for each in self.body.split(b"\n\n") if each]
        lines = [line for each in blocks for line in each.split(b"\n")]
        return [json.loads(line[6:]) for line in lines if line.startswith(b"data: ")]


def ask(played: Played, method: str = "SendStreamingMessage", **more: str) -> Answer:
    """Over JSON-RPC, a stream unless another method is asked."""
    exchange, action = played.ask("/a2a/travel", send(method=method), **(more or V1))
    assert isinstance(action, Direct)
    assert "accept-encoding" in action.remove_headers
    stream = method in ("SendStreamingMessage", "message/stream")
    return Answer(played, exchange, EVENTS if stream else JSON)


def sse(*results: object) -> bytes:
    said = (json.dumps({"jsonrpc": "2.0", "id": 7, "result": each}) for each in results)
    return b"".join(b"data: %s\n\n" % each.encode() for each in said)


def chunk(text: str, name: str = "a", **more: object) -> dict[str, Any]:
    artifact = {"artifactId": name, "parts": [{"text": text}]}
    update = {"taskId": "t", "contextId": "c", "artifact": artifact, "append": True, **more}
    return {"artifactUpdate": update}


def status(state: str, text: str = "") -> dict[str, Any]:
    said: dict[str, Any] = {"state": f"TASK_STATE_{state}"}
    if text:
        said["message"] = {**AGENT, "parts": [{"text": text}]}
    return {"statusUpdate": {"taskId": "t", "contextId": "c", "status": said}}


def texts(events: Sequence[Any]) -> str:
    """Of all artifacts and statuses."""
    found = ""
    for each in events:
        result = each["result"]
        update = result.get("artifactUpdate") or result.get("statusUpdate")
        holder = update.get("artifact") or update["status"].get("message", {})
        found += "".join(part.get("text", "") for part in holder.get("parts", ()))
    return found


def test_without_anybody_who_reads_nothing_is_shown() -> None:
    played = gateway(BLOCK.replace("phase: response, ", ""))
    exchange, action = played.ask("/a2a/travel", send(), **V1)
    assert isinstance(action, Direct)
    assert exchange.is_over


def test_a_whole_answer_waits_until_it_has_been_read() -> None:
    answer = ask(gateway(MASK), "SendMessage")
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 7,
            "result": {"message": {**AGENT, "parts": [{"text": "to jane@example.com"}]}},
        }
    ).encode()
    answer.piece(body[:50])
    assert (answer.head, answer.body) == (None, b"")
    answer.piece(body[50:], is_end=True)
    assert answer.head is not None
    assert "content-length" in answer.head.remove_headers
    assert json.loads(answer.body)["result"]["message"]["parts"] == [{"text": "to [EMAIL]"}]
    assert answer.is_end
    assert answer.exchange.is_over


def test_what_nobody_changes_stays_as_it_is() -> None:
    answer = ask(gateway(MASK, BLOCK), "SendMessage")
    body = b'{ "jsonrpc":"2.0", "id":7, "result": {"message": {"parts":[{"text":"hi"}]}} }'
    assert answer.piece(body, is_end=True).body == body


@pytest.mark.parametrize(
    "part",
    [{"text": "of apollo"}, {"data": {"apollo": 1}}, {"raw": "b2YgYXBvbGxv"}, {"url": "/apollo"}],
)
def test_what_may_not_be_said_is_an_error_with_a_status_of_its_own(part: Any) -> None:
    answer = ask(gateway(BLOCK), "SendMessage")
    task = {"id": "t", "status": {}, "artifacts": [{"artifactId": "a", "parts": [part]}]}
    answer.piece(json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"task": task}}).encode())
    answer.piece(b"", is_end=True)
    assert answer.respond is not None
    assert answer.respond.status == 400
    error = json.loads(answer.respond.body)
    assert error["id"] == 7
    assert "(guard 'words')" in error["error"]["message"]
    assert answer.exchange.is_over


def test_errors_of_agents_are_read() -> None:
    answer = ask(gateway(MASK), "SendMessage")
    error = {"code": -32603, "message": "ask jane@example.com"}
    answer.piece(json.dumps({"jsonrpc": "2.0", "id": 7, "error": error}).encode(), is_end=True)
    assert json.loads(answer.body)["error"]["message"] == "ask [EMAIL]"


def test_what_cannot_be_read_is_refused() -> None:
    answer = ask(gateway(MASK), "SendMessage").piece(b"no json", is_end=True)
    assert answer.respond is not None
    assert answer.respond.status == 502
    played = gateway(MASK)
    exchange, _ = played.ask("/a2a/travel", send(), **V1)
    coded = Answer(played, exchange, {**JSON, "content-encoding": "gzip"})
    assert coded.respond is not None
    assert coded.respond.status == 502


@pytest.mark.parametrize("kind", ["application/json", "application/a2a+json; charset=utf-8"])
def test_errors_with_a_status_are_read(kind: str) -> None:
    played = gateway(MASK)
    exchange, _ = played.ask("/a2a/travel/message:send", send()["params"], **V1)
    head = ResponseHeaders(400, "", headers={"content-type": kind})
    assert played.said(exchange.on_event(head)) == Flow()
    error = {"error": {"code": 400, "message": "ask jane@example.com"}}
    last = played.said(exchange.on_event(ResponseBody(json.dumps(error).encode(), True)))
    assert isinstance(last, Flow)
    assert json.loads(last.body)["error"]["message"] == "ask [EMAIL]"


def test_an_error_of_a_proxy_passes() -> None:
    played = gateway(MASK)
    exchange, _ = played.ask("/a2a/travel", send(), **V1)
    head = ResponseHeaders(503, "", headers={"content-type": "text/html"})
    assert isinstance(played.said(exchange.on_event(head)), Flow)
    assert exchange.is_over


def test_events_go_on_with_their_lines_and_comments() -> None:
    answer = ask(gateway(MASK))
    assert answer.head is not None
    event = b"id: 5\r\nevent: x\r\n" + sse(status("WORKING", "hi")).replace(b"\n", b"\r\n")
    assert answer.piece(b": ping\n\n").body == b": ping\n\n"
    assert answer.piece(event).body == b": ping\n\n" + event
    masked = b"id: 6\ndata: " + sse(status("WORKING", "jane@example.com"))[6:]
    size = len(answer.body)
    last = answer.piece(masked).body[size:]
    assert last.startswith(b"id: 6\ndata: {")
    assert b"[EMAIL]" in last


def test_a_text_in_chunks_is_held_back_until_it_can_be_told() -> None:
    answer = ask(gateway(MASK))
    answer.piece(sse(chunk("write to jane@exam", append=False)))
    assert answer.body == b""
    answer.piece(sse(chunk("ple.com, please", lastChunk=True)))
    assert texts(answer.events) == "write to [EMAIL], please"
    assert len(answer.events) == 2


def test_comments_do_not_wait_for_what_is_held_back() -> None:
    answer = ask(gateway(MASK))
    answer.piece(sse(chunk("write to jane@exam", append=False)))
    assert answer.piece(b": ping\n\n").body == b": ping\n\n"
    answer.piece(b"", is_end=True)
    assert texts(answer.events) == "write to jane@exam"


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40), max_size=6), st.integers(1, 60))
def test_neither_chunks_nor_pieces_matter(cuts: list[int], size: int) -> None:
    text = "Write to jane@example.com and to bob@example.org, and thank all."
    places = sorted({0, len(text), *(min(sum(cuts[: n + 1]), len(text)) for n in range(len(cuts)))})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    events = [chunk(each, append=n > 0) for n, each in enumerate(pieces)]
    data = sse(*events, status("COMPLETED"))
    answer = ask(gateway(MASK))
    for start in range(0, len(data), size):
        answer.piece(data[start : start + size])
    answer.piece(b"", is_end=True)
    assert texts(answer.events) == "Write to [EMAIL] and to [EMAIL], and thank all."
    assert len(answer.events) == len(events) + 1
    assert answer.exchange.is_over


def test_another_artifact_is_another_text() -> None:
    answer = ask(gateway(BLOCK))
    answer.piece(sse(chunk("apo", append=False, lastChunk=True), chunk("llo", "b", append=False)))
    answer.piece(b"", is_end=True)
    assert texts(answer.events) == "apollo"


def test_what_goes_on_after_something_else_is_looked_at_across() -> None:
    answer = ask(gateway(BLOCK))
    answer.piece(sse(chunk("apo", append=False), status("WORKING")))
    assert len(answer.events) == 2
    answer.piece(sse(chunk("llo", lastChunk=True)))
    assert "error" in answer.events[-1]
    assert len(answer.events) == 3


def test_messages_of_statuses_are_whole() -> None:
    answer = ask(gateway(MASK))
    answer.piece(sse(status("WORKING", "wait")))
    assert len(answer.events) == 1
    answer.piece(sse(status("WORKING", "jane@example.com")))
    assert texts(answer.events) == "wait[EMAIL]"


@pytest.mark.parametrize(("version", "is_named"), [(V1, True), (V0_3, False)])
def test_a_stream_that_is_refused_ends_with_the_protocols_error(
    version: dict[str, str], is_named: bool
) -> None:
    method = "SendStreamingMessage" if is_named else "message/stream"
    played = gateway(BLOCK)
    body = send(method=method)
    exchange, _ = played.ask("/a2a/travel", body, **version)
    answer = Answer(played, exchange, EVENTS)
    answer.piece(sse(status("WORKING", "fine"), status("WORKING", "apollo")))
    assert answer.is_end
    assert exchange.is_over
    assert len(answer.events) == 2
    assert answer.events[1]["error"]["code"] == -32600
    assert answer.events[1]["id"] == 7
    assert (b"event: error" in answer.body) is is_named
    size = len(answer.body)
    answer.piece(sse(status("WORKING", "more")))
    assert len(answer.body) == size


def test_over_http_events_have_no_envelope() -> None:
    played = gateway(BLOCK)
    exchange, _ = played.ask("/a2a/travel/message:stream", send()["params"], **V1)
    answer = Answer(played, exchange, EVENTS)
    answer.piece(b"data: %s\n\n" % json.dumps(status("WORKING", "apollo")).encode())
    assert answer.events[0]["error"]["status"] == "INVALID_ARGUMENT"
    assert answer.events[0]["error"]["details"][0]["metadata"]["code"] == "content_policy_violation"


def test_what_has_no_body_is_read_too() -> None:
    played = gateway(BLOCK)
    exchange, action = played.ask("/a2a/travel/tasks/t", method="GET", **V1)
    assert isinstance(action, Direct)
    assert action.is_flowing
    answer = Answer(played, exchange, JSON)
    task = {"id": "t", "status": {"message": {**AGENT, "parts": [{"text": "apollo"}]}}}
    answer.piece(json.dumps(task).encode(), is_end=True)
    assert answer.respond is not None


def test_lengths_are_of_all_that_a_stream_says() -> None:
    answer = ask(gateway(LENGTH))
    answer.piece(sse(chunk("x" * 8, append=False), chunk("x" * 8), status("WORKING")))
    assert len(answer.events) == 3
    answer.piece(sse(chunk("x" * 8)))
    assert "(guard 'short')" in answer.events[-1]["error"]["message"]


RULES = """
authorize:
  - {name: no-failures, for: {a2a: travel}, phase: response, deny: 'a2a.task_state == "%s"'}
"""


@pytest.mark.parametrize("state", ["FAILED", "INPUT_REQUIRED"])
def test_rules_of_responses_see_the_state_of_a_task(state: str) -> None:
    played = gateway(rules=RULES % f"TASK_STATE_{state}")
    answer = ask(played, "SendMessage")
    task = {"id": "t", "status": {"state": f"TASK_STATE_{state}"}}
    answer.piece(json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"task": task}}).encode())
    answer.piece(b"", is_end=True)
    assert answer.respond is not None
    assert answer.respond.status == 403
    stream = ask(gateway(rules=RULES % f"TASK_STATE_{state}"))
    stream.piece(sse(status("WORKING"), status(state)))
    assert [("error" in each) for each in stream.events] == [False, True]


_NAMES = st.sampled_from(
    [
        *(
            "task",
            "status",
            "message",
            "state",
            "artifactUpdate",
            "statusUpdate",
            "artifact",
            "parts",
        ),
        *("text", "kind", "append", "id", "lastChunk", "artifactId", "metadata", "data"),
        *("raw", "url", "tasks", "history", "file", "result", "error", "jsonrpc"),
    ]
)
_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["task"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=25)
@given(st.lists(_JSON_VALUES, min_size=1, max_size=4), st.booleans())
def test_whatever_an_agent_says_is_read_or_refused(events: list[Any], is_stream: bool) -> None:
    played = gateway(MASK, LENGTH, rules=RULES % "TASK_STATE_FAILED")
    answer = ask(played, "SendStreamingMessage" if is_stream else "SendMessage")
    said = [each if each is None else json.dumps(each).encode() for each in events]
    if is_stream:
        for event in events:
            answer.piece(sse(event))
        for each in filter(None, said):
            answer.piece(b"data: " + each + b"\n\n")
    answer.piece(b"" if is_stream else said[0] or b"null", is_end=True)
    assert answer.is_end or answer.respond is not None
    assert answer.exchange.is_over


def test_rules_see_states_of_0_3_in_words_of_1_0() -> None:
    played = gateway(rules=RULES % "TASK_STATE_INPUT_REQUIRED")
    exchange, _ = played.ask("/a2a/travel", send(method="message/send"), **V0_3)
    answer = Answer(played, exchange, JSON)
    task = {"kind": "task", "id": "t", "status": {"state": "input-required"}}
    answer.piece(json.dumps({"jsonrpc": "2.0", "id": 7, "result": task}).encode(), is_end=True)
    assert answer.respond is not None
    assert answer.respond.status == 403


# --- answers that are changed before -------------------------------------------------------


def test_what_an_agent_says_in_another_form_is_read_in_the_clients() -> None:
    place = {"url": "http://t/at", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}
    cards = agents(travel=card(supportedInterfaces=[place], defaultInputModes=["*/*"]))
    played = Played(program(f"{TRAVEL}\nguardrails:\n  - {MASK}\n  - {BLOCK}", cards))
    played.ask("/a2a/travel/.well-known/agent-card.json", method="GET")
    old = {"kind": "message", "messageId": "m", "role": "agent"}
    for text, told in (("to jane@example.com", "to [EMAIL]"), ("apollo", "")):
        exchange, _ = played.ask("/a2a/travel", send(), **V1)
        answer = Answer(played, exchange, JSON)
        result = {**old, "parts": [{"kind": "text", "text": text}]}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
        answer.piece(body, is_end=True)
        assert answer.respond is not None
        said = json.loads(answer.respond.body)
        if told:
            assert said["result"]["message"]["parts"] == [{"text": told}]
        else:
            assert "(guard 'words')" in said["error"]["message"]
        assert exchange.is_over


def test_what_one_of_several_says_is_read() -> None:
    guards = f"{INSTANCES}\nguardrails:\n  - {MASK}\n  - {BLOCK}"
    for text, told in (("to jane@example.com", "to [EMAIL]"), ("apollo", "")):
        exchange, _ = desk(guards).ask("/a2a/travel", send(), **V1)
        answer = Answer(desk(guards), exchange, JSON)
        said = {"id": "t", "contextId": "c", "artifacts": [{"parts": [{"text": text}]}]}
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"task": said}}).encode()
        answer.piece(body[:9]).piece(body[9:], is_end=True)
        if not told:
            assert answer.respond is not None
            continue
        task = json.loads(answer.body)["result"]["task"]
        assert task["id"].startswith("t~")
        assert task["artifacts"][0]["parts"] == [{"text": told}]


def test_guards_are_for_those_of_a_group_who_are_asked() -> None:
    guards = f"{GROUP}\nguardrails:\n  - {BLOCK.replace('*', 'cars')}"
    played = desk(guards, group())
    said = {"message": {**AGENT, "parts": [{"text": "apollo"}]}}
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "result": said}).encode()
    for skill, is_refused in (("rent", True), ("book", False)):
        exchange, _ = played.ask("/a2a/desk", send(metadata={"skillId": skill}), **V1)
        answer = Answer(played, exchange, JSON).piece(body, is_end=True)
        assert (answer.respond is not None) is is_refused


def test_lists_of_several_are_read() -> None:
    def tells(text: str) -> Any:
        task = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
        tasks = [{**task, "artifacts": [{"parts": [{"text": text}]}]}]
        page = {"tasks": tasks, "nextPageToken": "", "pageSize": 1, "totalSize": 1}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": page}).encode()
        card_of = telling("blue")
        return lambda asked: card_of(asked) if asked.method == "GET" else Answered(200, JSON, body)

    for text, status in (("to jane@example.com", 200), ("apollo", 400)):
        peers = instances(blue=tells(text), green=tells("x"))
        played = desk(f"{INSTANCES}\nguardrails:\n  - {MASK}\n  - {BLOCK}", peers)
        _, found = played.ask("/a2a/travel", invoke("ListTasks"), **V1)
        assert isinstance(found, Respond)
        assert found.status == status
        assert b"apollo" not in found.body
        assert b"jane" not in found.body


# --- services ------------------------------------------------------------------------------

HOOK = """
guardrails:
  - {name: hook, type: webhook, url: "http://g", phase: both, window: 8, for: {a2a: travel}}
"""


def hooked(**says: Say) -> tuple[Played, Webhooks]:
    hooks = Webhooks(dict(says))
    peers = agents(travel=card())
    return Played(program(TRAVEL + HOOK, peers, inquirer=hooks.inquirer)), hooks


def test_services_are_asked_about_messages_and_answers() -> None:
    played, hooks = hooked(hook=replacing("hello", "hi"))
    exchange, action = played.ask("/a2a/travel", send("hello"), **V1)
    assert isinstance(action, Direct)
    assert json.loads(action.body or b"")["params"]["message"]["parts"] == [{"text": "hi"}]
    answer = Answer(played, exchange, JSON)
    result = {"message": {**AGENT, "parts": [{"text": "oh hello"}]}}
    answer.piece(json.dumps({"jsonrpc": "2.0", "id": 7, "result": result}).encode(), is_end=True)
    assert json.loads(answer.body)["result"]["message"]["parts"] == [{"text": "oh hi"}]
    assert [texts for _, texts in hooks.asked] == [["hello"], ["oh hello"]]


def test_services_are_asked_about_parts_of_streams() -> None:
    played, hooks = hooked(hook=objecting("bad"))
    exchange, _ = played.ask("/a2a/travel", send(method="SendStreamingMessage"), **V1)
    answer = Answer(played, exchange, EVENTS)
    answer.piece(sse(chunk("One. ", append=False)))
    assert answer.body == b""
    answer.piece(sse(chunk("Two is so far. "), chunk("This is")))
    assert texts(answer.events) == "One. Two is so far. "
    answer.piece(sse(chunk(" bad."), status("COMPLETED")))
    assert "error" in answer.events[-1]
    assert texts(answer.events[:-1]) == "One. Two is so far. "
    assert exchange.is_over
    assert all("hello" not in each for _, each in hooks.asked[1:])


def test_pieces_go_on_in_order_though_services_answer_later() -> None:
    played, _ = hooked(hook=objecting("bad"))
    exchange, _ = played.ask("/a2a/travel", send(method="SendStreamingMessage"), **V1)

    async def flow() -> list[Any]:
        async def said(event: Any) -> Any:
            found = exchange.on_event(event)
            return await found if isinstance(found, Awaitable) else found

        await said(ResponseHeaders(200, "", headers=EVENTS))
        pieces = [sse(status("WORKING", f"step {n}")) for n in range(3)]
        return await asyncio.gather(*(said(ResponseBody(each, False)) for each in pieces))

    found = asyncio.run(flow())
    assert [f"step {n}".encode() in each.body for n, each in enumerate(found)] == [True] * 3


def test_what_waits_for_a_slow_service_is_bounded() -> None:
    played, _ = hooked(hook=objecting("bad"))
    exchange, _ = played.ask("/a2a/travel", send(method="SendStreamingMessage"), **V1)
    large = sse(status("WORKING", "a" * (1 << 20)))

    async def flow() -> list[Any]:
        async def said(event: Any) -> Any:
            found = exchange.on_event(event)
            return await found if isinstance(found, Awaitable) else found

        await said(ResponseHeaders(200, "", headers=EVENTS))
        pieces = (ResponseBody(large, False) for _ in range(LARGEST_BYTES // len(large) + 2))
        return await asyncio.gather(*map(said, pieces))

    first, cut, *rest = asyncio.run(flow())
    assert first.body == large
    assert cut.is_end
    assert b"MiB of the answer wait for guards" in cut.body
    assert not any(each.body for each in rest)
    assert exchange.is_over


# --- gRPC ----------------------------------------------------------------------------------


def call(played: Played, revision: str, method: str = "SendStreamingMessage") -> Answer:
    member = "parts" if revision == "1.0" else "content"
    message = {"messageId": "m", "role": "ROLE_USER", member: [{"text": "hi"}]}
    said = protobuf.encode(f"{PACKAGES[revision]}SendMessageRequest", {"message": message}, [])
    path = PATHS[revision] + method
    exchange, action = played.ask(path, grpc_frames.frame(said), a2a_version=revision)
    assert isinstance(action, Direct)
    assert "grpc-accept-encoding" in action.remove_headers
    return Answer(played, exchange, GRPC)


def framed(revision: str, document: dict[str, Any], name: str = "StreamResponse") -> bytes:
    return grpc_frames.frame(protobuf.encode(f"{PACKAGES[revision]}{name}", document, []))


def messages(answer: Answer, revision: str) -> list[Any]:
    name = f"{PACKAGES[revision]}StreamResponse"
    return [protobuf.decode(name, each) for each in grpc_frames.FrameDecoder().feed(answer.body)]


@pytest.mark.parametrize("revision", [each.value for each in Revision])
def test_messages_of_grpc_are_masked(revision: str) -> None:
    answer = call(gateway(MASK), revision)
    answer.piece(framed(revision, chunk("write to jane@exam", append=False)))
    answer.piece(framed(revision, chunk("ple.com")))
    assert answer.body == b""
    answer.take(ResponseEnd(None, {"grpc-status": "0"}))
    found = [each["artifactUpdate"]["artifact"]["parts"][0] for each in messages(answer, revision)]
    assert "".join(each.get("text", "") for each in found) == "write to [EMAIL]"
    assert answer.trailers == ChangeHeaders(())
    assert answer.exchange.is_over


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40), max_size=6), st.integers(1, 90), st.sampled_from(Revision))
def test_neither_chunks_nor_pieces_matter_over_grpc(
    cuts: list[int], size: int, of: Revision
) -> None:
    text, revision = "Write to jane@example.com and to bob@example.org, and thank all.", of.value
    places = sorted({0, len(text), *(min(each, len(text)) for each in itertools.accumulate(cuts))})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    events = [chunk(each, append=n > 0) for n, each in enumerate(pieces)]
    data = b"".join(framed(revision, each) for each in events)
    answer = call(gateway(MASK), revision)
    for start in range(0, len(data), size):
        answer.piece(data[start : start + size])
    answer.take(ResponseEnd(None, {"grpc-status": "0"}))
    found = [each["artifactUpdate"]["artifact"]["parts"][0] for each in messages(answer, revision)]
    told = "".join(each.get("text", "") for each in found)
    assert told == "Write to [EMAIL] and to [EMAIL], and thank all."


def test_messages_that_nobody_changes_keep_fields_that_nobody_knows() -> None:
    answer = call(gateway(MASK), "1.0")
    message = framed("1.0", status("WORKING"))[5:] + b"\xfa\x3f\x01x"
    assert answer.piece(grpc_frames.frame(message)).body == grpc_frames.frame(message)


@pytest.mark.parametrize("revision", [each.value for each in Revision])
def test_trailers_say_why_a_stream_is_refused(revision: str) -> None:
    answer = call(gateway(BLOCK), revision)
    answer.piece(framed(revision, status("WORKING")))
    assert len(messages(answer, revision)) == 1
    said = {"taskId": "t", "artifact": {"artifactId": "a", "parts": [{"text": "apollo"}]}}
    answer.piece(framed(revision, {"artifactUpdate": {**said, "lastChunk": True}}))
    answer.piece(framed(revision, status("COMPLETED")))
    assert len(messages(answer, revision)) == 1
    assert not answer.exchange.is_over
    answer.take(ResponseEnd(None, {"grpc-status": "0"}))
    assert answer.trailers is not None
    trailers = dict(answer.trailers.set_headers)
    assert trailers["grpc-status"] == "3"
    assert "guard" in trailers["grpc-message"]
    assert answer.exchange.is_over


def test_an_agent_that_goes_on_after_a_refusal_is_cut() -> None:
    now = [0.0]
    played = gateway(BLOCK)
    played.of = replace(played.of, clock=lambda: now[0])
    answer = call(played, "1.0").piece(framed("1.0", status("WORKING")))
    answer.piece(framed("1.0", status("WORKING", "apollo")))
    for seconds, is_cut in ((4.0, False), (6.0, True)):
        now[0] = seconds
        answer.piece(framed("1.0", status("WORKING", "on and on")))
        assert (answer.is_end, answer.exchange.is_over) == (is_cut, is_cut)
    assert len(messages(answer, "1.0")) == 1


def test_what_is_refused_before_anything_went_on_is_an_error_alone() -> None:
    answer = call(gateway(BLOCK), "1.0", "SendMessage")
    message = {**AGENT, "parts": [{"text": "apollo"}]}
    answer.piece(framed("1.0", {"message": message}, "SendMessageResponse"))
    assert answer.respond is not None
    assert dict(answer.respond.headers)["grpc-status"] == "3"
    assert answer.head is None


def test_errors_of_grpc_are_read() -> None:
    told = {"grpc-status": "13", "grpc-message": "ask jane@example.com"}
    answer = call(gateway(MASK), "1.0")
    answer.piece(framed("1.0", status("WORKING"))).take(ResponseEnd(None, told))
    assert answer.trailers is not None
    assert dict(answer.trailers.set_headers)["grpc-message"] == "ask [EMAIL]"


def test_an_error_that_is_no_more_than_headers_is_read() -> None:
    played = gateway(MASK)
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    said = protobuf.encode(f"{protobuf.V1_0}SendMessageRequest", {"message": message}, [])
    path = PATHS["1.0"] + "SendMessage"
    exchange, _ = played.ask(path, grpc_frames.frame(said), a2a_version="1.0")
    told = {**GRPC, "grpc-status": "13", "grpc-message": "ask jane@example.com"}
    action = played.said(exchange.on_event(ResponseHeaders(200, "", headers=told, is_end=True)))
    assert isinstance(action, Flow)
    assert action.head is not None
    assert dict(action.head.set_headers)["grpc-message"] == "ask [EMAIL]"
    assert exchange.is_over
