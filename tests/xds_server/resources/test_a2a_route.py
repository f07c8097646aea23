"""The routes of the A2A gateway."""

from __future__ import annotations

import dataclasses
import re

import pytest

from gateway import names
from gateway.a2a import A2a
from tests.kit.a2a_pools import INSTANCES
from tests.kit.gateways import gateway_of, golden_gateway
from xds_server.audience import Level
from xds_server.resources.a2a_route import FOUND, FOUND_SEVERAL, GRPC, NAME, REGISTRY, a2a_routes
from xds_server.resources.features import FEATURES

OLD, NEW = FEATURES[Level.V1_37], FEATURES[Level.V1_40]
GOLDEN = golden_gateway("a2a")
GATEWAY = dataclasses.replace(GOLDEN, a2a=dataclasses.replace(GOLDEN.a2a, push=None))
LISTENER = GATEWAY.listeners[0]


def test_without_agents_there_is_no_route() -> None:
    assert a2a_routes(dataclasses.replace(GATEWAY, a2a=A2a()), LISTENER, NEW) == ()


def test_extproc_says_where_a_request_goes_whichever_its_binding() -> None:
    routes = a2a_routes(GATEWAY, LISTENER, NEW)
    assert [each["name"] for each in routes] == [FOUND, NAME, REGISTRY, GRPC]
    for route in routes:
        assert route["route"]["cluster_header"] == names.A2A_HEADER
        assert route["route"]["timeout"] == "0s"
        asked = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        told = {each["key"]: each["value"] for each in asked["grpc_initial_metadata"]}
        assert told[names.ROLE_METADATA] == names.A2A_ROLE


def test_others_get_what_the_first_has_no_connection_for() -> None:
    gateway = gateway_of(INSTANCES)
    several, *rest = a2a_routes(gateway, LISTENER, NEW)
    assert several["name"] == FOUND_SEVERAL
    (match,) = several["match"]["headers"]
    assert match == {"name": names.A2A_OTHERS_HEADER, "present_match": True}
    action, (found, *_) = several["route"], rest
    assert "cluster_header" not in action
    assert "priority_group" in action["inline_cluster_specifier_plugin"]["extension"]["name"]
    retried = action["retry_policy"]
    assert retried["refresh_cluster_on_retry"]
    assert retried["retry_on"] == found["route"]["retry_policy"]["retry_on"]
    assert several["request_headers_to_remove"] == found["request_headers_to_remove"]
    assert list(a2a_routes(gateway, LISTENER, OLD)) == rest
    assert FOUND_SEVERAL not in {each["name"] for each in a2a_routes(GATEWAY, LISTENER, NEW)}


@pytest.mark.parametrize(
    ("path", "is_grpc"),
    [
        ("/lf.a2a.v1.A2AService/SendMessage", True),
        ("/a2a.v1.A2AService/GetTask", True),
        ("/lfxa2a.v1.A2AService/GetTask", False),
        ("/a2a.v1.A2AService/", False),
        ("/x/a2a.v1.A2AService/GetTask", False),
    ],
)
def test_requests_of_grpc_are_known_by_their_service(path: str, is_grpc: bool) -> None:
    *_, route = a2a_routes(GATEWAY, LISTENER, NEW)
    pattern = route["match"]["safe_regex"]["regex"]
    assert bool(re.fullmatch(pattern, path)) is is_grpc


def test_no_agent_sees_what_the_client_shows_to_the_gateway() -> None:
    for route in a2a_routes(GATEWAY, LISTENER, NEW):
        removed = set(route["request_headers_to_remove"])
        assert {"authorization", "cookie", "x-api-key", names.A2A_HEADER} <= removed


@pytest.mark.parametrize(
    ("path", "is_list"),
    [
        ("/agents", True),
        ("/agents/events", True),
        ("/agents/", False),
        ("/agents/x", False),
        ("/agentsx", False),
    ],
)
def test_the_list_is_at_a_path_of_its_own_and_nothing_else_there(path: str, is_list: bool) -> None:
    (route,) = (each for each in a2a_routes(GATEWAY, LISTENER, NEW) if each["name"] == REGISTRY)
    assert bool(re.fullmatch(route["match"]["safe_regex"]["regex"], path)) is is_list
