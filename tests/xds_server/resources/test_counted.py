"""Which answers extproc has to be told of, for limits and budgets."""

from __future__ import annotations

import pytest

from tests.kit.gateways import gateway_of
from xds_server.resources.counted import are_places_counted, is_usage_counted, llm_limits


@pytest.mark.parametrize(
    ("text", "usage", "places"),
    [
        ("limits: [{name: l, requests: 1/s, bytes: 1MB/s}]", False, False),
        ("limits: [{name: l, tokens: 1/s}]", True, False),
        ("limits: [{name: l, concurrent: 1}]", False, True),
        ("limits: [{name: l, for: {route: '*'}, concurrent: 1}]", False, False),
        ("budgets: [{name: b, limit: 1 USD, per: day}]", True, False),
        ("gateways: {g: {port: 1}}", False, False),
    ],
)
def test_usage_for_tokens_and_the_end_for_places(text: str, usage: bool, places: bool) -> None:
    gateway = gateway_of(text)
    assert (is_usage_counted(gateway), are_places_counted(gateway)) == (usage, places)


def test_limits_of_routes_are_not_of_llm_apis() -> None:
    text = "limits: [{name: a, requests: 1/s}, {name: b, for: {route: '*'}, requests: 1/s}]"
    assert [each.name for each in llm_limits(gateway_of(text))] == ["a"]
