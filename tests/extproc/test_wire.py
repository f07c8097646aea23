"""Envoy's own messages, in and out."""

from __future__ import annotations

from typing import Any

import pytest
from envoy_api import message, pack
from msgspec.structs import replace

from extproc import wire
from extproc.events import (
    CONTINUE,
    ChangeHeaders,
    Event,
    Failure,
    Finish,
    Forward,
    Other,
    Reading,
    Replace,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Strip,
    Watch,
)
from extproc.wire import Order, Said
from gateway import names
from gateway.model import BodyForm, Dialect
from gateway.usage import Usage

Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
TokenUsage: Any = message("envoy.data.ai.v3.TokenUsage")
ATTRIBUTES = "envoy.filters.http.ext_proc"


def headers(**values: str) -> dict[str, Any]:
    pairs = [{"key": key, "raw_value": value.encode()} for key, value in values.items()]
    return {"headers": {"headers": pairs}}


def with_attributes(request: Any, **values: str) -> Any:
    for name, value in values.items():
        request.attributes[ATTRIBUTES].fields[name.replace("__", ".")].string_value = value
    return request


def decode(request: Any) -> Event:
    return wire.decode(request.SerializeToString())


def encode(event: Event, action: Any) -> Any:
    return Response.FromString(wire.encode(event, action))


def test_request_headers_keep_their_values_and_the_end() -> None:
    request = Request(request_headers={**headers(a="1", b="é"), "end_of_stream": True})
    assert decode(request) == RequestHeaders({"a": "1", "b": "é"}, True)


def test_a_header_that_came_twice_hides_neither_value() -> None:
    request = Request(request_headers=headers(a="1"))
    request.request_headers.headers.headers.add(key="a", raw_value=b"2")
    assert decode(request) == RequestHeaders({"a": "1,2"}, False)


def test_bytes_that_are_no_text_do_not_break_a_request() -> None:
    request = Request(request_headers=headers(a="1"))
    request.request_headers.headers.headers.add(key="b", raw_value=b"\xff")
    assert decode(request) == RequestHeaders({"a": "1", "b": "\ufffd"}, False)


@pytest.mark.parametrize(
    ("address", "host"),
    [("192.0.2.1:80", "192.0.2.1"), ("[2001:db8::1]:80", "2001:db8::1"), ("", "")],
)
def test_the_clients_address_is_told_without_its_port(address: str, host: str) -> None:
    request = with_attributes(Request(request_headers=headers(a="1")), source__address=address)
    event = decode(request)
    assert isinstance(event, RequestHeaders)
    assert event.source_address == host


def test_what_an_external_service_says_is_read() -> None:
    request = Request(request_headers=headers(a="1"))
    request.metadata_context.filter_metadata[names.EXTERNAL_NAMESPACE].update({"level": 5})
    event = wire.decode(request.SerializeToString())
    assert isinstance(event, RequestHeaders)
    assert event.external == {"level": 5}
    plain = wire.decode(Request(request_headers=headers(a="1")).SerializeToString())
    assert isinstance(plain, RequestHeaders)
    assert plain.external is None
    other = Request(request_headers=headers(a="1"))
    other.metadata_context.filter_metadata["another"].update({"level": 5})
    found = wire.decode(other.SerializeToString())
    assert isinstance(found, RequestHeaders)
    assert found.external is None


@pytest.mark.parametrize(
    ("names", "identity"),
    [
        ({"uri": "spiffe://x/a", "dns": "a.x"}, "spiffe://x/a"),
        ({"dns": "a.x"}, "a.x"),
        ({"subject": "CN=a"}, ""),
        ({}, ""),
    ],
)
def test_a_certificate_is_told_by_its_uri_else_by_its_dns_name(
    names: dict[str, str], identity: str
) -> None:
    attributes = {
        "connection__subject_peer_certificate"
        if kind == "subject"
        else f"connection__{kind}_san_peer_certificate": name
        for kind, name in names.items()
    }
    request = with_attributes(Request(request_headers=headers(a="1")), **attributes)
    event = decode(request)
    assert isinstance(event, RequestHeaders)
    assert (event.source_identity, event.source_subject) == (identity, names.get("subject", ""))


def test_a_body_is_its_bytes() -> None:
    assert decode(Request(request_body={"body": b"abc"})) == RequestBody(b"abc")


