"""Envoy's access log, as a gRPC service: how many bytes there were of streams that Python does not
see (`cut_streams`), and what Envoy refused itself, requests and connections.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/accesslog/v3/als.proto
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import msgspec
from envoy_api import message

from extproc import refused
from extproc.audits import Audits
from extproc.cut_streams import CutStreams
from extproc.edges.service import Call, Status, Stream
from extproc.facts import Facts
from extproc.process import Process
from extproc.program import Program
from extproc.verdict import Deny
from gateway import names

logger = logging.getLogger(__name__)

METHOD = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
_Message: Any = message("envoy.service.accesslog.v3.StreamAccessLogsMessage")
_NOTHING = b""
"""A StreamAccessLogsResponse, which has no fields."""


class AccessLog:
    """Takes the logs of every thread of Envoy, each in a call that does not end."""

    def __init__(self, streams: CutStreams, process: Process) -> None:
        self._streams = streams
        self._process = process
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
        program = self._process.program
        told = _Message.FromString(data)
        for connection in told.tcp_logs.log_entry:
            common = connection.common_properties
            refusal = refused.deny_handshake(common.downstream_transport_failure_reason)
            if refusal is not None:
                self._audits().refused(_facts_of_connection(common), refusal)
        for entry in told.http_logs.log_entry:
            found = _sent(entry)
            if found is not None:
                self._streams.tell(*found)
            denied = _refusal(entry)
            if denied is not None:
                self._audits().refused(_facts(entry, program), denied)
        if self._is_leaving:
            call.end(Status.UNAVAILABLE, "shutting down")

    def _audits(self) -> Audits:
        program = self._process.program
        return self._process.audits if program is None else program.audits

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


def _refusal(entry: Any) -> Deny | None:
    """What Envoy has refused itself; the client was told so."""
    response = entry.response
    if not response.response_code_details:
        return None
    return refused.deny(
        response.response_code_details,
        response.response_code.value,
        _by(entry.common_properties.custom_tags.get(names.REFUSING, "")),
        response.response_headers.get(_LIMIT, ""),
    )


_LIMIT = f"{names.RATE_LIMIT_PREFIX}limit-requests"
_read_names = msgspec.json.Decoder(dict[str, str]).decode


def _by(tag: str) -> Mapping[str, str]:
    """Names by the details of the response."""
    try:
        return _read_names(tag) if tag else {}
    except msgspec.DecodeError:
        logger.warning("Envoy names no service and no limit, but: %s", tag)
        return {}


def _facts_of_connection(common: Any) -> Facts:
    return Facts(
        now=common.start_time.ToDatetime(UTC),
        source_address=common.downstream_direct_remote_address.socket_address.address,
    )


def _facts(entry: Any, program: Program | None) -> Facts:
    """What the log says of the request. Who asked is known by a token, or a login, alone."""
    common, request = entry.common_properties, entry.request
    route = common.route_name
    facts = Facts(
        now=common.start_time.ToDatetime(UTC),
        method=_METHODS[request.request_method],
        path=request.path,
        headers={"x-request-id": request.request_id, **request.request_headers},
        source_address=common.downstream_remote_address.socket_address.address,
        route="" if route.startswith(_OF_LLM) else route,
    )
    if program is not None:
        program.authenticate.know(facts)
    return facts


_OF_LLM = "dragoman/"
_METHODS = ("", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
"""By `envoy.config.core.v3.RequestMethod`; empty: another."""
