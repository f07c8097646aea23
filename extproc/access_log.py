"""Envoy's access log, as a gRPC service: how many bytes there were of streams that Python does not
see (`cut_streams`), and what Envoy's own rules refused.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/accesslog/v3/als.proto
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from envoy_api import message

from extproc.audits import Audits
from extproc.cut_streams import CutStreams
from extproc.edges.service import Call, Status, Stream
from extproc.facts import Facts
from extproc.verdict import By, Deny, PolicyKind
from gateway import names

METHOD = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
_Message: Any = message("envoy.service.accesslog.v3.StreamAccessLogsMessage")
_NOTHING = b""
"""A StreamAccessLogsResponse, which has no fields."""


class AccessLog:
    """Takes the logs of every thread of Envoy, each in a call that does not end."""

    def __init__(self, streams: CutStreams, audits: Audits) -> None:
        self._streams = streams
        self._audits = audits
        self._open: set[Call] = set()
        self._is_leaving = False

    def __call__(self, call: Call) -> Stream:
        self._open.add(call)
        return _Log(call, self)

    def leave(self) -> None:
        """This worker is about to end: Envoy finds another one for what it logs next."""
        self._is_leaving = True
        for call in tuple(self._open):
            call.end(Status.UNAVAILABLE, "shutting down")

    def read(self, call: Call, data: bytes) -> None:
        for entry in _Message.FromString(data).http_logs.log_entry:
            found = _sent(entry)
            if found is not None:
                self._streams.tell(*found)
            denied = _denied(entry)
            if denied is not None:
                self._audits.refused(_facts(entry), denied)
        if self._is_leaving:
            call.end(Status.UNAVAILABLE, "shutting down")

    def forget(self, call: Call) -> None:
        self._open.discard(call)


class _Log:
    __slots__ = ("_call", "_log")

    def __init__(self, call: Call, log: AccessLog) -> None:
        self._call = call
        self._log = log

    def on_message(self, message: bytes) -> None:
        self._log.read(self._call, message)

    def on_half_close(self) -> None:
        self._call.send(_NOTHING)
        self._call.end()

    def on_close(self) -> None:
        self._log.forget(self._call)


def _sent(entry: Any) -> tuple[int, int] | None:
    """Of a stream, its number and the bytes that its provider sent."""
    common, response = entry.common_properties, entry.response
    namespaces = common.metadata.filter_metadata
    if names.STREAM_NAMESPACE not in namespaces:
        return None
    try:
        number = int(
            namespaces[names.STREAM_NAMESPACE].fields[names.STREAM_NUMBER].string_value, 16
        )
    except ValueError:  # not ours
        return None
    if not response.response_body_bytes:  # its headers alone
        return number, 0
    # of what the client got, the bytes may be compressed
    received = common.upstream_wire_bytes_received - response.upstream_header_bytes_received
    return number, max(0, received)


def _denied(entry: Any) -> Deny | None:
    """What Envoy has refused by a rule; the client was told so."""
    namespaces = entry.common_properties.metadata.filter_metadata
    if names.DECISION_NAMESPACE not in namespaces:
        return None
    fields = namespaces[names.DECISION_NAMESPACE].fields
    policy = fields[names.DECIDING_POLICY].string_value
    if not policy or fields[names.DECISION].string_value != names.DENIED:
        return None
    return _OF_TOKENS.get(policy) or _of_rules(policy.split(","))


_OF_TOKENS = {
    names.INVALID_TOKEN_POLICY: Deny(
        401, "invalid_token", "the token is not valid", by=By(PolicyKind.IDENTITY)
    ),
    names.MISSING_CREDENTIAL_POLICY: Deny(
        401, "missing_credential", "no token was given", by=By(PolicyKind.IDENTITY)
    ),
}


def _of_rules(rules: list[str]) -> Deny:
    quoted = ", ".join(f"'{rule}'" for rule in rules)
    by = By(PolicyKind.RULE, ", ".join(rules))
    return Deny(403, "permission_denied", f"denied by {quoted}", by=by)


def _facts(entry: Any) -> Facts:
    """What the log says of the request; not who asked."""
    common, request = entry.common_properties, entry.request
    return Facts(
        now=common.start_time.ToDatetime(UTC),
        path=request.path,
        headers={"x-request-id": request.request_id},
        route=common.route_name,
    )
