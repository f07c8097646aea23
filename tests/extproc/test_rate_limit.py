"""Envoy's rate limit protocol, as a grpcio client and a recorded call see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy_api import message

from extproc import rate_limit
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.audits import Audits
from extproc.edges.fast import serve
from extproc.edges.service import Status
from extproc.ports import Limiter
from extproc.process import Process
from extproc.program import build
from extproc.rate_limit import RateLimits
from tests.kit.calls import RecordedCall
from tests.kit.counted import Counted
from tests.kit.far_limiter import FarLimiter
from tests.kit.gateways import gateway_of
from tests.kit.memory_ledger import MemoryLedger

Request: Any = message("envoy.service.ratelimit.v3.RateLimitRequest")
Response: Any = message("envoy.service.ratelimit.v3.RateLimitResponse")
OK, OVER_LIMIT = 1, 2
YAML = """
rate_limit_service:
  domains:
    - domain: edge
      descriptors:
        - {key: tenant, rate_limit: {unit: minute, requests_per_unit: 2, name: each-tenant}}
        - {key: free, rate_limit: {unlimited: true}}
        - {key: closed, rate_limit: {unit: week, requests_per_unit: 0}}
"""


def process(limiter: Limiter | None, counted: Counted | None = None) -> Process:
    made = Process(lambda: 0.0, Audits(counted) if counted else None)
    made.program = build(
        gateway_of(YAML),
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=1,
        limiter=limiter,
    )
    return made


def descriptor(key: str, value: str = "a", **more: Any) -> Any:
    return {"entries": [{"key": key, "value": value}], **more}


def ask(made: Process, request: Any) -> tuple[tuple[int, str] | None, Any]:
    call = RecordedCall(RateLimits(made))
    call.stream.on_message(request.SerializeToString())
    return call.status, Response.FromString(call.sent[-1]) if call.sent else None


def test_it_is_said_what_is_left_and_when_there_is_more(tmp_path: Path) -> None:
    counted = Counted()
    made = process(MappedLimiter(tmp_path, None, lambda: 10**12, rows=64), counted)
    request = Request(domain="edge", descriptors=[descriptor("tenant")])
    told = [ask(made, request)[1] for _ in range(3)]
    assert [each.overall_code for each in told] == [OK, OK, OVER_LIMIT]
    assert [each.statuses[0].limit_remaining for each in told] == [1, 0, 0]
    limit = told[0].statuses[0].current_limit
    assert (limit.requests_per_unit, limit.unit, limit.name) == (2, 2, "each-tenant")
    assert told[0].statuses[0].duration_until_reset.ToSeconds() == 30
    assert told[2].statuses[0].duration_until_reset.ToSeconds() == 30
    headers = {each.key: each.value for each in told[2].response_headers_to_add}
    assert headers == {"retry-after": "30"}
    assert not told[0].response_headers_to_add
    assert counted.enforced == {("limit", "each-tenant", "deny", "rate_limit_exceeded"): 1}


def test_hits_are_the_descriptors_own_or_else_the_requests(tmp_path: Path) -> None:
    made = process(MappedLimiter(tmp_path, None, lambda: 10**12, rows=64))
    both = [descriptor("tenant", "a"), descriptor("tenant", "b", hits_addend={"value": 0})]
    answer = ask(made, Request(domain="edge", descriptors=both, hits_addend=2))[1]
    assert [each.limit_remaining for each in answer.statuses] == [0, 2]


def test_an_override_is_taken(tmp_path: Path) -> None:
    made = process(MappedLimiter(tmp_path, None, lambda: 10**12, rows=64))
    own = descriptor("tenant", limit={"requests_per_unit": 7, "unit": 3})
    (status,) = ask(made, Request(domain="edge", descriptors=[own]))[1].statuses
    assert (status.current_limit.requests_per_unit, status.limit_remaining) == (7, 6)
    assert status.current_limit.unit == 3


def test_what_is_unlimited_closed_or_unknown(tmp_path: Path) -> None:
    made = process(MappedLimiter(tmp_path, None, lambda: 10**12, rows=64))
    asked = [descriptor("free"), descriptor("closed"), descriptor("unknown")]
    statuses = ask(made, Request(domain="edge", descriptors=asked))[1].statuses
    assert [each.code for each in statuses] == [OK, OVER_LIMIT, OK]
    assert statuses[0].limit_remaining == 2**32 - 1
    assert statuses[1].current_limit.unit == 7
    assert statuses[1].duration_until_reset.ToSeconds() == 7 * 86400
    assert not statuses[2].HasField("current_limit")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(descriptors=[descriptor("tenant")]), Status.INVALID_ARGUMENT),
        (Request(domain="edge"), Status.INVALID_ARGUMENT),
        (
            Request(domain="edge", descriptors=[descriptor("tenant", is_negative_hits=True)]),
            Status.INVALID_ARGUMENT,
        ),
        (Request(domain="edge", descriptors=[descriptor("tenant")]), Status.UNAVAILABLE),
    ],
)
def test_what_cannot_be_answered_is_an_error(request_: Any, expected: Status) -> None:
    status, answer = ask(process(None), request_)
    assert status is not None
    assert (status[0], answer) == (expected, None)


def test_before_there_is_a_configuration_nothing_is_answered() -> None:
    request = Request(domain="edge", descriptors=[descriptor("tenant")])
    status, answer = ask(Process(lambda: 0.0), request)
    assert (status and status[0], answer) == (Status.UNAVAILABLE, None)


@pytest.mark.parametrize("is_far", [False, True])
def test_a_grpc_client_is_answered(tmp_path: Path, is_far: bool) -> None:
    async def main() -> list[int]:
        limiter = MappedLimiter(tmp_path, None, rows=64)
        by = FarLimiter(limiter) if is_far else limiter
        methods = {rate_limit.METHOD: RateLimits(process(by))}
        server = await serve(methods)
        async with grpc.aio.insecure_channel(server.address) as channel:
            should = channel.unary_unary(
                rate_limit.METHOD,
                request_serializer=Request.SerializeToString,
                response_deserializer=Response.FromString,
            )
            request = Request(domain="edge", descriptors=[descriptor("tenant")])
            codes = [(await should(request, timeout=10)).overall_code for _ in range(3)]
            if isinstance(by, FarLimiter):
                assert list(by.shared.values()) == [True]
                by.is_cut = True
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await should(request, timeout=10)
                assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        await server.close()
        limiter.close()
        return codes

    assert asyncio.run(main()) == [OK, OK, OVER_LIMIT]