def test_response_headers_say_the_status_and_who_answered() -> None:
    request = Request(response_headers={"headers": {"headers": []}})
    header = request.response_headers.headers.headers.add(key=":status", raw_value=b"429")
    assert header.key == ":status"
    with_attributes(request, xds__cluster_name="llm/a", response__code_details="via_upstream")
    assert decode(request) == ResponseHeaders(429, "llm/a", "via_upstream", 0, {":status": "429"})


def test_response_headers_say_which_try_it_was_where_envoy_was_asked() -> None:
    request = Request(response_headers={"headers": {"headers": []}})
    request.response_headers.headers.headers.add(key=":status", raw_value=b"200")
    with_attributes(request, xds__cluster_name="plan/a>b")
    fields = request.attributes["envoy.filters.http.ext_proc"].fields
    fields["upstream.request_attempt_count"].number_value = 2
    assert decode(request) == ResponseHeaders(200, "plan/a>b", "", 2, {":status": "200"})


def test_a_piece_of_the_answer_is_its_bytes_and_whether_it_is_the_last() -> None:
    request = Request(response_body={"body": b"abc", "end_of_stream": True})
    assert decode(request) == ResponseBody(b"abc", True)


def test_trailers_carry_the_usage_that_envoy_found() -> None:
    usage = TokenUsage(
        input_tokens={"value": 11},
        output_tokens={"value": 7},
        input_token_details={"cached_tokens": {"value": 3}},
        output_token_details={"reasoning_tokens": {"value": 5}},
    )
    request = Request(response_trailers={})
    request.metadata_context.typed_filter_metadata[names.USAGE_NAMESPACE].CopyFrom(pack(usage))
    expected = Usage(11, 7, cached_input_tokens=3, reasoning_tokens=5)
    assert decode(request) == ResponseEnd(expected)


def test_trailers_without_usage_say_so() -> None:
    assert decode(Request(response_trailers={})) == ResponseEnd(None)
    empty = Request(response_trailers={})
    empty.metadata_context.typed_filter_metadata[names.USAGE_NAMESPACE].CopyFrom(pack(TokenUsage()))
    assert decode(empty) == ResponseEnd(None)


def test_headers_that_are_all_of_an_answer_say_so_and_trailers_are_read() -> None:
    fields = [{"key": ":status", "raw_value": b"200"}, {"key": "grpc-status", "raw_value": b"5"}]
    part = {"headers": {"headers": fields}, "end_of_stream": True}
    headers = {":status": "200", "grpc-status": "5"}
    found = decode(Request(response_headers=part))
    assert found == ResponseHeaders(200, "", headers=headers, is_end=True)
    request = Request(response_trailers={"trailers": {"headers": fields[1:]}})
    assert decode(request) == ResponseEnd(None, {"grpc-status": "5"})


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("request_headers", RequestHeaders({}, False)),
        ("request_body", RequestBody(b"")),
        ("response_headers", ResponseHeaders(200, "")),
        ("response_trailers", ResponseEnd(None)),
        ("request_trailers", Other("request_trailers")),
        ("response_body", ResponseBody(b"", False)),
    ],
)
def test_going_on_is_answered_in_kind(kind: str, event: Event) -> None:
    answer = encode(event, CONTINUE)
    assert answer.WhichOneof("response") == kind
    assert getattr(answer, kind).ByteSize() == 0


FIRST = Said(Dialect.OPENAI_CHAT, "ma")
SECOND = Said(Dialect.ANTHROPIC, "mb", BodyForm.VERTEX_CLAUDE)
STEERED = wire.Steered(
    paths={"llm/a": "/v1/chat/completions", "llm/b#2": "/v1/messages"},
    bodies={"llm/b#2": SECOND},
    forwarded=FIRST,
    is_stream=True,
    is_read=True,
    content_type="application/json",
    remove_headers=["accept-encoding"],
)


def test_envoy_is_told_whose_answers_are_translated() -> None:
    for translated in ((), ("llm/b#2",)):
        reply = wire.encode_plan(replace(STEERED, translated=translated), ["llm/a", "llm/b#2"])
        told = Response.FromString(reply).dynamic_metadata["dragoman.request"]
        assert ("translated" in told) is bool(translated)
        assert [cluster for cluster in translated if told["translated"][cluster] is True] == list(
            translated
        )


def plan_reply() -> bytes:
    return wire.encode_plan(STEERED, ["llm/a", "llm/b#2"])


