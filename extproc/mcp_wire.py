"""What Envoy is told of MCP requests, as protobuf: where one goes, and that its answer is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envoy_api import message

from extproc.events import Direct
from extproc.new_bodies import of_request
from extproc.told import encode_told
from gateway import names

_ProcessingResponse: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
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


def patience(seconds: float) -> bytes:
    """Sent before an answer that takes longer than Envoy would wait; at most as long as its filter
    lets it (`max_message_timeout`)."""
    response = _ProcessingResponse(override_message_timeout={"nanos": 0})
    response.override_message_timeout.FromMilliseconds(round(seconds * 1000))
    return bytes(response.SerializeToString())


def encode_way(
    cluster: str, path: str, headers: Sequence[tuple[str, str]], *, is_read: bool
) -> bytes:
    """What is always the same where a request goes to this server; `headers`: its own."""
    set_headers = [(names.MCP_HEADER, cluster), (":path", path), *headers]
    response = {
        "header_mutation": {"set_headers": [_header(*each) for each in set_headers]},
        "clear_route_cache": True,
    }
    kind = "request_body" if is_read else "request_headers"
    whole = _ProcessingResponse(**{kind: {"response": response}})
    return bytes(whole.SerializeToString(deterministic=True))


def encode_direct(action: Direct) -> bytes:
    """The way, then what is of this request alone: parts of one message."""
    told = action.reply
    if action.set_headers or action.remove_headers:
        mutation = {
            "set_headers": [_header(*each) for each in action.set_headers],
            "remove_headers": action.remove_headers,
        }
        kind = "request_body" if action.is_read else "request_headers"
        response = _ProcessingResponse(**{kind: {"response": {"header_mutation": mutation}}})
        told += response.SerializeToString()
    if action.session:
        response = _ProcessingResponse()
        session = {names.MCP_SESSION: action.session}
        response.dynamic_metadata.update({names.MCP_NAMESPACE: session})
        told += response.SerializeToString()
    if action.told:
        told += encode_told(action.told)
    return told if action.body is None else of_request(told, action.body)


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "raw_value": value.encode()}, "append_action": _OVERWRITE}
