"""Rate limit services that Envoy asks: what can be said of them, and who is told."""

from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.limits import LimitService
from tests.gateway.config.loading import complaints
from tests.kit.gateways import gateway_of

YAML = """
routes: [{name: a, match: {path: {prefix: /a}}, backend: "http://a", auth: none}]
limit_services: {s: {url: "https://s.example", domain: edge, on_error: allow}}
limits:
  - {name: asked, for: {route: a}, service: s}
  - {name: counted, for: {route: a}, requests: 1/s}
"""


@pytest.mark.parametrize(
    ("service", "complaint"),
    [
        ("url: 'http://s/path', domain: a", "limit_services.s: url: has a path"),
        ("url: 'http://s', domain: a, timeout: 0s", "limit_services.s: timeout: must be longer"),
        ("url: 'http://s'", "limit_services.s.domain: is required"),
        ("url: 'http://s', domain: a, on_error: no", "limit_services.s.on_error: must be"),
    ],
)
def test_what_cannot_be_asked_is_told(service: str, complaint: str) -> None:
    (found,) = complaints(f"limit_services: {{s: {{{service}}}}}")
    assert found.startswith(complaint)


def test_what_is_meant_is_what_was_written() -> None:
    ((service, upstream),) = gateway_of(YAML).limit_services
    assert service == LimitService("s", "edge", 0.1, True)
    assert (upstream.authority, upstream.is_tls) == ("s.example", True)


def test_workers_are_told_of_what_they_count_alone() -> None:
    config = load(YAML, file="a.yaml", environment={})
    assert isinstance(config, Config)
    told = gateway_of(for_workers(config))
    assert [each.name for each in told.limits] == ["counted"]
    assert told.limit_services == ()
