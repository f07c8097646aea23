from __future__ import annotations

import hashlib
import json

from gateway.model import NodeMatch, RawResource, XdsClient
from tests.gateway.config.loading import complaints, loaded, meant

TOKEN = hashlib.sha256(b"t0ken").hexdigest()
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


def test_clients_are_known_by_a_token_given_or_as_its_digest() -> None:
    gateway = meant(
        f"""
        xds:
          clients:
          - {{name: a, token: "${{TOKEN}}", nodes: edge-*, secrets: true}}
          - {{name: b, token_sha256: {hashlib.sha256(b"x").hexdigest()}, nodes: [a, b]}}
        """,
        TOKEN="t0ken",
    )
    assert gateway.xds.clients == (
        XdsClient("a", (), TOKEN, ("edge-*",), True, True),
        XdsClient("b", (), hashlib.sha256(b"x").hexdigest(), ("a", "b"), False, False),
    )


def test_a_client_proves_itself_in_one_way() -> None:
    text = f"""
        xds:
          clients:
          - {{name: a}}
          - {{name: b, token: hunter2, san: x}}
          - {{name: c, token: hunter2, token_sha256: {TOKEN}}}
        """
    found = complaints(text)
    assert found == [
        f"xds.clients.{i}: needs exactly one of san, token and token_sha256" for i in range(3)
    ]
    assert "hunter2" not in str(found)


def test_a_token_is_never_shown() -> None:
    assert "hunter" not in str(complaints("xds: {clients: [{name: a, token: [hunter2]}]}"))
    assert "hunter" not in str(complaints('xds: {clients: [{name: a, token: "hunter 2"}]}'))
    config = loaded("xds: {clients: [{name: a, token: hunter2}]}")
    assert "hunter" not in repr(config)


def test_groups_serve_all_gateways_unless_they_say_which() -> None:
    gateway = meant(
        """
        gateways: {a: {port: 1}, b: {port: 2}}
        xds:
          groups:
            some: {match: {id: [x*, y], metadata: {labels.app: web-*}}, gateways: [b]}
            none: {match: {user_agent: gRPC*, cluster: c}, gateways: []}
            all: {}
        """
    )
    some, none, every = gateway.xds.groups
    assert some.match == NodeMatch(ids=("x*", "y"), metadata=(("labels.app", "web-*"),))
    assert none.match == NodeMatch(clusters=("c",), user_agents=("gRPC*",))
    assert every.match == NodeMatch()
    assert [each.listeners for each in (some, none, every)] == [("b",), (), ("a", "b")]


def test_a_resource_is_kept_as_it_was_written() -> None:
    gateway = meant(
        """
        xds:
          resources:
          - "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
            name: c
            ttl: 30s
            connect_timeout: ${TIMEOUT}
            metadata: {filter_metadata: {a: {b: 1.5, c: [true, null, 3]}}}
          - "@type": envoy.config.endpoint.v3.ClusterLoadAssignment
            cluster_name: c
        """,
        TIMEOUT="5s",
    )
    cluster, endpoints = gateway.xds.resources
    assert cluster == RawResource(CLUSTER, "c", cluster.json, "xds.resources.0", 30.0)
    assert json.loads(cluster.json) == {
        "name": "c",
        "connect_timeout": "5s",
        "metadata": {"filter_metadata": {"a": {"b": 1.5, "c": [True, None, 3]}}},
    }
    assert endpoints.type_url == (
        "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    )
    assert json.loads(endpoints.json) == {"cluster_name": "c"}
    assert endpoints.at == ("xds", "resources", 1)


def test_the_order_of_keys_is_no_part_of_a_resource() -> None:
    one, other = (
        meant(f"xds: {{resources: [{{'@type': {CLUSTER}, {fields}}}]}}").xds.resources
        for fields in ("name: a, type: STATIC", "type: STATIC, name: a")
    )
    assert one == other


def test_a_resource_has_a_type_and_one_name() -> None:
    assert complaints("xds: {resources: [{name: a}, {'@type': x}, 3]}") == [
        "xds.resources.0.@type: is required",
        "xds.resources.1: needs a name",
        "xds.resources.2: must be a block of keys and values",
    ]
    text = f"xds: {{resources: [{{'@type': {CLUSTER}, name: a, ttl: 0s}}]}}"
    assert complaints(text) == ["xds.resources.0: has no time to live"]


def test_what_is_remembered_has_bounds() -> None:
    assert meant("xds: {history: 3}").xds.history_limit == 3
    assert meant("xds: {}").xds.history_limit == 20
    assert complaints("xds: {history: 0}") == ["xds.history: must be from 1 to 1000, not '0'"]
