"""The ext_proc service: Envoy's messages in, its answers out, call by call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from envoy_api import message, pack

from extproc.edges.service import Status
from extproc.ports import Charge, Exhausted, Ledger, LedgerUnavailable, Reservation, Spent
from extproc.process import Process
from extproc.program import Program, build
from gateway import names
from tests.kit.calls import RecordedCall
from tests.kit.gateways import gateway_of
from tests.kit.memory_ledger import MemoryLedger

Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
TokenUsage: Any = message("envoy.data.ai.v3.TokenUsage")
ATTRIBUTES = "envoy.filters.http.ext_proc"
NOON = datetime(2031, 3, 4, 12, tzinfo=UTC).timestamp()
COUNTER = ("red|tokens|team=red", int(datetime(2031, 3, 4, tzinfo=UTC).timestamp()))
YAML = """
identity: {api_keys: {keys: [{name: ann, key: k-ann, team: red}, {name: bob, key: k-bob}]}}
llm:
  providers: {a: {type: openai, url: "http://a.example/v1"}}
  models: {MODEL: a/ma}
routes: [{name: docs, match: {path: {prefix: /docs}}, backend: "http://d.example"}]
budgets: [{name: red, for: {team: red}, limit: 10000 tokens, per: day}]
"""


def program(ledger: Ledger | None = None, model: str = "fast") -> Program:
    gateway = gateway_of(YAML.replace("MODEL", model))
    ledger = ledger or MemoryLedger()
    return build(gateway, "1", ledger=ledger, choose=lambda: 0.0, created=1)


def process(ledger: Ledger | None = None) -> Process:
    made = Process(lambda: NOON)
    made.program = program(ledger)
    return made


def headers(**changed: str) -> bytes:
    """The start of a chat request; names are written with `_` for `-`, `pseudo_` for `:`."""
    sent = {
        ":method": "POST",
        ":path": "/v1/chat/completions",
        "authorization": "Bearer k-ann",
    } | {key.replace("pseudo_", ":").replace("_", "-"): value for key, value in changed.items()}
    fields = [{"key": key, "raw_value": value.encode()} for key, value in sent.items()]
    return serialised(Request(request_headers={"headers": {"headers": fields}}))


def body(model: str = "fast", **fields: Any) -> bytes:
    document = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    sent = {"body": json.dumps(document).encode(), "end_of_stream": True}
    return serialised(Request(request_body=sent))


def response_headers(status: int, cluster: str = "llm/a") -> bytes:
    fields = [{"key": ":status", "raw_value": b"%d" % status}]
    request = Request(response_headers={"headers": {"headers": fields}})
    request.attributes[ATTRIBUTES].fields["xds.cluster_name"].string_value = cluster
    return serialised(request)


def trailers(read: int, written: int) -> bytes:
    request = Request(response_trailers={})
    usage = TokenUsage(input_tokens={"value": read}, output_tokens={"value": written})
    request.metadata_context.typed_filter_metadata[names.USAGE_NAMESPACE].CopyFrom(pack(usage))
    return serialised(request)


def serialised(request: Any) -> bytes:
    return bytes(request.SerializeToString())


def said(call: RecordedCall, sent: bytes) -> Any:
    return Response.FromString(call.say(sent))


def kind(answer: Any) -> str:
    return str(answer.WhichOneof("response"))


def refusal(answer: Any) -> tuple[int, str]:
    respond = answer.immediate_response
    return respond.status.code, json.loads(respond.body)["error"]["code"]


def new_model(answer: Any) -> str:
    mutated = answer.request_body.response.body_mutation.body
    return str(json.loads(mutated)["model"])


async def spent(ledger: MemoryLedger) -> Spent:
    return await ledger.spent(*COUNTER)


def test_a_call_is_answered_message_by_message_until_envoy_ends_it() -> None:
    ledger = MemoryLedger()
    call = RecordedCall(process(ledger))
    assert kind(said(call, headers())) == "request_headers"
    planned = said(call, body())
    assert new_model(planned) == "ma"
    assert names.PLAN_NAMESPACE in planned.dynamic_metadata
    assert asyncio.run(spent(ledger)).reserved > 0
    assert kind(said(call, response_headers(200))) == "response_headers"
    assert call.is_open
    assert kind(said(call, trailers(5, 7))) == "response_trailers"
    assert asyncio.run(spent(ledger)) == Spent(settled=12, reserved=0)
    call.stream.on_half_close()
    assert (call.status, call.closings) == ((0, ""), 1)
    assert asyncio.run(spent(ledger)) == Spent(settled=12, reserved=0)


def answered(data: bytes, *, is_end: bool = False) -> bytes:
    return serialised(Request(response_body={"body": data, "end_of_stream": is_end}))


def test_an_envoy_that_reads_no_plans_is_told_a_cluster_and_shows_the_answer() -> None:
    ledger = MemoryLedger()
    call = RecordedCall(process(ledger), dragoman_steering=names.STEERED_BY_HEADER)
    first = said(call, headers(x_dragoman_plan="llm/mine"))
    removed = first.request_headers.response.header_mutation.remove_headers
    assert list(removed) == [names.PLAN_HEADER]
    planned = said(call, body())
    mutation = planned.request_body.response.header_mutation
    values = {each.header.key: each.header.raw_value for each in mutation.set_headers}
    assert values[names.PLAN_HEADER] == b"llm/a/addressed"
    watched = said(call, response_headers(200))
    modes = type(watched.mode_override).BodySendMode
    assert watched.mode_override.response_body_mode == modes.Value("STREAMED")
    answer = said(call, answered(b'{"usage":{"prompt_tokens":5,'))
    assert (kind(answer), answer.response_body.ByteSize()) == ("response_body", 0)
    assert call.is_open
    assert kind(said(call, answered(b'"completion_tokens":7}}'))) == "response_body"
    assert call.status == (0, "")  # Envoy goes on alone
    assert asyncio.run(spent(ledger)) == Spent(settled=12, reserved=0)


def test_a_call_that_holds_nothing_ends_with_the_plan() -> None:
    call = RecordedCall(process())
    said(call, headers(authorization="Bearer k-bob"))
    assert new_model(said(call, body())) == "ma"
    assert call.status == (0, "")


def test_a_plain_route_is_over_after_its_headers() -> None:
    call = RecordedCall(process(), dragoman_route="d%6Fcs")
    answer = said(call, headers(pseudo_path="/v1/models"))
    mutation = answer.request_headers.response.header_mutation
    assert list(mutation.remove_headers) == ["authorization"]
    assert call.status == (0, "")


def test_a_provider_that_refuses_ends_the_call_and_costs_nothing() -> None:
    ledger = MemoryLedger()
    call = RecordedCall(process(ledger))
    said(call, headers())
    said(call, body())
    said(call, response_headers(503))
    assert call.status == (0, "")
    assert asyncio.run(spent(ledger)) == Spent(settled=0, reserved=0)


def test_a_session_that_ends_is_told_so_and_then_cut() -> None:
    ledger = MemoryLedger()
    call = RecordedCall(process(ledger))
    asked = said(call, headers(pseudo_method="GET", pseudo_path="/v1/realtime?model=fast"))
    assert asked.mode_override.response_header_mode
    assert said(call, response_headers(101, "llm/a/websocket")).mode_override.response_body_mode
    assert kind(said(call, answered(b"\x89\x00"))) == "response_body"
    assert call.is_open
    call.stream.on_message(answered(b"\xc1\x00"))
    last, cut = map(Response.FromString, call.sent[-2:])
    assert b"unreadable_answer" in last.response_body.response.body_mutation.body
    assert cut.immediate_response.details == "dragoman_unreadable_answer"
    assert call.status == (0, "")
    assert asyncio.run(spent(ledger)) == Spent(0, 0)


def test_a_refusal_is_an_answer() -> None:
    call = RecordedCall(process())
    assert refusal(said(call, headers(authorization="Bearer wrong"))) == (401, "invalid_api_key")


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_call_that_breaks_off_keeps_nothing_reserved(is_lost: bool) -> None:
    ledger = MemoryLedger()
    call = RecordedCall(process(ledger))
    said(call, headers())
    said(call, body(max_tokens=100))
    if is_lost:
        call.close()
    else:
        call.stream.on_half_close()
        assert call.status == (0, "")
    assert not call.is_open
    now = asyncio.run(spent(ledger))
    assert now.reserved == 0
    assert now.settled >= 100


def test_without_a_program_every_call_is_refused() -> None:
    call = RecordedCall(Process(lambda: NOON))
    answer = said(call, headers())
    assert refusal(answer) == (503, "not_ready")
    option = answer.immediate_response.headers.set_headers[0].header
    assert (option.key, option.raw_value) == ("content-type", b"application/json")
    call.stream.on_half_close()
    assert (call.status, call.closings) == ((0, ""), 1)


def test_a_running_call_keeps_the_program_that_it_began_with() -> None:
    made = process()
    running = RecordedCall(made)
    said(running, headers())
    made.program = program(model="renamed")
    assert new_model(said(running, body("fast"))) == "ma"
    later = RecordedCall(made)
    said(later, headers())
    assert refusal(said(later, body("fast"))) == (404, "model_not_found")
    third = RecordedCall(made)
    said(third, headers())
    assert new_model(said(third, body("renamed"))) == "ma"


def test_requests_get_the_time_of_the_clock_that_was_given() -> None:
    ledger = MemoryLedger()
    call = RecordedCall(process(ledger))
    said(call, headers())
    said(call, body())
    assert asyncio.run(ledger.counters()) == [COUNTER]


class SlowLedger:
    """Answers when told to, with whatever it is told."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Reservation | Exhausted] = asyncio.Future()

    def reserve(self, charges: Sequence[Charge]) -> Awaitable[Reservation | Exhausted]:
        return self.answer


