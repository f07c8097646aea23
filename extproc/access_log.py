"""Envoy's access log of streams, as a gRPC service: how many bytes there were of those that Python
does not see (`cut_streams`).

https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/accesslog/v3/als.proto
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envoy_api import message

from extproc.cut_streams import CutStreams
from extproc.edges.service import Call, Status, Stream
from gateway import names

METHOD = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
_Message: Any = message("envoy.service.accesslog.v3.StreamAccessLogsMessage")
_NOTHING = b""
"""A StreamAccessLogsResponse, which has no fields."""


class AccessLog:
    """Takes the log of every thread of Envoy, each in a call that does not end."""

    def __init__(self, streams: CutStreams) -> None:
        self._streams = streams
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
        for number, sent_bytes in _entries(_Message.FromString(data)):
            self._streams.tell(number, sent_bytes)
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


def _entries(told: Any) -> Iterator[tuple[int, int]]:
    """Of each stream, its number and the bytes that its provider sent."""
    for entry in told.http_logs.log_entry:
        common, response = entry.common_properties, entry.response
        fields = common.metadata.filter_metadata[names.STREAM_NAMESPACE].fields
        try:
            number = int(fields[names.STREAM_NUMBER].string_value, 16)
        except ValueError:  # not ours
            continue
        if not response.response_body_bytes:  # its headers alone
            yield number, 0
            continue
        # of what the client got, the bytes may be compressed
        received = common.upstream_wire_bytes_received - response.upstream_header_bytes_received
        yield number, max(0, received)
