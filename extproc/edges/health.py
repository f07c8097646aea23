"""The standard health service, grpc.health.v1, over either edge.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest

from extproc.edges.service import Call, Methods, Status

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"

# HealthCheckResponse messages, ready-made: field 1 is the status.
SERVING = b"\x08\x01"
NOT_SERVING = b"\x08\x02"
SERVICE_UNKNOWN = b"\x08\x03"


class Health:
    """What this process says of itself; the empty name is the whole process."""

    def __init__(self) -> None:
        self._answers: dict[str, bytes] = {"": NOT_SERVING}
        self._watches: dict[str, set[Call]] = {}

    @property
    def methods(self) -> Methods:
        return {CHECK: self._check, WATCH: self._watch}

    def set(self, is_serving: bool, service: str = "") -> None:
        answer = SERVING if is_serving else NOT_SERVING
        if self._answers.get(service) == answer:
            return
        self._answers[service] = answer
        for call in tuple(self._watches.get(service, ())):
            call.send(answer)

    def leave(self) -> None:
        """This process is about to end: nothing is served, and nobody watches any longer."""
        for service, calls in tuple(self._watches.items()):
            self.set(False, service)
            for call in tuple(calls):
                call.end(Status.UNAVAILABLE, "shutting down")
        for service in self._answers:
            self._answers[service] = NOT_SERVING

    def answer(self, service: str) -> bytes | None:
        return self._answers.get(service)

    def watch(self, service: str, call: Call) -> None:
        self._watches.setdefault(service, set()).add(call)

    def unwatch(self, service: str, call: Call) -> None:
        calls = self._watches.get(service, set())
        calls.discard(call)
        if not calls:
            self._watches.pop(service, None)

    def _check(self, call: Call) -> _Check:
        return _Check(self, call)

    def _watch(self, call: Call) -> _Watch:
        return _Watch(self, call)


class _Check:
    def __init__(self, health: Health, call: Call) -> None:
        self._health = health
        self._call = call

    def on_message(self, message: bytes) -> None:
        service = _service(self._call, message)
        if service is None:
            return
        answer = self._health.answer(service)
        if answer is None:
            self._call.end(Status.NOT_FOUND, "unknown service")
            return
        self._call.send(answer)
        self._call.end()

    def on_half_close(self) -> None:
        self._call.end(Status.INVALID_ARGUMENT, "no request")

    def on_close(self) -> None: ...


class _Watch:
    def __init__(self, health: Health, call: Call) -> None:
        self._health = health
        self._call = call
        self._service: str | None = None

    def on_message(self, message: bytes) -> None:
        if self._service is not None:
            self._call.end(Status.INVALID_ARGUMENT, "a second request")
            return
        self._service = _service(self._call, message)
        if self._service is not None:
            self._health.watch(self._service, self._call)
            self._call.send(self._health.answer(self._service) or SERVICE_UNKNOWN)

    def on_half_close(self) -> None:
        if self._service is None:
            self._call.end(Status.INVALID_ARGUMENT, "no request")

    def on_close(self) -> None:
        if self._service is not None:
            self._health.unwatch(self._service, self._call)


def _service(call: Call, message: bytes) -> str | None:
    """None: the call was ended because the request cannot be read."""
    try:
        request: HealthCheckRequest = HealthCheckRequest.FromString(message)
    except DecodeError:
        call.end(Status.INVALID_ARGUMENT, "not a HealthCheckRequest")
        return None
    return str(request.service)
