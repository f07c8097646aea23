"""Who is told what: by node group, by level, by right to secrets."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from gateway import names
from gateway.model import Gateway, NodeGroup, NodeMatch, RawResource, Xds, XdsClient
from tests.kit.gateways import gateway_of
from tests.kit.offers import offer_of
from xds_server.audience import Audience, Kind, Level, Node, Principal, Refused
from xds_server.compile import compile_gateway
from xds_server.offers import (
    EVERYBODY,
    EnvoyOffer,
    KeptOffer,
    WorkerOffer,
    for_group,
    without_inline_secrets,
)
from xds_server.resources.topology import Topology
from xds_server.snapshot import (
    CLUSTER,
    LISTENER,
    ROUTES,
    SECRET,
    TYPES,
    Snapshot,
    resource_of,
    snapshot_of,
)

TOPOLOGY = Topology(workers=("unix:/run/dragoman/0.sock",))
TEXT = """
gateways: {inner: {port: 1001}, outer: {port: 1002}}
llm:
  providers: {p: {type: openai, key: geheim}}
  models: {m: {provider: p, model: m}}
routes:
  - {name: one, gateways: [inner], backend: "http://127.0.0.1:1"}
  - {name: two, gateways: [outer], backend: "http://127.0.0.2:2"}
  - {name: three, gateways: [inner, outer], backend: "http://127.0.0.3:3"}
"""
RAW = RawResource("type.example/T", "everybody", "{}", "xds.resources[0]")
OWN = RawResource("type.example/T", "own", "{}", "xds.groups.edge.resources[0]")
EDGE = NodeGroup("edge", NodeMatch(ids=("edge-*",)), ("outer",), (OWN,))
BARE = NodeGroup("bare", NodeMatch(ids=("bare-*",)), ())
NOBODY = Principal("ipv4:127.0.0.1:4711")


def gateway(xds: Xds | None = None) -> Gateway:
    groups = Xds(groups=(EDGE, BARE), resources=(RAW,))
    return replace(gateway_of(TEXT), xds=groups if xds is None else xds)


def without_raw(gateway: Gateway, *, level: Level) -> Snapshot:
    """The compile step; the raw resources of these tests are no messages of Envoy's."""
    bare = replace(gateway, xds=replace(gateway.xds, resources=()))
    return compile_gateway(bare, TOPOLOGY, level)


def envoy(node_id: str, version: tuple[int, int, int] = (1, 40, 0)) -> Node:
    return Node(node_id, user_agent="envoy", version=version)


def test_a_group_has_its_listeners_and_what_they_serve() -> None:
    mine = for_group(gateway(), EDGE)
    assert [each.name for each in mine.listeners] == ["outer"]
    assert [(each.name, each.listeners) for each in mine.routes] == [
        ("two", ("outer",)),
        ("three", ("outer",)),
    ]
    assert [each.name for each in mine.xds.resources] == ["everybody", "own"]
    assert [each.name for each in mine.providers] == ["p"]


def test_a_group_without_listeners_has_no_providers_and_no_keys() -> None:
    mine = for_group(gateway(), BARE)
    assert (mine.listeners, mine.routes, mine.providers, mine.models) == ((), (), (), ())
    snapshot = without_raw(mine, level=Level.V1_40)
    assert not snapshot.of(LISTENER)
    assert not snapshot.of(SECRET)


def test_a_groups_snapshot_leaves_out_what_none_of_its_routes_needs() -> None:
    offer = EnvoyOffer(gateway(), without_raw)
    audience = offer.audience(envoy("edge-7"), NOBODY)
    assert audience == Audience(Kind.ENVOY, "edge", Level.V1_40)
    snapshot = offer.snapshot(audience)
    assert set(snapshot.of(LISTENER)) == {names.listener("outer")}
    assert set(snapshot.of(ROUTES)) == {names.route_table("outer")}
    everything = offer.snapshot(EVERYBODY)
    assert len(everything.of(LISTENER)) == 2
    missing = everything.of(CLUSTER).keys() - snapshot.of(CLUSTER).keys()
    assert len(missing) == 1
    assert "127.0.0.1" in everything.of(CLUSTER)[missing.pop()].body.decode(errors="replace")


def test_a_node_that_fits_no_group_is_refused() -> None:
    refused = EnvoyOffer(gateway(), without_raw).audience(envoy("stranger"), NOBODY)
    assert isinstance(refused, Refused)


