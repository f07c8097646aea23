"""Who is let in, as what, and with which rights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from gateway.model import NodeGroup, NodeMatch, Xds, XdsClient
from xds_server.access import Grant, admit, shown
from xds_server.audience import Kind, Node, Principal, Refused

STRANGER = Principal("ipv4:10.0.0.1:4711")
NODE = Node("edge-7", cluster="edges", user_agent="envoy")


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def shows(*sans: str) -> Principal:
    return Principal("ipv4:10.0.0.1:4711", sans=sans)


def sends(token: str) -> Principal:
    return Principal("ipv4:10.0.0.1:4711", token_digest=digest(token))


def group(name: str, **match: object) -> NodeGroup:
    return NodeGroup(name, NodeMatch(**match), listeners=())  # type: ignore[arg-type]


EDGES = XdsClient("edges", sans=("spiffe://prod/ns/*/sa/edge",), node_ids=("edge-*",))
DESK = XdsClient("desk", token_digest=digest("t0ken"), may_have_secrets=True)


def test_without_clients_whoever_reaches_the_port_comes_in_and_has_all() -> None:
    assert admit(Xds(), NODE, STRANGER) == Grant("", may_have_secrets=True)


def test_with_clients_a_stranger_has_proved_nothing() -> None:
    refused = admit(Xds(clients=(EDGES, DESK)), NODE, STRANGER)
    assert isinstance(refused, Refused)
    assert refused.is_unknown


@pytest.mark.parametrize("principal", [shows("spiffe://other/sa/edge"), sends("another")])
def test_a_wrong_credential_is_as_good_as_none(principal: Principal) -> None:
    refused = admit(Xds(clients=(EDGES, DESK)), NODE, principal)
    assert isinstance(refused, Refused)
    assert refused.is_unknown


def test_a_certificate_is_known_by_any_of_its_names() -> None:
    principal = shows("edge.prod.example", "spiffe://prod/ns/a/sa/edge")
    assert admit(Xds(clients=(EDGES,)), NODE, principal) == Grant("", may_have_secrets=False)


def test_a_token_is_known_by_its_digest() -> None:
    assert admit(Xds(clients=(EDGES, DESK)), NODE, sends("t0ken")) == Grant("", True)


def test_a_client_without_a_token_is_not_known_by_none() -> None:
    refused = admit(Xds(clients=(XdsClient("nobody"),)), NODE, STRANGER)
    assert isinstance(refused, Refused)


def test_the_first_client_that_fits_decides() -> None:
    poor = XdsClient("poor", sans=("*",))
    rich = XdsClient("rich", sans=("spiffe://rich",), may_have_secrets=True)
    assert admit(Xds(clients=(rich, poor)), NODE, shows("spiffe://rich")) == Grant("", True)
    assert admit(Xds(clients=(poor, rich)), NODE, shows("spiffe://rich")) == Grant("", False)


def test_who_is_known_may_still_not_be_every_node() -> None:
    refused = admit(Xds(clients=(EDGES,)), Node("core-1"), shows("spiffe://prod/ns/a/sa/edge"))
    assert isinstance(refused, Refused)
    assert not refused.is_unknown
    assert "'core-1'" in refused.reason


def test_a_refusal_tells_nothing_of_those_who_are_known() -> None:
    xds = Xds(clients=(EDGES, DESK), groups=(group("cells", ids=("cell-*",)),))
    for principal in (STRANGER, sends("another"), sends("t0ken")):
        refused = admit(xds, Node("core-1"), principal)
        assert isinstance(refused, Refused)
        for secret in ("spiffe", "desk", "edges", "cell", digest("t0ken"), digest("another")):
            assert secret not in refused.reason


def test_a_private_connection_needs_no_credential() -> None:
    principal = Principal("unix:", is_private=True)
    assert admit(Xds(clients=(EDGES,)), Node("any"), principal) == Grant("", may_have_secrets=True)


def test_the_first_group_that_a_node_fits_is_its_own() -> None:
    xds = Xds(groups=(group("cells", ids=("cell-*",)), group("rest"), group("never")))
    assert admit(xds, Node("cell-1"), STRANGER) == Grant("cells", True)
    assert admit(xds, Node("edge-1"), STRANGER) == Grant("rest", True)


def test_a_node_that_fits_no_group_is_refused_by_name_even_in_private() -> None:
    xds = Xds(groups=(group("cells", ids=("cell-*",)),))
    refused = admit(xds, NODE, Principal("unix:", is_private=True))
    assert refused == Refused("node 'edge-7' fits no node group")


def test_workers_need_no_group() -> None:
    xds = Xds(groups=(group("cells", ids=("cell-*",)),))
    assert admit(xds, Node("worker-1"), STRANGER, Kind.WORKER) == Grant("", True)


def test_workers_need_a_credential_like_all_others() -> None:
    assert isinstance(admit(Xds(clients=(DESK,)), NODE, STRANGER, Kind.WORKER), Refused)


def test_who_knows_the_rules_must_be_allowed_to() -> None:
    poor = XdsClient("desk", token_digest=digest("t0ken"), may_be_worker=False)
    xds = Xds(clients=(poor,))
    assert admit(xds, NODE, sends("t0ken"), Kind.WORKER) == Refused(
        "this client may not be a worker"
    )
    assert admit(xds, NODE, sends("t0ken")) == Grant("", may_have_secrets=False)


def test_nobody_comes_into_a_group_by_its_own_word_alone() -> None:
    client = XdsClient("edges", token_digest=digest("t0ken"), groups=("edge*",))
    xds = Xds(clients=(client,), groups=(group("pay", clusters=("pay",)), group("edges")))
    assert admit(xds, Node("edge-7"), sends("t0ken")) == Grant("edges", may_have_secrets=False)
    refused = admit(xds, Node("edge-7", cluster="pay"), sends("t0ken"))
    assert refused == Refused("this client may not be in the group of node 'edge-7'")


METADATA: Mapping[str, object] = {
    "zone": "eu-1",
    "weight": 3.0,
    "share": 0.5,
    "limit": float("inf"),
    "count": 1_234_567.0,
    "is_canary": True,
    "labels": {"app": "shop", "app.kubernetes.io/name": "basket"},
    "list": ["a"],
}


@pytest.mark.parametrize(
    ("match", "does_fit"),
    [
        (NodeMatch(), True),
        (NodeMatch(ids=("core-*", "edge-?")), True),
        (NodeMatch(ids=("edge",)), False),
        (NodeMatch(ids=("edge-*",), clusters=("cores",)), False),
        (NodeMatch(user_agents=("gRPC*", "envoy")), True),
        (NodeMatch(user_agents=("gRPC*",)), False),
        (NodeMatch(metadata=(("zone", "eu-*"), ("labels.app", "shop"))), True),
        (NodeMatch(metadata=(("zone", "eu-*"), ("labels.app", "till"))), False),
        (NodeMatch(metadata=(("labels.app.kubernetes.io/name", "basket"),)), True),
        (NodeMatch(metadata=(("weight", "3"),)), True),
        (NodeMatch(metadata=(("share", "0.5"),)), True),
        (NodeMatch(metadata=(("count", "1234567"), ("limit", "inf"))), True),
        (NodeMatch(metadata=(("is_canary", "true"),)), True),
        (NodeMatch(metadata=(("labels", "*"),)), False),
        (NodeMatch(metadata=(("list", "*"),)), False),
        (NodeMatch(metadata=(("zone.deeper", "*"),)), False),
        (NodeMatch(metadata=(("nothing", "*"),)), False),
    ],
)
def test_all_that_a_match_says_must_hold(match: NodeMatch, does_fit: bool) -> None:
    node = Node("edge-7", cluster="edges", user_agent="envoy", metadata=METADATA)
    granted = admit(Xds(groups=(NodeGroup("g", match, listeners=()),)), node, STRANGER)
    assert isinstance(granted, Grant) is does_fit


def test_what_a_stranger_calls_itself_is_cut_and_escaped() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("a" * 100_000)) < 150