class Recorded:
    """A reservation that tells what became of it."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def settle(self, amounts: Sequence[int]) -> None:
        self.ends.append("settled")

    def release(self) -> None:
        self.ends.append("released")


class Waiting:
    """A call whose body has been read, and whose ledger has not answered yet."""

    def __init__(self) -> None:
        self.ledger = SlowLedger()
        self.reservation = Recorded()
        self.process = process(self.ledger)
        self.call = RecordedCall(self.process)
        said(self.call, headers())
        self.call.stream.on_message(body())
        assert len(self.call.sent) == 1

    async def finish(self) -> None:
        async with asyncio.timeout(4):
            await self.process.finish()


def test_an_awaited_answer_is_sent_when_it_is_known() -> None:
    async def scenario() -> None:
        waiting = Waiting()
        waiting.ledger.answer.set_result(waiting.reservation)
        await waiting.finish()
        assert new_model(Response.FromString(waiting.call.sent[1])) == "ma"
        assert waiting.call.is_open
        said(waiting.call, response_headers(200))
        said(waiting.call, trailers(1, 1))
        waiting.call.stream.on_half_close()
        assert waiting.call.status == (0, "")
        assert waiting.reservation.ends[0] == "settled"

    asyncio.run(scenario())


def test_other_calls_go_on_while_one_waits() -> None:
    async def scenario() -> None:
        waiting = Waiting()
        other = RecordedCall(waiting.process)
        said(other, headers(authorization="Bearer k-bob"))
        assert new_model(said(other, body())) == "ma"
        waiting.ledger.answer.set_result(waiting.reservation)
        await waiting.finish()
        assert len(waiting.call.sent) == 2

    asyncio.run(scenario())


def test_a_ledger_that_cannot_be_asked_is_a_refusal() -> None:
    async def scenario() -> None:
        waiting = Waiting()
        waiting.ledger.answer.set_exception(LedgerUnavailable("no room"))
        await waiting.finish()
        answer = Response.FromString(waiting.call.sent[1])
        assert refusal(answer) == (503, "ledger_unavailable")

    asyncio.run(scenario())


def test_a_bug_behind_an_awaited_answer_ends_the_call_without_letting_it_pass() -> None:
    async def scenario() -> None:
        waiting = Waiting()
        waiting.ledger.answer.set_exception(ZeroDivisionError("a bug"))
        await waiting.finish()
        assert waiting.call.status == (Status.INTERNAL, "internal error")
        assert (len(waiting.call.sent), waiting.call.closings) == (1, 1)

    asyncio.run(scenario())


class Unwritable(RecordedCall):
    """Breaks where an answer is to be written."""

    is_broken = False

    def send(self, message: bytes) -> None:
        if self.is_broken:
            raise BrokenPipeError
        super().send(message)


def test_what_is_held_when_an_answer_breaks_is_given_back() -> None:
    async def scenario() -> None:
        ledger, reservation = SlowLedger(), Recorded()
        made = process(ledger)
        call = Unwritable(made)
        said(call, headers())
        call.stream.on_message(body())
        call.is_broken = True
        ledger.answer.set_result(reservation)
        await made.finish()
        assert call.status == (Status.INTERNAL, "internal error")
        assert len(reservation.ends) == 1

    asyncio.run(scenario())


def test_an_answer_for_a_call_that_has_gone_holds_nothing() -> None:
    async def scenario() -> None:
        waiting = Waiting()
        waiting.call.close()
        waiting.ledger.answer.set_result(waiting.reservation)
        await waiting.finish()
        assert len(waiting.call.sent) == 1
        assert waiting.reservation.ends == ["released"]

    asyncio.run(scenario())


def test_finishing_with_nothing_awaited_is_immediate() -> None:
    async def scenario() -> None:
        finishing = process().finish()
        with pytest.raises(StopIteration):
            finishing.send(None)

    asyncio.run(scenario())


def attempt(models: Mapping[str, str], **request: Any) -> bytes:
    """What the upstream filter of a provider's cluster sends."""
    made = Request(**request)
    said = {"dialect": "openai_chat", "model": "ma", "form": "plain"}
    bodies = {cluster: {**said, "model": model} for cluster, model in models.items()}
    made.metadata_context.filter_metadata[names.REQUEST_NAMESPACE].update(
        {"said": said, "bodies": bodies}
    )
    return serialised(made)