def test_a_plan_says_where_in_which_order_and_how_often() -> None:
    answer = encode(RequestBody(b""), Forward(plan_reply(), None))
    common = answer.request_body.response
    assert common.clear_route_cache
    values = {h.header.key: h.header.raw_value for h in common.header_mutation.set_headers}
    assert values == {names.MAX_RETRIES_HEADER: b"1", "content-type": b"application/json"}
    assert list(common.header_mutation.remove_headers) == ["accept-encoding"]
    assert not common.HasField("body_mutation")
    groups = answer.dynamic_metadata[names.PLAN_NAMESPACE]["priority_groups"]
    assert [group["clusters"][0]["cluster_name"] for group in groups] == ["llm/a", "llm/b#2"]
    told = answer.dynamic_metadata[names.REQUEST_NAMESPACE]
    assert told["path"] == "/v1/chat/completions"
    assert dict(told["paths"]) == {"llm/b#2": "/v1/messages"}


@pytest.mark.parametrize("is_sampled", [True, False])
@pytest.mark.parametrize("number", [0, 0xFFFF_FFFF_FFFF_FFFF, 0x1234_5678_9ABC])
def test_a_stream_is_named_beside_its_plan(number: int, is_sampled: bool) -> None:
    reply = plan_reply() + wire.encode_mark(number, is_sampled=is_sampled)
    answer = encode(RequestBody(b""), Forward(reply, b"{}"))
    mark = answer.dynamic_metadata[names.STREAM_NAMESPACE]
    assert mark[names.STREAM_NUMBER] == f"{number:016x}"
    assert (names.STREAM_SAMPLED in mark) is is_sampled
    assert answer.dynamic_metadata[names.PLAN_NAMESPACE]["priority_groups"]
    assert answer.dynamic_metadata[names.REQUEST_NAMESPACE]["path"] == "/v1/chat/completions"


def test_a_plan_for_a_body_that_nobody_reads_answers_the_headers_and_keeps_their_type() -> None:
    steered = replace(STEERED, is_read=False, content_type="", bodies={})
    answer = encode(RequestHeaders({}, False), Forward(wire.encode_plan(steered, ["llm/a"]), None))
    assert answer.WhichOneof("response") == "request_headers"
    set_headers = answer.request_headers.response.header_mutation.set_headers
    assert [each.header.key for each in set_headers] == [names.MAX_RETRIES_HEADER]
    assert "said" not in answer.dynamic_metadata[names.REQUEST_NAMESPACE]


def test_a_plan_may_go_as_the_name_of_a_cluster() -> None:
    reply = wire.encode_plan_in_header(STEERED, "plan/a>b")
    answer = encode(RequestBody(b""), Forward(reply, None))
    common = answer.request_body.response
    assert common.clear_route_cache
    values = {h.header.key: h.header.raw_value for h in common.header_mutation.set_headers}
    assert values[names.PLAN_HEADER] == b"plan/a>b"
    assert values[names.MAX_RETRIES_HEADER] == b"1"
    assert list(answer.dynamic_metadata) == [names.REQUEST_NAMESPACE]
    assert answer.dynamic_metadata[names.REQUEST_NAMESPACE]["bodies"]["llm/b#2"]["model"] == "mb"


@pytest.mark.parametrize("size", [0, 100, 16_384])
def test_a_new_body_comes_with_its_length_and_keeps_the_plan(size: int) -> None:
    body = b"x" * size
    answer = encode(RequestBody(b""), Forward(plan_reply(), body))
    common = answer.request_body.response
    assert common.body_mutation.body == body
    values = {h.header.key: h.header.raw_value for h in common.header_mutation.set_headers}
    assert values["content-length"] == b"%d" % size
    assert values[names.MAX_RETRIES_HEADER] == b"1"
    assert common.clear_route_cache
    assert names.PLAN_NAMESPACE in answer.dynamic_metadata


def test_an_answer_of_our_own_carries_everything() -> None:
    respond = Respond(429, (("retry-after", "7"),), b"{}", "dragoman_budget")
    answer = encode(RequestBody(b""), respond).immediate_response
    assert answer.status.code == 429
    assert answer.body == b"{}"
    assert answer.details == "dragoman_budget"
    assert answer.headers.set_headers[0].header.key == "retry-after"
    assert answer.headers.set_headers[0].header.raw_value == b"7"


def test_what_is_told_of_a_body_that_stays_answers_the_body() -> None:
    answer = encode(RequestBody(b""), Forward(b"", None, low="daily; model=small"))
    assert answer.WhichOneof("response") == "request_body"
    assert not answer.request_body.response.HasField("body_mutation")