@pytest.mark.parametrize(
    ("node", "level"),
    [(envoy("edge-1"), Level.V1_40), (envoy("edge-1", (1, 37, 2)), Level.V1_37)],
)
def test_a_snapshot_is_compiled_for_the_level_of_its_envoys(node: Node, level: Level) -> None:
    levels: list[Level] = []

    def compiled(_: Gateway, *, level: Level) -> Snapshot:
        levels.append(level)
        return snapshot_of(())

    offer = EnvoyOffer(gateway(), compiled)
    audience = offer.audience(node, NOBODY)
    assert isinstance(audience, Audience)
    offer.snapshot(audience)
    assert levels == [level]


def test_a_snapshot_is_made_once_for_each_audience() -> None:
    made: list[Gateway] = []

    def compiled(gateway: Gateway, *, level: Level) -> Snapshot:
        made.append(gateway)
        return snapshot_of(())

    offer = EnvoyOffer(gateway(), compiled)
    audiences = [offer.audience(envoy(f"edge-{number}"), NOBODY) for number in range(3)]
    snapshots = {id(offer.snapshot(each)) for each in audiences if isinstance(each, Audience)}
    assert (len(snapshots), len(made)) == (1, 1)


def test_secrets_are_for_those_who_may_have_them() -> None:
    trusted, plain = (
        XdsClient(name, token_digest=digest, may_have_secrets=may)
        for name, digest, may in (("trusted", "aa", True), ("plain", "bb", False))
    )
    offer = EnvoyOffer(gateway(Xds(clients=(trusted, plain))), without_raw)
    with_secrets, without_secrets = (
        offer.audience(envoy("any"), Principal("peer", token_digest=digest))
        for digest in ("aa", "bb")
    )
    assert isinstance(with_secrets, Audience)
    assert isinstance(without_secrets, Audience)
    full, bare = offer.snapshot(with_secrets), offer.snapshot(without_secrets)
    assert full.of(SECRET)
    assert not bare.of(SECRET)
    assert "geheim" not in repr([each.body for each in bare.of(SECRET).values()])
    assert [bare.of(each) for each in TYPES if each != SECRET] == [
        full.of(each) for each in TYPES if each != SECRET
    ]
    assert bare.version != full.version
    assert isinstance(offer.audience(envoy("any"), NOBODY), Refused)


def test_workers_need_no_group_but_the_right_to_come_in() -> None:
    snapshot = snapshot_of(())
    open_to_all = WorkerOffer(snapshot, gateway().xds)
    assert open_to_all.audience(Node("worker"), NOBODY) == Audience(Kind.WORKER)
    assert open_to_all.snapshot(Audience(Kind.WORKER)) is snapshot
    guarded = WorkerOffer(snapshot, Xds(clients=(XdsClient("c", token_digest="aa"),)))
    assert isinstance(guarded.audience(Node("worker"), NOBODY), Refused)


def test_each_audience_keeps_what_its_own_traffic_may_still_use() -> None:
    one, other = Audience(Kind.ENVOY, "one"), Audience(Kind.ENVOY, "other")
    new = offer_of(snapshot_of([resource_of("new", CLUSTER, b"")]))
    held = {one: snapshot_of([resource_of("old", CLUSTER, b"")])}
    offer = KeptOffer(new, held)
    assert set(offer.snapshot(one).of(CLUSTER)) == {"new", "old"}
    assert set(offer.snapshot(other).of(CLUSTER)) == {"new"}
    assert offer.snapshot(one) is offer.snapshot(one)
    assert offer.audience(Node("n"), NOBODY) == new.audience(Node("n"), NOBODY)


def test_the_real_compile_step_fits() -> None:
    offer = EnvoyOffer(
        replace(gateway(), xds=Xds()), functools.partial(compile_gateway, topology=TOPOLOGY)
    )
    assert offer.snapshot(EVERYBODY).of(CLUSTER)


AWS = """
    llm:
      providers:
        b:
          type: bedrock
          region: us-east-1
          auth: {type: aws, access_key: AKID, secret_key: geheim, session_token: geheim}
    """


def test_keys_that_stand_in_clusters_are_told_to_the_entitled_alone() -> None:
    offer = EnvoyOffer(replace(gateway_of(AWS), xds=Xds()), without_raw)
    told = offer.snapshot(Audience(Kind.ENVOY)).of(CLUSTER)[names.provider_cluster("b")]
    bare = offer.snapshot(Audience(Kind.ENVOY, may_have_secrets=False)).of(CLUSTER)
    assert b"geheim" in told.body
    assert b"aws_request_signing" in bare[names.provider_cluster("b")].body
    assert all(b"geheim" not in each.body and b"AKID" not in each.body for each in bare.values())


def test_a_gateway_without_such_keys_is_compiled_once() -> None:
    whole = gateway()
    assert without_inline_secrets(whole) is whole
