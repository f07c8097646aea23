"""Delta ADS over real gRPC, seen by its clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import envoy_api
import grpc
import pytest

from gateway import names
from tests.kit.ads import SECONDS, connected, serving
from tests.kit.offers import offer_of
from xds_server.audience import Kind
from xds_server.clients import Clients
from xds_server.release import configuration
from xds_server.server import AddressInUse, AdsServer
from xds_server.snapshot import CLUSTER, ENDPOINTS, Resource, Snapshot, resource_of, snapshot_of
from xds_server.subscription.words import Rejection


def cluster(name: str, stat_name: str = "") -> Resource:
    message = envoy_api.message("envoy.config.cluster.v3.Cluster")
    body = message(name=name, alt_stat_name=stat_name).SerializeToString(deterministic=True)
    return resource_of(name, CLUSTER, body)


def clusters(*cluster_names: str) -> Snapshot:
    return snapshot_of(cluster(name) for name in cluster_names)


async def until(clients: Clients, claim: Callable[[], bool]) -> None:
    assert await clients.wait_until(claim, SECONDS), clients.states()


def served(conversation: Callable[[Clients, str], Awaitable[None]]) -> Callable[[], None]:
    """A test that is a conversation with a server."""

    def test() -> None:
        async def run() -> None:
            clients = Clients()
            async with serving(clients) as target:
                await conversation(clients, target)

        asyncio.run(run())

    return test


@served
async def test_a_resource_arrives_as_it_was_compiled(clients: Clients, target: str) -> None:
    snapshot = snapshot_of([cluster("a", "one"), cluster("b", "two")])
    clients.offer(Kind.ENVOY, offer_of(snapshot))
    async with connected(target) as envoy:
        await envoy.ask(CLUSTER)
        received = await envoy.read()
    assert received.version == snapshot.version
    assert received.resources == {
        name: resource.version for name, resource in snapshot.resources[CLUSTER].items()
    }
    assert received.bodies["b"].alt_stat_name == "two"


@served
async def test_a_change_reaches_every_stream(clients: Clients, target: str) -> None:
    clients.offer(Kind.ENVOY, offer_of(clusters("a", "b")))
    async with connected(target) as one, connected(target) as other:
        for envoy in (one, other):
            await envoy.ask(CLUSTER)
            assert set((await envoy.take()).resources) == {"a", "b"}
        clients.offer(Kind.ENVOY, offer_of(clusters("b", "c")))
        for envoy in (one, other):
            received = await envoy.take()
            assert (set(received.resources), received.removed) == ({"c"}, ("a",))
        clients.offer(Kind.ENVOY, offer_of(snapshot_of([cluster("b", "anew"), cluster("c")])))
        for envoy in (one, other):
            received = await envoy.take()
            assert received.bodies["b"].alt_stat_name == "anew"
            assert set(received.bodies) == {"b"}


@served
async def test_workers_and_envoys_are_offered_different_things(
    clients: Clients, target: str
) -> None:
    clients.offer(Kind.ENVOY, offer_of(clusters("a")))
    clients.offer(Kind.WORKER, offer_of(configuration("v7", "llm: {}")))
    async with connected(target, "worker") as worker, connected(target, "envoy") as envoy:
        await worker.ask(names.CONFIGURATION_TYPE, [names.CONFIGURATION_NAME])
        received = await worker.read()
        assert received.bodies[names.CONFIGURATION_NAME].yaml == "llm: {}"
        await envoy.ask(CLUSTER)
        assert set((await envoy.read()).resources) == {"a"}
        kinds = {state.node.id: state.kind for state in clients.states()}
    assert kinds == {"worker": Kind.WORKER, "envoy": Kind.ENVOY}


@served
async def test_it_is_known_what_a_client_is_and_has_accepted(clients: Clients, target: str) -> None:
    snapshot = clusters("a")
    clients.offer(Kind.ENVOY, offer_of(snapshot))
    async with connected(target, "edge-7") as envoy:
        await envoy.ask(CLUSTER)
        await envoy.take()
        await until(clients, lambda: clients.states()[0].is_current)
        (state,) = clients.states()
        assert (state.node.id, state.node.user_agent) == ("edge-7", "envoy")
        assert (state.node.version, state.node.version_text) == ((1, 40, 0), "1.40.0")
        assert [each.acked_version for each in state.types] == [snapshot.version]


@served
async def test_a_rejection_is_known_and_not_answered(clients: Clients, target: str) -> None:
    clients.offer(Kind.ENVOY, offer_of(clusters("a")))
    async with connected(target) as envoy:
        await envoy.ask(CLUSTER)
        await envoy.nack(await envoy.read(), "no such thing")
        await until(clients, lambda: bool(clients.states()[0].types[0].rejection))
        (client,) = clients.of(Kind.ENVOY)
        assert client.rejections(clusters("a")) == (Rejection(CLUSTER, "a", "no such thing"),)
        await envoy.ask(ENDPOINTS, ["zzz"])
        assert (await envoy.read()).type_url == ENDPOINTS


@served
async def test_nothing_is_said_before_something_is_offered(clients: Clients, target: str) -> None:
    async with connected(target) as envoy:
        await envoy.ask(CLUSTER)
        await until(clients, lambda: len(clients.states()) == 1)
        clients.offer(Kind.ENVOY, offer_of(clusters("a")))
        assert (await envoy.read()).nonce == "1"


@served
async def test_who_hangs_up_is_forgotten(clients: Clients, target: str) -> None:
    async with connected(target) as envoy:
        await envoy.ask(CLUSTER)
        await until(clients, lambda: len(clients.states()) == 1)
    await until(clients, lambda: clients.states() == ())


@served
async def test_a_request_without_a_type_is_refused(clients: Clients, target: str) -> None:
    async with connected(target) as envoy:
        await envoy.ask("")
        code, details = await envoy.end()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "type_url" in details
    await until(clients, lambda: clients.states() == ())


def test_it_listens_on_unix_sockets_too(tmp_path: Path) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(clusters("a")))
        async with (
            serving(clients, f"unix:{tmp_path}/ads.sock") as target,
            connected(target) as envoy,
        ):
            await envoy.ask(CLUSTER)
            assert set((await envoy.read()).resources) == {"a"}

    asyncio.run(run())


def test_an_address_that_is_taken_is_named() -> None:
    async def run() -> None:
        async with serving(Clients()) as target:
            second = AdsServer(Clients())
            with pytest.raises(AddressInUse, match=target):
                await second.start([target])
            await second.stop(0)

    asyncio.run(run())


def test_clients_are_not_held_when_the_server_stops() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(clusters("a")))
        async with serving(clients) as target:
            call = connected(target)
            envoy = await call.__aenter__()
            await envoy.ask(CLUSTER)
            await envoy.take()
        code, _ = await envoy.end()
        assert code is not grpc.StatusCode.OK
        await until(clients, lambda: clients.states() == ())
        await call.__aexit__(None, None, None)

    asyncio.run(run())
