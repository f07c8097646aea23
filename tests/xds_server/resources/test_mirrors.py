"""Copies of requests: routes that send them, and clusters that take them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import names
from tests.kit.gateways import golden_gateway
from xds_server.audience import Level
from xds_server.resources.attempts import MIRROR_FILTERS, UPSTREAM_FILTERS
from xds_server.resources.features import FEATURES
from xds_server.resources.llm_route import llm_routes
from xds_server.resources.mirrors import mirrored, with_copies

GATEWAY = golden_gateway("mirrors")
ROUTE: dict[str, Any] = {"name": "r", "match": {"path": "/x"}, "route": {"timeout": "0s"}}


def test_only_providers_that_get_copies_have_a_mirror() -> None:
    assert mirrored(GATEWAY.models) == ("openai",)
    assert mirrored(golden_gateway("llm-single").models) == ()


def test_a_route_that_sends_copies_stands_before_the_one_that_does_not() -> None:
    copying, plain = with_copies(ROUTE, ["a"])
    assert plain == ROUTE
    header = {"name": names.MIRROR_HEADER, "string_match": {"exact": "llm/a/mirror"}}
    assert copying["match"] == {"path": "/x", "headers": [header]}
    assert copying["route"]["request_mirror_policies"] == [{"cluster": "llm/a/mirror"}]
    assert copying["name"] != "r"


@pytest.mark.parametrize("level", Level)
def test_bodies_that_nobody_reads_are_not_copied(level: Level) -> None:
    made = llm_routes(GATEWAY, GATEWAY.listeners[0], FEATURES[level])
    copying = [each["name"] for each in made if "request_mirror_policies" in each["route"]]
    assert copying
    assert len({each["name"] for each in made}) == len(made)
    assert not [name for name in copying if "files" in name or "realtime" in name]


@pytest.mark.parametrize("level", Level)
def test_no_route_sends_copies_where_no_model_has_a_mirror(level: Level) -> None:
    gateway = golden_gateway("llm-single")
    made = llm_routes(gateway, gateway.listeners[0], FEATURES[level])
    assert not [each for each in made if "request_mirror_policies" in each["route"]]


def test_a_mirror_wipes_what_was_shown_to_others() -> None:
    wiping = [build for build in UPSTREAM_FILTERS if "wipe" in build.__name__]
    assert [build for build in MIRROR_FILTERS if build in wiping] == wiping
