"""Responses as messages, read back; requests as values."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from typing import Any

import envoy_api
import pytest
from envoy_api.discovery import Variant

from xds_server.audience import Level
from xds_server.refusals import READ_LIMIT
from xds_server.server.encoding import Encoder, Kept, node_of, parsed, request_of
from xds_server.snapshot import CLUSTER, Resource, resource_of
from xds_server.subscription.words import (
    BadRequest,
    DeltaRequest,
    DeltaResponse,
    Response,
    StateRequest,
    StateResponse,
)

DISCOVERY = "envoy.service.discovery.v3."


def cluster(name: str, ttl_seconds: float | None = None) -> Resource:
    body = envoy_api.message("envoy.config.cluster.v3.Cluster")(name=name)
    made = resource_of(name, CLUSTER, body.SerializeToString(deterministic=True))
    return replace(made, ttl_seconds=ttl_seconds)


A, B, MORTAL = cluster("a"), cluster("b"), cluster("m", 2.5)


def decoded(response: Response, encoder: Encoder | None = None) -> Any:
    name = "DiscoveryResponse" if isinstance(response, StateResponse) else "DeltaDiscoveryResponse"
    data = (encoder or Encoder()).encode(response)
    return envoy_api.message(DISCOVERY + name).FromString(data)


def test_a_delta_response_says_all_of_it() -> None:
    message = decoded(DeltaResponse(CLUSTER, "7", "v1", (A, B), ("gone",)))
    assert (message.type_url, message.nonce, message.system_version_info) == (CLUSTER, "7", "v1")
    assert list(message.removed_resources) == ["gone"]
    said = [(each.name, each.version, each.resource.type_url) for each in message.resources]
    assert said == [("a", A.version, CLUSTER), ("b", B.version, CLUSTER)]
    assert envoy_api.unpack(message.resources[1].resource).name == "b"
    assert not message.resources[0].HasField("ttl")


def test_a_state_response_says_all_of_it() -> None:
    message = decoded(StateResponse(CLUSTER, "7", "v1", (A, B)))
    assert (message.type_url, message.nonce, message.version_info) == (CLUSTER, "7", "v1")
    assert [envoy_api.unpack(each).name for each in message.resources] == ["a", "b"]


@pytest.mark.parametrize(
    "response", [DeltaResponse(CLUSTER, "1", "v1", ()), StateResponse(CLUSTER, "1", "v1", ())]
)
def test_the_control_plane_says_who_it_is(response: Response) -> None:
    version = importlib.metadata.version("dragoman")
    assert decoded(response).control_plane.identifier == f"dragoman {version}"
    assert list(decoded(response).resources) == []


def test_a_resource_that_ends_is_wrapped_where_it_could_not_say_so() -> None:
    plain, wrapped = decoded(StateResponse(CLUSTER, "1", "v1", (A, MORTAL))).resources
    assert plain.type_url == CLUSTER
    assert wrapped.type_url.endswith(".Resource")
    mortal = envoy_api.unpack(wrapped)
    assert (mortal.name, mortal.version) == ("m", MORTAL.version)
    assert (mortal.ttl.seconds, mortal.ttl.nanos) == (2, 500_000_000)
    assert envoy_api.unpack(mortal.resource).name == "m"


def test_a_delta_resource_says_when_it_ends() -> None:
    (mortal,) = decoded(DeltaResponse(CLUSTER, "1", "v1", (MORTAL,))).resources
    assert (mortal.ttl.seconds, mortal.ttl.nanos) == (2, 500_000_000)
    assert envoy_api.unpack(mortal.resource).name == "m"


def test_heartbeats_have_no_body() -> None:
    (beat,) = decoded(DeltaResponse(CLUSTER, "1", "v1", (), heartbeats=(MORTAL,))).resources
    assert (beat.name, beat.version, beat.ttl.seconds) == ("m", MORTAL.version, 2)
    assert not beat.HasField("resource")


def test_what_does_not_exist_is_a_name_without_a_body() -> None:
    (none,) = decoded(DeltaResponse(CLUSTER, "1", "v1", (), unresolved=("r/none",))).resources
    assert (none.name, list(none.aliases)) == ("r/none", ["r/none"])
    assert not none.HasField("resource")


@pytest.mark.parametrize("make", [DeltaResponse, StateResponse])
def test_many_clients_are_told_the_same_but_for_the_nonce(make: Any) -> None:
    encoder = Encoder()
    resources = (A, B)
    one = encoder.encode(make(CLUSTER, "1", "v1", resources))
    other = encoder.encode(make(CLUSTER, "2", "v1", (A, B)))
    assert one != other
    assert one.replace(b"1", b"2") == other.replace(b"1", b"2")
    assert decoded(make(CLUSTER, "3", "v2", (B, A)), encoder).nonce == "3"


def test_a_change_of_the_lifetime_alone_is_told() -> None:
    encoder = Encoder()
    encoder.encode(DeltaResponse(CLUSTER, "1", "v1", (A,)))
    changed = DeltaResponse(CLUSTER, "1", "v1", (replace(A, ttl_seconds=1),))
    assert decoded(changed, encoder).resources[0].ttl.seconds == 1


def test_what_is_kept_is_made_once_and_the_longest_unused_goes_first() -> None:
    made: list[str] = []

    def get(kept: Kept, key: str) -> bytes:
        def make() -> bytes:
            made.append(key)
            return b"12345"

        return kept.get(key, make)

    kept = Kept(limit_bytes=10)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert get(kept, key) == b"12345"
    assert made == ["a", "b", "c", "b"]


def test_something_too_large_to_keep_is_made_nevertheless() -> None:
    kept = Kept(limit_bytes=1)
    assert kept.get("a", lambda: b"12345") == b"12345"
    assert kept.get("b", lambda: b"67890") == b"67890"


def message_of(name: str, **fields: Any) -> bytes:
    data: bytes = envoy_api.message(DISCOVERY + name)(**fields).SerializeToString()
    return data


def test_a_delta_request_is_read() -> None:
    message = parsed(
        Variant.DELTA,
        message_of(
            "DeltaDiscoveryRequest",
            resource_names_subscribe=["a", "*"],
            resource_names_unsubscribe=["b"],
            initial_resource_versions={"c": "1"},
            response_nonce="9",
        ),
    )
    request = request_of(Variant.DELTA, message, CLUSTER)
    assert request == DeltaRequest(CLUSTER, ("a", "*"), ("b",), {"c": "1"}, "9", None)


def test_a_state_request_is_read() -> None:
    message = parsed(
        Variant.SOTW,
        message_of(
            "DiscoveryRequest",
            resource_names=["a", "b"],
            version_info="v1",
            response_nonce="9",
            error_detail={"message": "cannot"},
        ),
    )
    request = request_of(Variant.SOTW, message, CLUSTER)
    assert request == StateRequest(CLUSTER, ("a", "b"), "v1", "9", "cannot")


@pytest.mark.parametrize("variant", Variant)
def test_no_more_is_kept_of_an_error_than_is_read(variant: Variant) -> None:
    prefix = "Delta" if variant is Variant.DELTA else ""
    data = message_of(f"{prefix}DiscoveryRequest", error_detail={"message": "x" * (1 << 20)})
    assert request_of(variant, parsed(variant, data), CLUSTER).error == "x" * READ_LIMIT


@pytest.mark.parametrize("variant", list(Variant))
def test_an_error_without_words_is_an_error(variant: Variant) -> None:
    prefix = "Delta" if variant is Variant.DELTA else ""
    data = message_of(f"{prefix}DiscoveryRequest", error_detail={"code": 3})
    assert request_of(variant, parsed(variant, data), CLUSTER).error == ""


@pytest.mark.parametrize("variant", Variant)
def test_what_is_no_message_is_a_bad_request(variant: Variant) -> None:
    with pytest.raises(BadRequest, match="DiscoveryRequest"):
        parsed(variant, b"\xff\xff")


def test_a_node_says_who_it_is() -> None:
    message = envoy_api.message("envoy.config.core.v3.Node")(
        id="edge-7",
        cluster="edges",
        user_agent_name="envoy",
        user_agent_build_version={"version": {"major_number": 1, "minor_number": 40, "patch": 2}},
    )
    message.metadata.update({"labels": {"app": "shop"}, "weight": 3, "rest": [True, None]})
    message.metadata.fields["limit"].number_value = float("inf")
    message.metadata.fields["empty"].SetInParent()
    node = node_of(message)
    assert (node.id, node.cluster, node.user_agent) == ("edge-7", "edges", "envoy")
    assert (node.version, node.version_text) == ((1, 40, 2), "1.40.2")
    assert node.metadata == {
        "labels": {"app": "shop"},
        "weight": 3.0,
        "rest": [True, None],
        "limit": float("inf"),
        "empty": None,
    }
    assert node.level() is Level.V1_40


def test_a_node_may_say_its_version_in_words() -> None:
    message = envoy_api.message("envoy.config.core.v3.Node")(
        id="a", user_agent_name="gRPC Python", user_agent_version="1.85.3"
    )
    node = node_of(message)
    assert (node.version, node.version_text) == (None, "1.85.3")
    assert node.level() is Level.V1_37
