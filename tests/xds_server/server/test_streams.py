"""The rules of a stream, seen by its client: types, nodes, mistakes, refusals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc
import pytest
from envoy_api.discovery import Variant

from gateway import names
from tests.kit.ads import SECONDS, channel_to, connected, connected_by_state, node_named
from tests.kit.played import ALL_TYPES, Stage, played, thing
from xds_server.audience import Audience, Kind, Node, Principal, Refused
from xds_server.server import Bounds
from xds_server.server.services import AGGREGATED, SERVICES, Service, service_of
from xds_server.snapshot import CLUSTER, ENDPOINTS, LISTENER, Snapshot, snapshot_of

CONNECT = {Variant.DELTA: connected, Variant.SOTW: connected_by_state}
STREAMS = [
    (variant, type_url, aggregated)
    for type_url in ALL_TYPES
    for variant in service_of(type_url).variants
    for aggregated in (True, False)
]


@pytest.mark.parametrize(("variant", "type_url", "aggregated"), STREAMS)
def test_every_type_is_served_in_both_variants_alone_and_with_others(
    variant: Variant, type_url: str, aggregated: bool
) -> None:
    service = AGGREGATED if aggregated else service_of(type_url)

    async def play(stage: Stage) -> None:
        stage.publish(thing(type_url, "a"))
        async with CONNECT[variant](stage.target, service=service) as client:
            await client.ask(type_url, ["a"])
            received = await client.take()
            assert (received.type_url, len(received.bodies)) == (type_url, 1)
            await stage.until(lambda: stage.clients.states()[0].types[0].is_current)
            (state,) = stage.clients.states()
            is_worker = type_url == names.CONFIGURATION_TYPE
            assert state.kind is (Kind.WORKER if is_worker else Kind.ENVOY)
            assert state.variant is variant

    played(play)


@pytest.mark.parametrize("variant", Variant)
def test_a_stream_of_one_type_needs_no_type(variant: Variant) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a"))
        async with CONNECT[variant](stage.target, service=service_of(CLUSTER)) as client:
            await client.ask("")
            assert (await client.read()).type_url == CLUSTER

    played(play)


MISTAKES: list[tuple[Service, str, str]] = [
    (AGGREGATED, "", "type_url"),
    (service_of(CLUSTER), LISTENER, "ClusterDiscoveryService"),
]


@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize(("service", "type_url", "reason"), MISTAKES)
def test_a_request_of_no_type_that_the_stream_serves_ends_it(
    variant: Variant, service: Service, type_url: str, reason: str
) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a"))
        async with CONNECT[variant](stage.target, service=service) as client:
            await client.ask(type_url)
            code, details = await client.end()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert reason in details
        await stage.until(lambda: stage.clients.states() == ())

    played(play)


def test_a_node_is_said_once_and_may_be_said_again_but_not_another() -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a"), thing(ENDPOINTS, "e"))
        async with connected(stage.target, "edge-7") as client:
            await client.ask(CLUSTER)
            await client.take()
            await client.send(
                "DeltaDiscoveryRequest",
                node=node_named("edge-7"),
                type_url=ENDPOINTS,
                resource_names_subscribe=["e"],
            )
            assert (await client.take()).type_url == ENDPOINTS
            assert [state.node.id for state in stage.clients.states()] == ["edge-7"]
            await client.send("DeltaDiscoveryRequest", node=node_named("edge-8"))
            code, details = await client.end()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "'edge-7'" in details
        assert "'edge-8'" in details

    played(play)


@pytest.mark.parametrize("node_id", ["n" * 1_025, "é" * 10_000])
def test_a_node_has_no_endless_name(node_id: str) -> None:
    async def play(stage: Stage) -> None:
        async with connected(stage.target, node_id) as client:
            await client.ask(CLUSTER)
            code, details = await client.end()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert len(details) < 200

    played(play)


def test_a_node_does_not_tell_endless_stories() -> None:
    async def play(stage: Stage) -> None:
        async with connected(stage.target) as client:
            node = {**node_named("edge"), "metadata": {"story": "x" * 70_000}}
            await client.send("DeltaDiscoveryRequest", node=node, type_url=CLUSTER)
            code, details = await client.end()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "a node of more than" in details

    played(play)


@pytest.mark.parametrize("variant", Variant)
def test_a_resource_has_no_endless_name(variant: Variant) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a"))
        async with CONNECT[variant](stage.target) as client:
            await client.ask(CLUSTER, ["n" * 1_025])
            code, details = await client.end()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "name" in details

    played(play)


@dataclass(frozen=True)
class Broken:
    """An offer that we have made wrong."""

    def audience(self, _: Node, __: Principal) -> Audience | Refused:
        raise ZeroDivisionError("with a secret in it")

    def snapshot(self, _: Audience) -> Snapshot:
        return snapshot_of(())


@pytest.mark.parametrize("variant", Variant)
def test_what_is_said_before_anything_is_offered_is_read_then(variant: Variant) -> None:
    async def play(stage: Stage) -> None:
        async with CONNECT[variant](stage.target, "early") as client:
            await client.ask(CLUSTER, ["a"])
            await client.ask(ENDPOINTS, ["e"])
            await stage.until(
                lambda: [each.node.id for each in stage.clients.states()] == ["early"]
            )
            assert stage.clients.states()[0].types == ()
            stage.publish(thing(CLUSTER, "a"), thing(ENDPOINTS, "e"))
            assert {(await client.take()).type_url for _ in range(2)} == {CLUSTER, ENDPOINTS}

    played(play)


def test_a_fault_of_ours_is_not_told_and_the_server_goes_on() -> None:
    async def play(stage: Stage) -> None:
        stage.clients.offer(Kind.ENVOY, Broken())
        async with connected(stage.target) as client:
            await client.ask(CLUSTER)
            assert await client.end() == (grpc.StatusCode.INTERNAL, "internal error")
        stage.clients.offer(Kind.ENVOY, Refusing(Refused("not you")))
        async with connected(stage.target) as client:
            await client.ask(CLUSTER)
            code, _ = await client.end()
            assert code is grpc.StatusCode.PERMISSION_DENIED

    played(play)


@pytest.mark.parametrize("variant", Variant)
def test_bytes_that_are_no_request_end_the_stream_alone(variant: Variant) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a"))
        async with channel_to(stage.target) as channel, connected(stage.target) as other:
            call = channel.stream_stream(AGGREGATED.path(variant))()
            await call.write(b"\xff\xff\xff")
            async with asyncio.timeout(SECONDS):
                assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
            await other.ask(CLUSTER)
            assert set((await other.read()).resources) == {"a"}

    played(play)


def test_who_says_nothing_is_not_waited_for() -> None:
    async def play(stage: Stage) -> None:
        async with connected(stage.target) as client:
            code, details = await client.end()
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "0.05 s" in details

    played(play, bounds=Bounds(first_request_seconds=0.05))


def test_a_stream_ends_well_when_its_client_has_said_all() -> None:
    async def play(stage: Stage) -> None:
        async with channel_to(stage.target) as channel:
            call = channel.stream_stream(AGGREGATED.path(Variant.DELTA))()
            await call.done_writing()
            async with asyncio.timeout(SECONDS):
                assert await call.code() is grpc.StatusCode.OK

    played(play)


@dataclass(frozen=True)
class Refusing:
    """An offer that is for nobody."""

    refused: Refused

    def audience(self, _: Node, __: Principal) -> Audience | Refused:
        return self.refused

    def snapshot(self, _: Audience) -> Snapshot:
        return snapshot_of(())


@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (Refused("not you"), grpc.StatusCode.PERMISSION_DENIED),
        (Refused("who are you", is_unknown=True), grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_who_may_not_come_in_is_told_why(
    variant: Variant, refused: Refused, code: grpc.StatusCode
) -> None:
    async def play(stage: Stage) -> None:
        stage.clients.offer(Kind.ENVOY, Refusing(refused))
        async with CONNECT[variant](stage.target) as client:
            await client.ask(CLUSTER)
            assert await client.end() == (code, refused.reason)
        await stage.until(lambda: stage.clients.states() == ())

    played(play)


@pytest.mark.parametrize("variant", Variant)
def test_who_may_no_longer_stay_is_told_why(variant: Variant) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "a"))
        async with CONNECT[variant](stage.target) as client:
            await client.ask(CLUSTER)
            await client.take()
            stage.clients.offer(Kind.ENVOY, Refusing(Refused("no more")))
            assert await client.end() == (grpc.StatusCode.PERMISSION_DENIED, "no more")

    played(play)


def test_a_method_that_is_not_served_is_unknown() -> None:
    served = {service.path(variant) for service in SERVICES for variant in service.variants}
    path = "/envoy.service.route.v3.VirtualHostDiscoveryService/StreamVirtualHosts"
    assert path not in served

    async def play(stage: Stage) -> None:
        async with channel_to(stage.target) as channel:
            call = channel.stream_stream(path)()
            async with asyncio.timeout(SECONDS):
                assert await call.code() is grpc.StatusCode.UNIMPLEMENTED

    played(play)
