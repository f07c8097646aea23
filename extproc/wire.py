"""ext_proc's protobuf ↔ plain values: where the request path meets Envoy's messages.

Answers that never vary are serialised once. Those that vary are joined from serialised parts:
a parser merges the occurrences of a message field (protobuf's encoding guide, "Last One Wins").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from envoy_api import message
from msgspec import Struct
from msgspec.structs import asdict

from extproc import direct_wire, large_bodies
from extproc.events import (
    Action,
    ChangeHeaders,
    Continue,
    Direct,
    Event,
    Failure,
    Finish,
    Flow,
    Forward,
    Other,
    Replace,
    RequestBody,
    RequestHeaders,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Show,
    Strip,
    Watch,
)
from extproc.new_bodies import of_request, of_response
from extproc.protocols import structs
from extproc.told import encode_told
from gateway import names
from gateway.model import BodyForm, Dialect
from gateway.usage import Usage

_ATTRIBUTES = "envoy.filters.http.ext_proc"
_ProcessingRequest: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
_ProcessingResponse: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
_TokenUsage: Any = message("envoy.data.ai.v3.TokenUsage")
_OVERWRITE = 2  # HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD


_CONTINUE: Mapping[str, bytes] = {
    kind: _ProcessingResponse(**{kind: {}}).SerializeToString()
    for kind in (
        "request_headers",
        "request_body",
        "request_trailers",
        "response_headers",
        "response_body",
        "response_trailers",
    )
}
CONTINUE_AFTER: Mapping[type, bytes] = {
    RequestHeaders: _CONTINUE["request_headers"],
    RequestBody: _CONTINUE["request_body"],
    ResponseHeaders: _CONTINUE["response_headers"],
    ResponseBody: _CONTINUE["response_body"],
    ResponseEnd: _CONTINUE["response_trailers"],
}

SHOWN_SESSION: bytes = _ProcessingResponse(
    request_headers={
        "response": {"header_mutation": {"remove_headers": ["sec-websocket-extensions"]}}
    },
    mode_override={"response_header_mode": "SEND"},
).SerializeToString()
"""What goes behind an encoded plan for a websocket, so that its answer is shown, and readable."""

_NO_TRAILERS: Mapping[str, str] = {}
_ANY_NUMBER = "0" * 16


def _marking(**more: bool) -> tuple[bytes, bytes]:
    """What stands before and behind a stream's number."""
    response = _ProcessingResponse()
    told = {names.STREAM_NUMBER: _ANY_NUMBER, **more}
    response.dynamic_metadata.update({names.STREAM_NAMESPACE: told})
    before, _, behind = response.SerializeToString(deterministic=True).partition(
        _ANY_NUMBER.encode()
    )
    return before, behind


_MARK, _MARK_SAMPLED = _marking(), _marking(**{names.STREAM_SAMPLED: True})


def decode(data: bytes) -> Event:
    """One ProcessingRequest as an event."""
    if len(data) > large_bodies.LARGE_BYTES:
        body = large_bodies.request_body(data)
        if body is not None:
            return RequestBody(body)
    return _event(_ProcessingRequest.FromString(data))


def _event(request: Any) -> Event:
    kind = request.WhichOneof("request")
    if kind == "request_body":
        return RequestBody(request.request_body.body)
    if kind == "request_headers":
        part = request.request_headers
        headers = _headers(part.headers.headers)
        attributes, metadata = request.attributes, request.metadata_context.filter_metadata
        if not attributes and not metadata:
            return RequestHeaders(headers, part.end_of_stream)
        fields = attributes[_ATTRIBUTES].fields
        return RequestHeaders(
            headers,
            part.end_of_stream,
            _host(fields["source.address"].string_value),
            fields["connection.uri_san_peer_certificate"].string_value
            or fields["connection.dns_san_peer_certificate"].string_value,
            fields["connection.subject_peer_certificate"].string_value,
            structs.plain(metadata[names.EXTERNAL_NAMESPACE]) or None if metadata else None,
        )
    if kind == "response_headers":
        headers = _headers(request.response_headers.headers.headers)
        status = int(headers.get(":status", "0"))
        fields = request.attributes[_ATTRIBUTES].fields
        cluster = fields["xds.cluster_name"].string_value
        attempt = _count(fields, "upstream.request_attempt_count")
        failures = _failures(request.metadata_context.filter_metadata)
        # nobody asks why it went well
        details = "" if status < 300 else fields["response.code_details"].string_value
        is_end = request.response_headers.end_of_stream
        return ResponseHeaders(status, cluster, details, attempt, headers, failures, is_end)
    if kind == "response_body":
        return ResponseBody(request.response_body.body, request.response_body.end_of_stream)
    if kind == "response_trailers":
        trailers = request.response_trailers.trailers.headers
        usage = _usage(request.metadata_context.typed_filter_metadata)
        return ResponseEnd(usage, _headers(trailers) if trailers else _NO_TRAILERS)
    return Other(kind or "")


