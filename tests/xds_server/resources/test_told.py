"""The headers that say where limits stand, and the routes that have them."""

from __future__ import annotations

import pytest

from gateway import names
from gateway.limits import Limit, LimitHeaders
from tests.kit.gateways import gateway_of
from xds_server.resources.plain_route import plain_route
from xds_server.resources.told import added, is_told, removed


def told_by(text: str) -> tuple[Limit, ...]:
    return gateway_of(f"limits: [{{name: l, {text}}}]").limits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("requests: 1/s", True),
        ("tokens: 1/s", True),
        ("bytes: 1/s", False),
        ("concurrent: 1", False),
    ],
)
def test_requests_and_tokens_are_told(text: str, expected: bool) -> None:
    assert is_told(told_by(text)) is expected


def test_each_header_is_read_from_what_extproc_wrote_down() -> None:
    both = added(LimitHeaders.BOTH)
    assert [each["header"]["key"] for each in both] == removed(LimitHeaders.BOTH)
    assert added(LimitHeaders.OPENAI) == both[:-2]
    assert removed(LimitHeaders.BOTH)[-2:] == ["ratelimit-policy", "ratelimit"]
    for name, each in zip((*names.RATE_LIMITS, "policy", "state"), both, strict=True):
        assert each["header"]["value"] == f"%DYNAMIC_METADATA({names.LIMITS_NAMESPACE}:{name})%"


@pytest.mark.parametrize(
    ("scope", "is_limited"), [("{route: a}", True), ("{route: b}", False), ("{key: '*'}", True)]
)
def test_a_plain_route_has_them_where_a_limit_is_for_it(scope: str, is_limited: bool) -> None:
    route = "{name: a, backend: 'http://a'}, {name: b, backend: 'http://a'}"
    (first, _) = gateway_of(
        f"limits: [{{name: l, for: {scope}, requests: 1/s}}]\nroutes: [{route}]"
    ).routes
    assert ("response_headers_to_add" in plain_route(first)) is is_limited