def test_an_attempt_learns_what_is_forwarded_and_what_its_provider_is_to_be_told() -> None:
    plan = Response.FromString(plan_reply())
    request = Request(request_headers=headers(a="1"))
    request.metadata_context.filter_metadata[names.REQUEST_NAMESPACE].update(
        dict(plan.dynamic_metadata[names.REQUEST_NAMESPACE])
    )
    event, order = wire.decode_attempt(request.SerializeToString(), "llm/b#2")
    assert event == RequestHeaders({"a": "1"}, False)
    assert order == wire.Order(FIRST, SECOND, True)
    assert wire.decode_attempt(request.SerializeToString(), "llm/a")[1] is None
    body = Response.FromString(wire.encode_body(b"new")).request_body.response
    assert body.body_mutation.body == b"new"


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_384, 300_000])
def test_a_piece_of_an_answer_is_replaced_by_bytes_of_any_number(size: int) -> None:
    answer = encode(ResponseBody(b"x", False), Replace(b"y" * size))
    assert answer.response_body.response.body_mutation.WhichOneof("mutation") == "body"
    assert answer.response_body.response.body_mutation.body == b"y" * size


def test_the_last_piece_is_replaced_and_then_the_connections_are_cut() -> None:
    finish = Finish(b"last words", "dragoman_budget_exhausted")
    answer = encode(ResponseBody(b"x", False), finish)
    assert answer.response_body.response.body_mutation.body == b"last words"
    cut = Response.FromString(wire.encode_cut(finish)).immediate_response
    assert (cut.status.code, cut.details) == (503, "dragoman_budget_exhausted")


@pytest.mark.parametrize(("is_whole", "mode"), [(True, "BUFFERED"), (False, "STREAMED")])
def test_an_answer_is_asked_for_with_other_headers(is_whole: bool, mode: str) -> None:
    watch = Watch(((":status", "503"),), ("content-length",), is_whole)
    answer = encode(ResponseHeaders(200, "llm/a"), watch)
    mutation = answer.response_headers.response.header_mutation
    assert mutation.set_headers[0].header.raw_value == b"503"
    assert list(mutation.remove_headers) == ["content-length"]
    modes = type(answer.mode_override).BodySendMode
    assert answer.mode_override.response_body_mode == modes.Value(mode)


def test_the_beginning_of_an_answer_is_asked_for_before_its_headers_go_on() -> None:
    answer = encode(ResponseHeaders(200, "llm/a"), Watch(is_beginning=True))
    modes = type(answer.mode_override).BodySendMode
    assert answer.mode_override.response_body_mode == modes.Value("BUFFERED_PARTIAL")


def test_all_of_an_answer_is_asked_for_as_it_comes() -> None:
    answer = encode(ResponseHeaders(200, ""), Watch(is_flowing=True))
    modes = type(answer.mode_override).BodySendMode
    assert answer.mode_override.response_body_mode == modes.Value("FULL_DUPLEX_STREAMED")
    assert answer.mode_override.response_trailer_mode == 1  # SEND


@pytest.mark.parametrize("size", [0, 9, 70_000])
def test_a_whole_answer_is_replaced_with_its_length(size: int) -> None:
    answer = encode(ResponseBody(b"", True), Replace(b"x" * size, ("etag",)))
    response = answer.response_body.response
    (length,) = response.header_mutation.set_headers
    assert (length.header.key, length.header.raw_value) == ("content-length", b"%d" % size)
    assert list(response.header_mutation.remove_headers) == ["etag"]
    assert response.body_mutation.body == b"x" * size


@pytest.mark.parametrize("is_to_the_end", [False, True])
@pytest.mark.parametrize("is_answered", [False, True])
@pytest.mark.parametrize("removed", [(), ("x",)])
def test_a_body_may_be_asked_for_when_its_headers_are_there(
    removed: tuple[str, ...], is_answered: bool, is_to_the_end: bool
) -> None:
    strip = Strip(removed, reading=Reading(is_answered, is_to_the_end))
    answer = encode(RequestHeaders({}, False), strip)
    assert tuple(answer.request_headers.response.header_mutation.remove_headers) == removed
    mode = answer.mode_override
    assert (mode.request_body_mode, mode.response_body_mode) == (2, 0)  # BUFFERED, NONE
    assert mode.response_header_mode == (1 if is_answered else 2)  # SEND, SKIP
    assert mode.response_trailer_mode == (1 if is_to_the_end else 2)