class Said(Struct, frozen=True, array_like=True):
    """How a body is said."""

    dialect: Dialect | None
    """None: it is no conversation, and only the model in it can change."""
    model: str
    """As it stands in the body; empty where the path says it."""
    form: BodyForm = BodyForm.PLAIN
    additions: str = ""
    """What is added to it last (`llm.additions`)."""
    vendor: str = ""
    """Whose servers it is written for; empty: it is the client's own, or all have one form."""
    target: str = ""
    """The model that it is written for, whoever names it; empty: it is the client's own."""
    terms: str = ""
    """The vendor whose servers call the client's fields otherwise; empty: as the client does."""
    is_unsealed: bool = False
    """What others sealed is to be taken out of what is forwarded, whose dialect is the same."""
    betas: str = ""
    """Those that it may name itself, with commas; empty: it names none, a header does."""


class Order(Struct, frozen=True, array_like=True):
    """What an attempt is told."""

    forwarded: Said
    """How the body that it sees is said."""
    wanted: Said
    """How it is to be said."""
    is_stream: bool


_order = msgspec.json.Decoder(Order)


def decode_attempt(data: bytes, cluster: str) -> tuple[Event, Order | None]:
    """One ProcessingRequest of the upstream filter of a cluster; no order: the body stays."""
    request = _ProcessingRequest.FromString(data)
    fields = request.metadata_context.filter_metadata[names.REQUEST_NAMESPACE].fields
    bodies = fields["bodies"].struct_value.fields
    if cluster not in bodies:
        return _event(request), None
    order = Order(
        _said(fields["said"].struct_value.fields),
        _said(bodies[cluster].struct_value.fields),
        fields["stream"].bool_value,
    )
    return _event(request), order


def decode_mirror(data: bytes, _cluster: str) -> tuple[Event, Order | None]:
    """The same of a copy, which is told by a header of ours."""
    event = decode(data)
    told = event.headers.get(names.MIRROR_ORDER_HEADER) if type(event) is RequestHeaders else None
    return event, None if told is None else _order.decode(told)


def encode_order(order: Order) -> str:
    """For a header: ASCII alone."""
    return json.dumps(msgspec.to_builtins(order), separators=(",", ":"))


def _said(fields: Any) -> Said:
    dialect = fields["dialect"].string_value
    return Said(
        Dialect(dialect) if dialect else None,
        fields["model"].string_value,
        BodyForm(fields["form"].string_value),
        fields["additions"].string_value,
        fields["vendor"].string_value,
        fields["target"].string_value,
        fields["terms"].string_value,
        fields["is_unsealed"].bool_value,
        fields["betas"].string_value,
    )


def encode(event: Event, action: Action) -> bytes:
    """The ProcessingResponse that answers this event."""
    if isinstance(action, Forward):
        return _encode_forward(action)
    if isinstance(action, Continue):
        return _CONTINUE[event.kind] if isinstance(event, Other) else CONTINUE_AFTER[type(event)]
    match action:
        case Strip():
            return _encode_strip(action)
        case Respond():
            return _encode_respond(action)
        case Direct():
            return direct_wire.encode_direct(action)
        case Show():
            return direct_wire.encode_show(action)
        case Flow():
            raise TypeError("what flows is several messages, or none: encode_flow")
        case Replace(remove_headers=None) | Finish():
            return of_response(action.body)
        case Replace():
            return _encode_whole(action)
        case Watch():
            return _encode_watch(action)
        case ChangeHeaders():
            return _encode_changed(action)


