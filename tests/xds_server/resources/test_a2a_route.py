"""The routes of the A2A gateway."""

from __future__ import annotations

import dataclasses
import re

import pytest

from gateway import names
from gateway.a2a import A2a
from tests.kit.gateways import golden_gateway
from xds_server.resources.a2a_route import FOUND, GRPC, NAME, REGISTRY, a2a_routes

GOLDEN = golden_gateway("a2a")
GATEWAY = dataclasses.replace(GOLDEN, a2a=dataclasses.replace(GOLDEN.a2a, push=None))
LISTENER = GATEWAY.listeners[0]


def test_without_agents_there_is_no_route() -> None:
    assert a2a_routes(dataclasses.replace(GATEWAY, a2a=A2a()), LISTENER) == ()


def test_extproc_says_where_a_request_goes_whichever_its_binding() -> None:
    routes = a2a_routes(GATEWAY, LISTENER)
    assert [each["name"] for each in routes] == [FOUND, NAME, REGISTRY, GRPC]
    for route in routes:
        assert route["route"]["cluster_header"] == names.A2A_HEADER
        assert route["route"]["timeout"] == "0s"
        asked = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        told = {each["key"]: each["value"] for each in asked["grpc_initial_metadata"]}
        assert told[names.ROLE_METADATA] == names.A2A_ROLE


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
    *_, route = a2a_routes(GATEWAY, LISTENER)
    pattern = route["match"]["safe_regex"]["regex"]
    assert bool(re.fullmatch(pattern, path)) is is_grpc


def test_no_agent_sees_what_the_client_shows_to_the_gateway() -> None:
    for route in a2a_routes(GATEWAY, LISTENER):
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
    (route,) = (each for each in a2a_routes(GATEWAY, LISTENER) if each["name"] == REGISTRY)
    assert bool(re.fullmatch(route["match"]["safe_regex"]["regex"], path)) is is_list
