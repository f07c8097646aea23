"""A client and an agent who have no form in common, of whichever bindings and revisions: between
them, a worker reads request and answer.

The answer flows: what is streamed goes on as it comes; else headers and body wait until it is
whole, since the status of an error may be another for the client.

A client of gRPC gets trailers, which agents of JSON have none of. Their answers come through a
listener of Envoy's own, which gives trailers to every answer (`xds_server.resources.services`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from extproc.a2a import agent_errors, grpc_frames
from extproc.a2a.errors import ErrorKind, Fault, Status
from extproc.a2a.forms.calls import Call, Target
from extproc.a2a.forms.interpreter import Begun, Ended, Interpreter
from extproc.a2a.requests import A2aRequest
from extproc.a2a_serving.directory import NEWEST_FIRST, Found, Way
from extproc.a2a_serving.saying import fault_of
from extproc.events import (
    Action,
    ChangeHeaders,
    Flow,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
)
from extproc.ports import Asked
from extproc.verdict import Deny
from gateway import names
from gateway.a2a import Binding

_DETAILS: Final = "dragoman_a2a_interpreted"
_OWN: Final = (
    *("a2a-extensions", "x-a2a-extensions", "accept", "accept-encoding", "content-type"),
    *("grpc-accept-encoding", "grpc-encoding", "grpc-timeout", "te"),
)
"""Headers in which a client says its form."""
_OF_AGENTS: Final = (
    *("content-length", "grpc-accept-encoding", "grpc-encoding", "trailer"),
    *(names.A2A_FRAMED_HEADER, names.A2A_STATUS_HEADER, names.A2A_TYPE_HEADER),
)
"""Headers in which an agent says its own, and what Envoy says of it."""
_TRAILERS: Final = ("grpc-status", "grpc-message", "grpc-status-details-bin")
_UNKNOWN: Final = str(Status.UNKNOWN.value)
_FRAMED: Final = grpc_frames.frame(b"")
_NOT_KEPT: Final = ("cache-control", "no-store")
_AS_THEY_ARE: Final = ChangeHeaders(())
_Headers = tuple[tuple[str, str], ...]
Answering: TypeAlias = Action | Awaitable[Action]
Change: TypeAlias = Callable[[object], Awaitable[object]]
"""Gives another result, or a `Fault`."""


class Spoken(NamedTuple):
    """An agent, and how it is asked."""

    found: Found
    target: Target
    way: Way


def target_of(request: A2aRequest, found: Found) -> tuple[Target, Way]:
    """How an agent with any ways is asked: in the client's revision if it can be, and binding."""
    revisions = dict.fromkeys((request.revision, *NEWEST_FIRST))
    bindings = dict.fromkeys((request.binding, *Binding))
    known = ((binding, revision) for revision in revisions for binding in bindings)
    spoken = next(each for each in known if each in found.ways)
    return Target(*spoken), found.ways[spoken]


def is_bridged(client: Binding, agent: Binding) -> bool:
    """Whether the answer needs trailers that the agent's has not."""
    return client is Binding.GRPC and agent is not Binding.GRPC