class Steered(Struct, frozen=True):
    """What Envoy is told of a plan, however it is told."""

    paths: Mapping[str, str]
    """Of each try, by cluster, in order."""
    bodies: Mapping[str, Said]
    """Of the tries that are to be told something else than what is forwarded."""
    forwarded: Said
    is_stream: bool
    is_read: bool
    """Answers the body; else the headers."""
    content_type: str
    """As the body was read; empty: as the client says."""
    remove_headers: Sequence[str]
    set_headers: Sequence[tuple[str, str]] = ()
    last: str = ""
    """The cluster of the last try, where there are several."""
    try_seconds: float | None = None
    """Until a try has to have begun its answer; None: as long as it may be silent."""
    translated: Sequence[str] = ()
    """The clusters whose answers the client does not get as they are."""


def encode_plan(steered: Steered, clusters: Sequence[str]) -> bytes:
    """The part of a Forward that depends on the plan; its clusters, in order, go as metadata."""
    response = _steered(steered)
    groups = [
        {"name": f"{place}", "clusters": [{"cluster_name": cluster, "weight": 1}]}
        for place, cluster in enumerate(clusters, 1)
    ]
    response.dynamic_metadata.update({names.PLAN_NAMESPACE: {"priority_groups": groups}})
    return bytes(response.SerializeToString(deterministic=True))


def encode_plan_in_header(steered: Steered, cluster: str) -> bytes:
    """The same for an Envoy that reads no plans: the cluster that is one goes as a header."""
    response = _steered(steered)
    phase = response.request_body if steered.is_read else response.request_headers
    phase.response.header_mutation.set_headers.add(**_header(names.PLAN_HEADER, cluster))
    return bytes(response.SerializeToString(deterministic=True))


def _steered(steered: Steered) -> Any:
    headers = [_header(names.MAX_RETRIES_HEADER, str(len(steered.paths) - 1))]
    if steered.try_seconds is not None:
        milliseconds = max(1, round(steered.try_seconds * 1000))
        headers.append(_header(names.TRY_TIMEOUT_HEADER, str(milliseconds)))
    if steered.content_type:
        headers.append(_header("content-type", steered.content_type))
    headers += [_header(name, value) for name, value in steered.set_headers]
    phase = {
        "response": {
            "header_mutation": {
                "set_headers": headers,
                "remove_headers": steered.remove_headers,
            },
            "clear_route_cache": True,
        }
    }
    kind = "request_body" if steered.is_read else "request_headers"
    response = _ProcessingResponse(**{kind: phase})
    first = next(iter(steered.paths.values()))
    others = {cluster: path for cluster, path in steered.paths.items() if path != first}
    told: dict[str, Any] = {"path": first}
    if others:
        told["paths"] = others
    if steered.last:
        told["last"] = steered.last
    if steered.bodies:
        told["said"] = asdict(steered.forwarded)
        told["bodies"] = {cluster: asdict(said) for cluster, said in steered.bodies.items()}
        told["stream"] = steered.is_stream
    if steered.translated:
        told["translated"] = dict.fromkeys(steered.translated, True)
    response.dynamic_metadata.update({names.REQUEST_NAMESPACE: told})
    return response


def encode_cut(finish: Finish) -> bytes:
    """What is sent after the answer, to cut the connections of a piece that was shown."""
    response = _ProcessingResponse(
        immediate_response={"status": {"code": 503}, "details": finish.details}
    )
    return bytes(response.SerializeToString())


def encode_mark(number: int, *, is_sampled: bool) -> bytes:
    """What goes behind an encoded plan, and names the stream that answers it in Envoy's log."""
    before, behind = _MARK_SAMPLED if is_sampled else _MARK
    return b"%b%016x%b" % (before, number, behind)


def encode_body(body: bytes) -> bytes:
    """A request_body answer that puts this body, and its length, in the old one's place."""
    return _encode_forward(Forward(b"", body))


def _encode_forward(action: Forward) -> bytes:
    """The plan's part, then the body's."""
    body, plan = action.body, action.plan_reply
    if action.headers:
        plan += _encode_set(action.headers)
    if action.told or action.low:
        plan += encode_told(action.told, action.low)
    if body is None:
        return plan if action.plan_reply else _CONTINUE["request_body"] + plan
    return of_request(plan, body)


def _encode_whole(action: Replace) -> bytes:
    """A whole answer in the place of another, with its length."""
    mutation = {
        "set_headers": [_header("content-length", str(len(action.body)))],
        "remove_headers": action.remove_headers or (),
    }
    response = _ProcessingResponse(response_body={"response": {"header_mutation": mutation}})
    return bytes(response.SerializeToString()) + of_response(action.body)


