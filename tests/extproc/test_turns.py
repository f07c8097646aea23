from __future__ import annotations

import dataclasses

import pytest

from extproc.turns import AS_WRITTEN, Turns
from gateway.failover import Failover
from gateway.model import Provider, Target
from tests.kit.gateways import golden_gateway

PLAIN: Provider = dataclasses.replace(
    golden_gateway("llm-failover-paths").providers[0], silence_seconds=60
)


def first_byte(seconds: float) -> Provider:
    return dataclasses.replace(PLAIN, first_byte_seconds=seconds)


@pytest.mark.parametrize(
    ("failover", "providers", "is_stream", "seconds"),
    [
        (Failover(), (PLAIN, PLAIN), True, None),
        (Failover(), (first_byte(2), first_byte(5)), True, 5),
        (Failover(), (first_byte(2), first_byte(5)), False, None),
        (Failover(), (first_byte(2), PLAIN), True, 60),
        (Failover(seconds=30), (PLAIN, PLAIN, PLAIN), True, 10),
        (Failover(seconds=30), (PLAIN, PLAIN, PLAIN), False, 10),
        (Failover(seconds=30), (first_byte(2), first_byte(2)), True, 2),
        (Failover(seconds=3), (first_byte(2), first_byte(2)), True, 1.5),
        (Failover(seconds=30), (PLAIN,), False, 30),
    ],
)
def test_how_long_a_try_may_take(
    failover: Failover, providers: tuple[Provider, ...], is_stream: bool, seconds: float | None
) -> None:
    assert Turns(failover).seconds(providers, is_stream=is_stream) == seconds


def test_how_many_are_tried() -> None:
    assert [Turns(Failover(attempts=2)).count(targets) for targets in (1, 2, 3)] == [1, 2, 2]
    assert AS_WRITTEN.count(16) == 16


def test_without_health_the_order_is_the_written_one() -> None:
    assert AS_WRITTEN.order((Target("a", "m"), Target("b", "m"))) is None


def test_orders_that_envoy_knows() -> None:
    turns = Turns(Failover(), sequences=[("b", "a")])
    assert turns.has(["b", "a"])
    assert not turns.has(["a", "b"])
