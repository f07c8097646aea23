"""What a rate limit service can be told, and what is wrong with it."""

from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.limits import Descriptor, ServedLimit
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of

EVERYTHING = """
rate_limit_service:
  algorithm: sliding_window
  domains:
    - domain: edge
      descriptors:
        - key: a
          value: b*
          shadow_mode: true
          rate_limit: {unit: MINUTE, requests_per_unit: 5, name: fives}
          descriptors:
            - key: c
              descriptors:
                - {key: d, rate_limit: {unlimited: true}}
        - {key: a, rate_limit: {unit: week, requests_per_unit: 0}}
"""


def test_a_tree_is_what_was_written() -> None:
    ((domain, descriptors),) = gateway_of(EVERYTHING).rate_limit_service.domains
    unlimited = ServedLimit(0, "second", is_unlimited=True)
    below = Descriptor("c", descriptors=(Descriptor("d", limit=unlimited),))
    assert domain == "edge"
    assert descriptors == (
        Descriptor("a", "b*", ServedLimit(5, "minute", name="fives"), True, (below,)),
        Descriptor("a", limit=ServedLimit(0, "week")),
    )


def test_workers_are_told_all_of_it() -> None:
    config = load(EVERYTHING, file="a.yaml", environment={})
    assert isinstance(config, Config)
    told = gateway_of(for_workers(config)).rate_limit_service
    assert told == gateway_of(EVERYTHING).rate_limit_service


@pytest.mark.parametrize(
    ("descriptor", "complaint"),
    [
        ("{key: a, rate_limit: {unit: fortnight, requests_per_unit: 1}}", "rate_limit.unit: must"),
        ("{key: a, rate_limit: {unit: day}}", "rate_limit: needs unit and requests_per_unit"),
        ("{key: a, rate_limit: {unit: day, requests_per_unit: -1}}", "requests_per_unit: must be"),
        (
            "{key: a, rate_limit: {unlimited: true, unit: day}}",
            "rate_limit: is unlimited, and has a unit",
        ),
        ("{value: a}", "key: is required"),
        ("{key: a, rate_limits: {}}", "unknown key 'rate_limits'"),
        (
            "{key: a, descriptors: [{key: b}, {key: b}]}",
            "descriptors: 'b' is there twice",
        ),
        (
            "{key: a, descriptors: [{key: b, descriptors: [{kye: c, key: d}]}]}",
            "descriptors.0.descriptors.0.kye: unknown key 'kye'",
        ),
    ],
)
def test_mistakes_are_told_where_they_are(descriptor: str, complaint: str) -> None:
    domain = f"{{domain: edge, descriptors: [{descriptor}]}}"
    (found,) = complaints(f"rate_limit_service: {{domains: [{domain}]}}")
    assert found.startswith("rate_limit_service.domains.0.descriptors.0")
    assert complaint in found


def test_domains_and_entries_are_there_once() -> None:
    (found,) = complaints("rate_limit_service: {domains: [{domain: a}, {domain: a}]}")
    assert found == "rate_limit_service: domains: 'a' is there twice"
    twice = "[{key: a, value: b}, {key: a}, {key: a, value: b}]"
    (found,) = complaints(f"rate_limit_service: {{domains: [{{domain: a, descriptors: {twice}}}]}}")
    assert found == "rate_limit_service.domains.0: descriptors: 'a=b' is there twice"