def _encode_set(headers: Sequence[tuple[str, str]]) -> bytes:
    mutation = {"set_headers": [_header(name, value) for name, value in headers]}
    response = _ProcessingResponse(request_body={"response": {"header_mutation": mutation}})
    return bytes(response.SerializeToString())


def _encode_changed(action: ChangeHeaders) -> bytes:
    response = _ProcessingResponse(response_headers=_changed(action))
    return bytes(response.SerializeToString())


def _changed(action: ChangeHeaders | Watch) -> dict[str, Any]:
    return {
        "response": {
            "header_mutation": {
                "set_headers": [_header(name, value) for name, value in action.set_headers],
                "remove_headers": action.remove_headers,
            }
        }
    }


def _encode_watch(action: Watch) -> bytes:
    response = _ProcessingResponse(
        response_headers=_changed(action),
        mode_override={
            "response_header_mode": "SEND",  # else a new length is not let through
            "response_body_mode": action.shown,
            "response_trailer_mode": "SEND" if action.is_flowing else "SKIP",
        },
    )
    return bytes(response.SerializeToString())


def _encode_strip(action: Strip) -> bytes:
    said = _CONTINUE["request_headers"]
    if action.headers or action.set_headers:
        mutation: dict[str, object] = {"remove_headers": action.headers}
        if action.set_headers:
            mutation["set_headers"] = [_header(name, value) for name, value in action.set_headers]
        response = _ProcessingResponse(request_headers={"response": {"header_mutation": mutation}})
        said = bytes(response.SerializeToString())
    if action.reading is not None:
        said += direct_wire.encode_reading(action.reading)
    return said + (encode_told(action.told) if action.told else b"")


def _encode_respond(action: Respond) -> bytes:
    response = _ProcessingResponse(
        immediate_response={
            "status": {"code": action.status},
            "headers": {"set_headers": [_header(name, value) for name, value in action.headers]},
            "body": action.body,
            "details": action.details,
        }
    )
    return bytes(response.SerializeToString())


def _headers(headers: Any) -> dict[str, str]:
    try:
        found = {header.key: header.raw_value.decode() for header in headers}
    except UnicodeDecodeError:
        return _joined(headers)
    return found if len(found) == len(headers) else _joined(headers)


def _joined(headers: Any) -> dict[str, str]:
    """The rare cases: bytes that are no text, and a name twice, which must hide neither value."""
    joined: dict[str, str] = {}
    for header in headers:
        value = header.raw_value.decode("utf-8", "replace")
        joined[header.key] = f"{joined[header.key]},{value}" if header.key in joined else value
    return joined


def _count(fields: Any, name: str) -> int:
    """A number among the attributes; 0 when it was not asked for."""
    return int(fields[name].number_value) if name in fields else 0


def _failures(namespaces: Any) -> Mapping[str, Failure]:
    if names.FAILURES_NAMESPACE not in namespaces:
        return {}
    found: dict[str, Failure] = {}
    for cluster, value in namespaces[names.FAILURES_NAMESPACE].fields.items():
        fields = value.struct_value.fields
        headers = {
            name: fields[name].string_value for name in names.RETRY_AFTER_HEADERS if name in fields
        }
        found[cluster] = Failure(int(fields["status"].number_value), headers)
    return found


def _host(address: str) -> str:
    """The IP address of `192.0.2.1:80` and `[2001:db8::1]:80`."""
    return address.rpartition(":")[0].strip("[]")


def _usage(typed: Any) -> Usage | None:
    packed = typed.get(names.USAGE_NAMESPACE)
    if packed is None:
        return None
    found = _TokenUsage.FromString(packed.value)
    read, written = found.input_tokens.value, found.output_tokens.value
    if not read and not written:
        return None
    thought = found.output_token_details.reasoning_tokens.value
    if not found.HasField("input_token_details"):
        return Usage(read, written, reasoning_tokens=thought)
    details = found.input_token_details
    cached, kept = details.cached_tokens.value, details.cache_creation_tokens.value
    return Usage(read, written, cached, kept, reasoning_tokens=thought)


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "raw_value": value.encode()}, "append_action": _OVERWRITE}