class Interpreted:
    """The answer to one request, as it flows."""

    __slots__ = (
        "_begun",
        "_change",
        "_headers",
        "_interpreter",
        "_is_bridged",
        "_is_late",
        "_prefix_bytes",
        "is_over",
    )

    def __init__(
        self,
        interpreter: Interpreter,
        client: Binding,
        agent: Binding,
        change: Change | None = None,
    ) -> None:
        """`change`: of what is answered, in 1.0; None: it stays."""
        self._interpreter = interpreter
        self._change = change
        self._is_bridged = is_bridged(client, agent)
        self._prefix_bytes = 0
        """What is before the agent's answer, and has not come."""
        self._is_late = agent is Binding.GRPC and client is not Binding.GRPC
        """The first event takes the headers along: an error after none has a status of its own, and
        a body can be said only once there was one."""
        self._begun: Begun | None = None
        """The head of a stream that has not gone on."""
        self._headers: ChangeHeaders | None = None
        """What has gone on; None: nothing yet."""
        self.is_over = False
        """Nothing of it follows that has to be read."""

    def begins(self, event: ResponseHeaders) -> Answering:
        """What is done with the headers of the agent's answer."""
        status, headers = event.status, event.headers
        if self._is_bridged:
            if "grpc-status" in headers or names.A2A_STATUS_HEADER not in headers:
                return self._broken(status, headers)
            status = int(headers[names.A2A_STATUS_HEADER])
            headers = {**headers, "content-type": headers.get(names.A2A_TYPE_HEADER, "")}
            self._prefix_bytes = len(_FRAMED) if names.A2A_FRAMED_HEADER in headers else 0
        self._begun = self._interpreter.begin(status, headers)
        if event.is_end:
            return self._ended(b"", headers, has_trailers=False)
        return Flow() if self._begun is None or self._is_late else Flow(self._head())

    def take(self, data: bytes, *, is_end: bool) -> Answering:
        """What goes on for a piece."""
        if self._prefix_bytes:
            data, prefix = data[self._prefix_bytes :], data[: self._prefix_bytes]
            self._prefix_bytes -= len(prefix)
        passed = self._interpreter.feed(data)
        if is_end:
            return self._ended(passed, {}, has_trailers=False)
        return Flow(self._head(), passed) if passed else Flow()

    def end(self, trailers: Mapping[str, str]) -> Answering:
        """The same for the trailers, which are its end."""
        return self._ended(b"", trailers, has_trailers=True)

    def _ended(
        self, passed: bytes, trailers: Mapping[str, str], *, has_trailers: bool
    ) -> Answering:
        self.is_over = True
        if self._change is not None:
            return self._changed(self._change, trailers, has_trailers=has_trailers)
        has_begun = bool(passed) or self._headers is not None
        ended = self._interpreter.end(trailers, has_begun=has_begun)
        return self._said(passed, ended, has_trailers=has_trailers)

    async def _changed(
        self, change: Change, trailers: Mapping[str, str], *, has_trailers: bool
    ) -> Action:
        """Of what never streams."""
        result = self._interpreter.result(trailers)
        if not isinstance(result, Fault):
            result = await change(result)
        ended = self._interpreter.ended(result)
        if ended.begun is not None:  # it is the caller's own
            status, headers = ended.begun
            ended = ended._replace(begun=Begun(status, (*headers, _NOT_KEPT)))
        return self._said(b"", ended, has_trailers=has_trailers)

    def _said(self, passed: bytes, ended: Ended, *, has_trailers: bool) -> Action:
        body = passed + ended.body
        if self._headers is None and not ended.trailers:  # whole, or an error of gRPC
            begun = ended.begun or self._begun or Begun(200, ())
            return Respond(begun.status, begun.headers, body, _DETAILS)
        if ended.begun is not None:
            self._begun = ended.begun
        is_grpc = bool(ended.trailers)
        trailers = ChangeHeaders(ended.trailers, () if is_grpc else _TRAILERS)
        return Flow(self._head(), body, not is_grpc, trailers if has_trailers else None)

    def _head(self) -> ChangeHeaders | None:
        """The headers that go on now; None: they have."""
        if self._headers is not None or self._begun is None:
            return None
        status, headers = self._begun
        self._headers = ChangeHeaders(((":status", str(status)), *headers), _OF_AGENTS)
        return self._headers

    def _broken(self, status: int, headers: Mapping[str, str]) -> Action:
        """An answer of Envoy's, which has not reached the agent. What it answers at the bridge, the
        bridge takes for an agent's that it does not know."""
        self.is_over = True
        fault = agent_errors.read_grpc(headers)
        if fault is None or "grpc-status" not in headers:
            fault = Fault(ErrorKind.BAD_GATEWAY, f"the agent's answer is lost ({status})")
        elif headers["grpc-status"] == _UNKNOWN:
            fault = fault_of(Deny(503, "agent_unreachable", "the agent could not be reached"))
        return answered(self._interpreter.ended(fault))


def answered(ended: Ended) -> Respond:
    """A whole answer of which nothing has gone on, and which has no trailers."""
    status, headers = (200, ()) if ended.begun is None else ended.begun
    return Respond(status, headers, ended.body, _DETAILS)


def passed(event: ResponseHeaders | ResponseBody | ResponseEnd) -> Flow:
    """A part of an answer that flows, and that nobody reads."""
    if isinstance(event, ResponseHeaders):
        return Flow(_AS_THEY_ARE)
    if isinstance(event, ResponseBody):
        return Flow(None, event.body, event.is_end)
    return Flow(trailers=_AS_THEY_ARE)


def set_headers(call: Call, way: Way, cluster: str = "") -> _Headers:
    """Of the request, on its way to the agent; through the bridge where its `cluster` is said."""
    path = (":method", call.method), (":path", _path(call, way))
    if not cluster:
        return *path, *call.headers
    said = {"content-type": "application/json", "accept": "application/json", **dict(call.headers)}
    return (
        *path,
        *([(names.A2A_FRAMED_HEADER, "true")] if _may_be_empty(call) else ()),
        (names.A2A_HEADER, names.A2A_BRIDGE_CLUSTER),
        (names.SERVICE_HEADER, cluster),
        (names.A2A_TYPE_HEADER, said.pop("content-type")),
        (names.A2A_ACCEPT_HEADER, said.pop("accept")),
        *said.items(),
    )


def bridged_body(call: Call) -> bytes:
    """The body of the same, on its way to the bridge."""
    return _FRAMED if _may_be_empty(call) else call.body


def _may_be_empty(call: Call) -> bool:
    """Whether the agent may answer with nothing, which the bridge adds trailers to only where it
    adds a message."""
    return call.method == "DELETE"


def removed_headers(call: Call, cluster: str = "") -> tuple[str, ...]:
    """What the client says of its own form; the bridge has to know that it is gRPC."""
    said = {name for name, _ in call.headers}
    if cluster:
        said |= {"content-type", "te"}
    return tuple(each for each in _OWN if each not in said)


def asked_of(call: Call, way: Way, headers: _Headers) -> Asked:
    """The same as a request of the worker's own. `headers`: the configuration's."""
    return Asked(call.method, _path(call, way), (*call.headers, *headers), call.body)


def _path(call: Call, way: Way) -> str:
    return f"{way.path}{call.path}{f'?{call.query}' if call.query else ''}"
