"""The official conformance suite through the gateway: the score of the server itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.conformance import (
    DIFFERENT,
    DIFFERENT_OF_PROGRAMS,
    FEDERATION,
    ONE,
    PROGRAM,
    Ways,
    gateway,
)
from tests.kit.conformance import Suite, installed, score

pytestmark = pytest.mark.envoy

AT_LEAST = {Suite.FIRST: 44, Suite.LEGACY: 82, Suite.MODERN: 121}
"""Checks that pass at the server itself: fewer would say that the suite did not run."""


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    installed()
    with gateway() as found:
        yield found


@pytest.mark.parametrize("suite", Suite)
def test_the_score_is_the_servers_own(ways: Ways, suite: Suite) -> None:
    urls = ways(suite)
    itself, one, both, program = (
        score(suite, urls[way]).scored(suite) for way in ("itself", ONE, FEDERATION, PROGRAM)
    )
    assert itself.passed >= AT_LEAST[suite]
    assert itself.failed == one.failed == both.failed == program.failed == 0
    assert one.worse_than(itself) == []
    assert set(both.worse_than(itself)) <= DIFFERENT
    assert set(program.worse_than(itself)) <= DIFFERENT_OF_PROGRAMS