def test_response_headers_say_which_tries_were_answered_with_a_failure() -> None:
    request = Request(response_headers=headers(**{":status": "200"}))
    failures = request.metadata_context.filter_metadata[names.FAILURES_NAMESPACE]
    failures.update({"llm/a": {"status": 429, "retry-after": "20", "other": "x"}})
    request.metadata_context.filter_metadata[names.PLAN_NAMESPACE].update({"llm/b": 1})
    found = decode(request)
    assert isinstance(found, ResponseHeaders)
    assert found.failures == {"llm/a": Failure(429, {"retry-after": "20"})}


def test_the_headers_of_an_answer_are_changed_and_the_rest_passes() -> None:
    action = ChangeHeaders((("retry-after", "7"),), ("retry-after-ms",))
    response = encode(ResponseHeaders(429, "llm/a"), action)
    assert not response.HasField("mode_override")
    mutation = response.response_headers.response.header_mutation
    [option] = mutation.set_headers
    assert (option.header.key, option.header.raw_value) == ("retry-after", b"7")
    assert list(mutation.remove_headers) == ["retry-after-ms"]


def test_tries_are_told_which_is_the_last_and_how_long_they_may_take() -> None:
    steered = replace(STEERED, last="llm/b", try_seconds=2.5)
    response = Response.FromString(wire.encode_plan(steered, ["llm/a", "llm/b"]))
    assert response.dynamic_metadata[names.REQUEST_NAMESPACE]["last"] == "llm/b"
    options = response.request_body.response.header_mutation.set_headers
    told = {each.header.key: each.header.raw_value for each in options}
    assert told[names.TRY_TIMEOUT_HEADER] == b"2500"


def test_what_is_added_to_a_body_is_told_to_its_try() -> None:
    wanted = Said(Dialect.ANTHROPIC, "opus", BodyForm.PLAIN, '{"fields":{}}')
    steered = replace(STEERED, bodies={"llm/b#2": wanted})
    response = Response.FromString(wire.encode_plan(steered, ["llm/a", "llm/b#2"]))
    told = response.dynamic_metadata[names.REQUEST_NAMESPACE]
    request = Request(request_headers={})
    request.metadata_context.filter_metadata[names.REQUEST_NAMESPACE].CopyFrom(told)
    _, order = wire.decode_attempt(request.SerializeToString(), "llm/b#2")
    assert order is not None
    assert order.wanted == wanted


def test_a_copy_is_told_its_order_by_a_header() -> None:
    order = Order(
        Said(Dialect.OPENAI_CHAT, 'm"é'), Said(Dialect.BEDROCK, "", BodyForm.PLAIN, "{}"), True
    )
    told = wire.encode_order(order)
    assert told.isascii()
    assert told.isprintable()
    request = Request(request_headers=headers(**{names.MIRROR_ORDER_HEADER: told}))
    event, found = wire.decode_mirror(request.SerializeToString(), "")
    assert isinstance(event, RequestHeaders)
    assert found == order


def test_a_copy_that_is_told_nothing_has_no_order() -> None:
    for request in (Request(request_headers={}), Request(request_body={"body": b"{}"})):
        assert wire.decode_mirror(request.SerializeToString(), "")[1] is None


def test_headers_that_a_plan_sets_are_set() -> None:
    steered = replace(STEERED, set_headers=[("x-dragoman-mirror", "llm/a/mirror")])
    response = Response.FromString(wire.encode_plan(steered, ["llm/a"]))
    options = response.request_body.response.header_mutation.set_headers
    told = {each.header.key: each.header.raw_value for each in options}
    assert told["x-dragoman-mirror"] == b"llm/a/mirror"


def test_a_request_may_have_headers_of_its_own_beside_those_of_its_plan() -> None:
    for body in (None, b"{}"):
        told = Forward(plan_reply(), body, (("anthropic-beta", "a-1"),))
        common = encode(RequestBody(b""), told).request_body.response
        values = {h.header.key: h.header.raw_value for h in common.header_mutation.set_headers}
        assert values["anthropic-beta"] == b"a-1"
        assert values[names.MAX_RETRIES_HEADER] == b"1"
        assert common.body_mutation.body == (body or b"")


def test_a_backend_may_be_shown_something_else_than_what_was_ours_to_read() -> None:
    action = Strip(("cookie",), set_headers=(("authorization", "Bearer t"),))
    mutation = encode(RequestHeaders({}, True), action).request_headers.response.header_mutation
    assert list(mutation.remove_headers) == ["cookie"]
    [shown] = mutation.set_headers
    assert (shown.header.key, shown.header.raw_value) == ("authorization", b"Bearer t")