@pytest.mark.parametrize("is_ready", [False, True])
def test_an_attempt_asks_for_the_model_of_its_cluster(is_ready: bool) -> None:
    made = process() if is_ready else Process(lambda: NOON)
    call = RecordedCall(made, dragoman_role=names.ATTEMPT_ROLE, dragoman_attempt="llm/b#2")
    models = {"llm/b#2": "mb", "llm/c#3": "mc"}
    assert kind(said(call, attempt(models, request_headers={}))) == "request_headers"
    answer = said(call, body("ma"))
    assert new_model(answer) == "mb"
    option = answer.request_body.response.header_mutation.set_headers[0].header
    assert option.key == "content-length"
    assert int(option.raw_value) == len(answer.request_body.response.body_mutation.body)
    assert (call.status, call.closings) == ((0, ""), 1)


def test_an_attempt_without_a_model_of_its_own_changes_nothing() -> None:
    call = RecordedCall(process(), dragoman_role=names.ATTEMPT_ROLE, dragoman_attempt="llm/a")
    said(call, attempt({"llm/b#2": "mb"}, request_headers={}))
    answer = said(call, body("ma"))
    assert kind(answer) == "request_body"
    assert answer.request_body.ByteSize() == 0
    call.stream.on_half_close()
    assert (call.status, call.closings) == ((0, ""), 1)


def test_only_the_role_makes_an_attempt() -> None:
    call = RecordedCall(process(), dragoman_role="exchange")
    assert refusal(said(call, headers(authorization="Bearer wrong"))) == (401, "invalid_api_key")


def test_a_copy_is_said_as_its_header_tells() -> None:
    call = RecordedCall(process(), dragoman_role=names.MIRROR_ROLE)
    order = '[["openai_chat","a","plain",""],["anthropic","opus","plain",""],false]'
    call.stream.on_message(headers(x_dragoman_mirror_order=order))
    body = b'{"model":"a","messages":[{"role":"user","content":"hi"}]}'
    call.stream.on_message(serialised(Request(request_body={"body": body})))
    said = Response.FromString(call.sent[-1]).request_body.response.body_mutation.body
    assert json.loads(said)["model"] == "opus"
    assert call.status == (0, "")
