"""What Envoy is told of requests that go where extproc says, to MCP servers and A2A agents: the
way there, and that their answers are shown, as protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from envoy_api import message

from extproc.events import ChangeHeaders, Direct, Flow, Reading, Show
from extproc.new_bodies import DIGESTS, of_flowing, of_request, varint
from extproc.told import encode_told
from gateway import names

_ProcessingResponse: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
_HeaderMutation: Any = message("envoy.service.ext_proc.v3.HeaderMutation")
# The tags of the fields, all length-delimited (wire type 2).
_REQUEST_HEADERS, _REQUEST_BODY = b"\x0a", b"\x1a"  # ProcessingResponse: 1 and 3
_RESPONSE = b"\x0a"  # HeadersResponse.response, BodyResponse.response = 1
_HEADER_MUTATION = b"\x12"  # CommonResponse.header_mutation = 2
_MOST_REMEMBERED = 8192
_SAID_ONCE = frozenset({names.MCP_STREAMS_HEADER, names.MCP_ROUNDS_HEADER})
"""Headers that are another each time: remembered, they would only take the place of others."""
_OVERWRITE = 2  # HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD

_MODE: Mapping[str, str] = {
    "request_header_mode": "SEND",
    "request_body_mode": "BUFFERED",
    "request_trailer_mode": "SKIP",
    "response_header_mode": "SEND",
    "response_body_mode": "NONE",
    "response_trailer_mode": "SKIP",
}
SHOWN: bytes = _ProcessingResponse(request_headers={}, mode_override=_MODE).SerializeToString()
"""The headers are read; go on with the body, and show the status of the answer, too."""
SHOWN_TO_THE_END: bytes = _ProcessingResponse(
    request_headers={}, mode_override={**_MODE, "response_trailer_mode": "SEND"}
).SerializeToString()
"""The same, and the call is open until the answer is over."""
_FLOWING_MODE: Mapping[str, str] = {
    **_MODE,
    "response_body_mode": "FULL_DUPLEX_STREAMED",
    "response_trailer_mode": "SEND",
}
_FLOWING: bytes = _ProcessingResponse(
    request_headers={}, mode_override=_FLOWING_MODE
).SerializeToString()
"""The same, and all of the answer as it comes."""
_FLOWING_ANSWER: bytes = _ProcessingResponse(
    mode_override={**_FLOWING_MODE, "request_body_mode": "NONE"}
).SerializeToString()
"""Show the answer to what has no body, as it comes."""
_HEAD: bytes = _ProcessingResponse(response_headers={"response": {}}).SerializeToString()
"""The headers of an answer that flows go on as they are."""
_ANSWERED: bytes = _ProcessingResponse(
    mode_override={**_MODE, "request_body_mode": "NONE"}
).SerializeToString()
"""Show the status of the answer to what has no body."""


def patience(seconds: float) -> bytes:
    """Sent before an answer that takes longer than Envoy would wait; at most as long as its filter
    lets it (`max_message_timeout`)."""
    response = _ProcessingResponse(override_message_timeout={"nanos": 0})
    response.override_message_timeout.FromMilliseconds(round(seconds * 1000))
    return bytes(response.SerializeToString())


def encode_way(
    cluster: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    *,
    is_read: bool,
    header: str = names.MCP_HEADER,
) -> bytes:
    """What is always the same where a request goes to this server; `headers`: its own; `header`:
    the one that says so. An empty path stays as it is."""
    at = [(":path", path)] if path else []
    set_headers = [(header, cluster), *at, *headers]
    response = {
        "header_mutation": {"set_headers": [_header(*each) for each in set_headers]},
        "clear_route_cache": True,
    }
    kind = "request_body" if is_read else "request_headers"
    whole = _ProcessingResponse(**{kind: {"response": response}})
    return bytes(whole.SerializeToString(deterministic=True))


def encode_show(action: Show) -> bytes:
    """Read on."""
    if action.is_flowing:
        return _FLOWING
    return SHOWN_TO_THE_END if action.is_to_the_end else SHOWN


@cache
def encode_reading(reading: Reading) -> bytes:
    """What goes behind an answer to headers whose body is to be shown."""
    mode = {
        **_MODE,
        "response_header_mode": "SEND" if reading.is_answered else "SKIP",
        "response_trailer_mode": "SEND" if reading.is_to_the_end else "SKIP",
    }
    return bytes(_ProcessingResponse(mode_override=mode).SerializeToString())


def encode_flow(action: Flow) -> Iterator[bytes]:
    """The messages that let parts of an answer go on; each part is said once."""
    if (head := action.head) is not None and not (head.set_headers or head.remove_headers):
        yield _HEAD
    elif head is not None:
        response = _ProcessingResponse(
            response_headers={"response": {"header_mutation": _mutation(head)}}
        )
        yield bytes(response.SerializeToString())
    if action.body or action.is_end:
        yield of_flowing(action.body, is_end=action.is_end)
    if action.trailers is not None:
        response = _ProcessingResponse(
            response_trailers={"header_mutation": _mutation(action.trailers)}
        )
        yield bytes(response.SerializeToString())


def _mutation(changed: ChangeHeaders) -> dict[str, Any]:
    return {
        "set_headers": [_header(*each) for each in changed.set_headers],
        "remove_headers": changed.remove_headers,
    }


def encode_direct(action: Direct) -> bytes:
    """The way, then what is of this request alone: parts of one message.

    Said by hand, of parts that come again and again, as the headers of a session do.
    https://protobuf.dev/programming-guides/encoding/
    """
    told = action.reply
    if action.turns:
        told += _turns(action.turns)
    if action.set_headers or action.remove_headers:
        mutation = b"".join(
            (
                *(_said(*each) for each in action.set_headers),
                *(_removed(each) for each in action.remove_headers),
            )
        )
        common = _HEADER_MUTATION + varint(len(mutation)) + mutation
        phase = _RESPONSE + varint(len(common)) + common
        told += (_REQUEST_BODY if action.is_read else _REQUEST_HEADERS) + varint(len(phase)) + phase
    if action.is_flowing:
        told += _FLOWING_ANSWER if action.body is None else _new_body(action.body)
    if action.is_shown:
        told += _ANSWERED
    if action.session or action.token or action.address:
        told += _session(action.session, action.token, action.address)
    if action.told:
        told += encode_told(action.told)
    if action.body is None or action.is_flowing:
        return told
    return of_request(told, action.body)


def _new_body(body: bytes) -> bytes:
    """What goes on behind headers, in the place of a body or without there being one; Envoy shows
    the answer."""
    common = {
        "status": "CONTINUE_AND_REPLACE",
        "header_mutation": {
            "set_headers": [_header("content-length", str(len(body)))],
            "remove_headers": DIGESTS,
        },
        "body_mutation": {"body": body},
    }
    response = _ProcessingResponse(request_headers={"response": common})
    return bytes(response.SerializeToString()) + _FLOWING_ANSWER


def _said(name: str, value: str) -> bytes:
    """A header that is set, as a field of a HeaderMutation."""
    return _set.__wrapped__(name, value) if name in _SAID_ONCE else _set(name, value)


@lru_cache(_MOST_REMEMBERED)
def _turns(clusters: tuple[str, ...]) -> bytes:
    """Of A2A agents, behind the way to the first of them."""
    others = str(len(clusters) - 1)
    set_headers = [(names.A2A_OTHERS_HEADER, others), (names.MAX_RETRIES_HEADER, others)]
    mutation = {"set_headers": [_header(*each) for each in set_headers]}
    response = _ProcessingResponse(request_body={"response": {"header_mutation": mutation}})
    groups = [
        {"name": f"{place}", "clusters": [{"cluster_name": cluster, "weight": 1}]}
        for place, cluster in enumerate(clusters, 1)
    ]
    response.dynamic_metadata.update({names.PLAN_NAMESPACE: {"priority_groups": groups}})
    return bytes(response.SerializeToString(deterministic=True))


@lru_cache(_MOST_REMEMBERED)
def _set(name: str, value: str) -> bytes:
    return bytes(_HeaderMutation(set_headers=[_header(name, value)]).SerializeToString())


@lru_cache(_MOST_REMEMBERED)
def _removed(name: str) -> bytes:
    return bytes(_HeaderMutation(remove_headers=[name]).SerializeToString())


@lru_cache(_MOST_REMEMBERED)
def _session(shown: str, token: str, address: str) -> bytes:
    """What the client calls its session, for the answer; what the server is shown, and where it
    is."""
    response = _ProcessingResponse()
    said = {
        names.MCP_SESSION: shown,
        names.MCP_TOKEN: token,
        names.WEBHOOK_ADDRESS: address,
    }
    found = {name: value for name, value in said.items() if value}
    response.dynamic_metadata.update({names.MCP_NAMESPACE: found})
    return bytes(response.SerializeToString())


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "raw_value": value.encode()}, "append_action": _OVERWRITE}
