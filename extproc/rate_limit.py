"""Envoy's rate limit service: other Envoys ask whether there is room, and we count.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/ratelimit/v3/rls.proto
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from envoy_api import message

from extproc.edges.service import Call, Stream
from extproc.edges.service import Status as Code
from extproc.ports import LimitsUnavailable
from extproc.process import Process
from extproc.program import Program
from extproc.served_limits import Asked, Status
from extproc.verdict import By, Deny, PolicyKind
from gateway.limits import UNITS, ServedLimit

logger = logging.getLogger(__name__)

METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
_Request: Any = message("envoy.service.ratelimit.v3.RateLimitRequest")
_Response: Any = message("envoy.service.ratelimit.v3.RateLimitResponse")
_OK, _OVER_LIMIT = 1, 2  # RateLimitResponse.Code
_UNITS = {"second": 1, "minute": 2, "hour": 3, "day": 4, "month": 5, "year": 6, "week": 7}
"""RateLimitResponse.RateLimit.Unit; the first six are also RateLimitOverride's."""
_OVERRIDING = {number: unit for unit, number in _UNITS.items() if number <= 6}
_MOST = 2**32 - 1
_SECOND = 1_000_000_000


class RateLimits:
    """Makes the stream of each question; shares the program of `Process`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __call__(self, call: Call) -> Stream:
        return _Question(call, self._process)


class _Question:
    __slots__ = ("_call", "_process")

    def __init__(self, call: Call, process: Process) -> None:
        self._call = call
        self._process = process

    def on_message(self, message: bytes) -> None:
        program = self._process.program
        request = _Request.FromString(message)
        if program is None:
            self._call.end(Code.UNAVAILABLE, "no configuration yet")
        elif not request.domain:
            self._call.end(Code.INVALID_ARGUMENT, "the domain is missing")
        elif not request.descriptors:
            self._call.end(Code.INVALID_ARGUMENT, "there are no descriptors")
        elif any(each.is_negative_hits for each in request.descriptors):
            self._call.end(Code.INVALID_ARGUMENT, "hits are not given back here")
        else:
            self._ask(program, request)

    def _ask(self, program: Program, request: Any) -> None:
        try:
            found = program.served_limits.ask(request.domain, _asked(request))
        except LimitsUnavailable as error:
            self._refuse(error)
            return
        if isinstance(found, list):
            self._tell(found)
        else:
            self._process.run(self._tell_later(found))

    async def _tell_later(self, asked: Awaitable[list[Status]]) -> None:
        try:
            self._tell(await asked)
        except LimitsUnavailable as error:
            self._refuse(error)
        except Exception:
            logger.exception("a rate limit cannot be told")
            self._call.end(Code.INTERNAL, "internal error")

    def _tell(self, statuses: Sequence[Status]) -> None:
        if any(each.is_over for each in statuses):
            self._process.audits.count(_refusal(statuses))
        self._call.send(_answer(statuses))
        self._call.end()

    def _refuse(self, error: LimitsUnavailable) -> None:
        logger.warning("a rate limit cannot be counted: %s", error)
        self._call.end(Code.UNAVAILABLE, "limits cannot be counted at the moment")

    def on_half_close(self) -> None:
        pass

    def on_close(self) -> None:
        pass


def _asked(request: Any) -> list[Asked]:
    """Without `hits_addend`, one; a descriptor's own is taken before the request's."""
    hits = request.hits_addend or 1
    return [
        Asked(
            tuple((entry.key, entry.value) for entry in each.entries),
            min(each.hits_addend.value, _MOST) if each.HasField("hits_addend") else hits,
            _override(each.limit) if each.HasField("limit") else None,
        )
        for each in request.descriptors
    ]


def _override(limit: Any) -> ServedLimit | None:
    unit = _OVERRIDING.get(limit.unit)
    return None if unit is None else ServedLimit(limit.requests_per_unit, unit)


def _refusal(statuses: Sequence[Status]) -> Deny:
    """For the count of refusals, by names of the configuration alone."""
    names = (each.limit.name for each in statuses if each.is_over and each.limit)
    by = By(PolicyKind.LIMIT, next(filter(None, names), "rate_limit_service"))
    return Deny(429, "rate_limit_exceeded", "", by=by)


def _answer(statuses: Sequence[Status]) -> bytes:
    is_over = any(each.is_over for each in statuses)
    response = _Response(overall_code=_OVER_LIMIT if is_over else _OK)
    for each in statuses:
        _tell(response.statuses.add(), each)
    if is_over:
        wait_ns = max(each.reset_ns for each in statuses if each.is_over)
        header = response.response_headers_to_add.add()
        header.key, header.value = "retry-after", str(max(1, -(-wait_ns // _SECOND)))
    return bytes(response.SerializeToString())


def _tell(told: Any, status: Status) -> None:
    told.code = _OVER_LIMIT if status.is_over else _OK
    limit = status.limit
    if limit is None:
        return
    if limit.is_unlimited:
        told.limit_remaining = _MOST
        return
    told.current_limit.requests_per_unit = limit.amount
    told.current_limit.unit = _UNITS[limit.unit]
    told.current_limit.name = limit.name
    told.limit_remaining = min(status.remaining, _MOST)
    reset_ns = status.reset_ns or (0 if limit.amount else UNITS[limit.unit] * _SECOND)
    told.duration_until_reset.FromNanoseconds(reset_ns)
