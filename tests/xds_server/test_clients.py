"""Who is connected, what they are offered, and what they have."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import dataclass

import pytest
from envoy_api.discovery import Variant

from gateway.credentials import GcpCredential
from gateway.names import CONFIGURATION_TYPE
from tests.kit.gateways import gateway_of
from tests.kit.offers import offer_of
from xds_server.audience import Audience, Kind, Node, Principal, Refused
from xds_server.clients import Client, Clients, kind_of
from xds_server.resources.secrets import provider_secrets, token_version
from xds_server.snapshot import CLUSTER, ROUTES, RUNTIME, SECRET, Snapshot, resource_of, snapshot_of
from xds_server.subscription.words import (
    ACK_SECONDS,
    DeltaRequest,
    DeltaResponse,
    Request,
    Response,
    StateRequest,
    StateResponse,
)

NODE = Node("n", user_agent="test")
both = pytest.mark.parametrize("variant", list(Variant))


def snapshot(*cluster_names: str) -> Snapshot:
    return snapshot_of(resource_of(name, CLUSTER, b"") for name in cluster_names)


def asking(variant: Variant, type_url: str = CLUSTER) -> Request:
    return StateRequest(type_url) if variant is Variant.SOTW else DeltaRequest(type_url)


def answering(response: Response, error: str | None = None) -> Request:
    if isinstance(response, StateResponse):
        names = ("r",) if response.type_url == ROUTES else ()
        return StateRequest(response.type_url, names, response.version, response.nonce, error)
    return DeltaRequest(response.type_url, nonce=response.nonce, error=error)


async def accept(client: Client) -> None:
    for response in await client.next_responses():
        client.receive(answering(response))


@dataclass(frozen=True)
class ByCluster:
    """An audience for each node cluster that is named; the others are refused."""

    snapshots: dict[str, Snapshot]

    def audience(self, node: Node, _: Principal) -> Audience | Refused:
        known = node.cluster in self.snapshots
        return Audience(Kind.ENVOY, node.cluster) if known else Refused("not you")

    def snapshot(self, audience: Audience) -> Snapshot:
        return self.snapshots[audience.group]


def test_the_first_request_says_who_it_is() -> None:
    assert kind_of(CONFIGURATION_TYPE, Node("w", user_agent="dragoman-extproc")) is Kind.WORKER
    assert kind_of(CONFIGURATION_TYPE, Node("h", user_agent="dragoman-hub")) is Kind.HUB
    assert kind_of(CLUSTER, Node("e", user_agent="envoy")) is Kind.ENVOY


@both
def test_each_kind_is_offered_its_own(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        envoy = clients.join(Kind.ENVOY, NODE, variant=variant)
        worker = clients.join(Kind.WORKER, NODE, variant=variant)
        for client in (envoy, worker):
            client.receive(asking(variant))
        (response,) = await envoy.next_responses()
        assert [each.name for each in response.resources] == ["a"]
        clients.offer(Kind.WORKER, offer_of(snapshot("b")))
        (response,) = await worker.next_responses()
        assert [each.name for each in response.resources] == ["b"]

    asyncio.run(run())


def test_each_audience_is_told_its_own() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, ByCluster({"x": snapshot("x"), "y": snapshot("y")}))
        told = []
        for cluster in ("x", "y"):
            client = clients.join(Kind.ENVOY, Node("n", cluster))
            client.receive(DeltaRequest(CLUSTER))
            (response,) = await client.next_responses()
            told += [each.name for each in response.resources]
        assert told == ["x", "y"]
        assert [state.audience for state in clients.states()] == [
            Audience(Kind.ENVOY, "x"),
            Audience(Kind.ENVOY, "y"),
        ]
        fewer = ByCluster({"y": snapshot("y")})
        assert clients.audiences(Kind.ENVOY, fewer) == {Audience(Kind.ENVOY, "y")}

    asyncio.run(run())


def test_who_may_not_come_in_is_told_at_once() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, ByCluster({}))
        client = clients.join(Kind.ENVOY, NODE)
        assert client.ended == Refused("not you")
        client.receive(DeltaRequest(CLUSTER))
        assert await client.next_responses() == ()

    asyncio.run(run())


def test_who_may_have_nothing_of_a_new_offer_is_ended() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, ByCluster({"x": snapshot("x")}))
        client = clients.join(Kind.ENVOY, Node("n", "x"))
        client.receive(DeltaRequest(CLUSTER))
        await accept(client)
        waiting = asyncio.ensure_future(client.next_responses())
        await asyncio.sleep(0)
        clients.offer(Kind.ENVOY, ByCluster({"y": snapshot("y")}))
        assert await asyncio.wait_for(waiting, 5) == ()
        assert client.ended == Refused("not you")
        assert clients.are_settled(Kind.ENVOY, but=lambda _: False)  # nobody waits for it
        assert clients.number_current(Kind.ENVOY) == 0

    asyncio.run(run())


def test_a_fault_in_one_audience_does_not_touch_the_others() -> None:
    @dataclass(frozen=True)
    class Faulty(ByCluster):
        def snapshot(self, audience: Audience) -> Snapshot:
            if audience.group == "y":
                raise ZeroDivisionError("no such number")
            return super().snapshot(audience)

    async def run() -> None:
        clients = Clients()
        good, bad = (clients.join(Kind.ENVOY, Node("n", cluster)) for cluster in ("x", "y"))
        clients.offer(Kind.ENVOY, Faulty({"x": snapshot("x"), "y": snapshot("y")}))
        assert good.ended is None
        assert bad.ended is not None
        assert "number" not in bad.ended.reason
        good.receive(DeltaRequest(CLUSTER))
        await accept(good)
        assert good.is_current()

    asyncio.run(run())


def test_a_new_offer_may_move_a_client_to_another_audience() -> None:
    @dataclass(frozen=True)
    class Renamed(ByCluster):
        def audience(self, node: Node, principal: Principal) -> Audience | Refused:
            return Audience(Kind.ENVOY, "y")

    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, ByCluster({"x": snapshot("x")}))
        client = clients.join(Kind.ENVOY, Node("n", "x"))
        client.receive(DeltaRequest(CLUSTER))
        await accept(client)
        clients.offer(Kind.ENVOY, Renamed({"y": snapshot("y")}))
        (response,) = await client.next_responses()
        assert [each.name for each in response.resources] == ["y"]
        assert client.audience == Audience(Kind.ENVOY, "y")

    asyncio.run(run())


@both
def test_responses_are_waited_for(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        client = clients.join(Kind.ENVOY, NODE, variant=variant)
        waiting = asyncio.ensure_future(client.next_responses())
        client.receive(asking(variant))
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        assert len(await asyncio.wait_for(waiting, 5)) == 1

    asyncio.run(run())


def beating(response: Response) -> list[str]:
    """In states of the world, heartbeats have their bodies."""
    beats = response.heartbeats if isinstance(response, DeltaResponse) else response.resources
    return [each.name for each in beats]


@both
def test_a_stream_that_has_something_to_say_later_says_it_then(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        layer = resource_of("layer", RUNTIME, b"", ttl_seconds=0.3)
        clients.offer(Kind.ENVOY, offer_of(snapshot_of([layer])))
        client = clients.join(Kind.ENVOY, NODE, variant=variant)
        client.receive(asking(variant, RUNTIME))
        await accept(client)
        (response,) = await asyncio.wait_for(client.next_responses(), 5)
        assert beating(response) == ["layer"]

    asyncio.run(run())


@both
def test_only_what_is_acknowledged_is_current(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        client = clients.join(Kind.ENVOY, NODE, variant=variant)
        client.receive(asking(variant))
        (response,) = await client.next_responses()
        assert not client.is_current()
        client.receive(answering(response))
        assert client.is_current()
        (state,) = clients.states()
        assert (state.kind, state.node, state.variant) == (Kind.ENVOY, NODE, variant)
        assert state.is_current
        clients.leave(client)
        assert clients.states() == ()

    asyncio.run(run())


@both
def test_clients_are_counted_as_they_move(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        good, bad = (clients.join(Kind.ENVOY, NODE, variant=variant) for _ in range(2))

        def counts() -> tuple[int, int, bool]:
            everybody = clients.number_connected(Kind.ENVOY)
            settled = clients.are_settled(Kind.ENVOY, but=lambda _: False)
            return everybody, clients.number_current(Kind.ENVOY), settled

        for client in (good, bad):
            client.receive(asking(variant))
        assert counts() == (2, 0, False)
        await accept(good)
        assert counts() == (2, 1, False)
        assert clients.are_settled(Kind.ENVOY, but=lambda client: client is bad)
        (response,) = await bad.next_responses()
        bad.receive(answering(response, "cannot"))
        assert counts() == (2, 1, True)
        clients.offer(Kind.ENVOY, offer_of(snapshot("b")))
        assert counts() == (2, 0, False)
        for client in (good, bad):
            clients.leave(client)
        assert counts() == (0, 0, True)

    asyncio.run(run())


def test_a_request_that_comes_after_the_end_counts_for_nothing() -> None:
    clients = Clients()
    clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
    client = clients.join(Kind.ENVOY, NODE)
    clients.leave(client)
    client.receive(DeltaRequest(CLUSTER))
    assert clients.are_settled(Kind.ENVOY, but=lambda _: False)
    assert clients.number_connected(Kind.ENVOY) == 0


def test_who_has_left_is_forgotten() -> None:
    clients = Clients()
    clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
    client = clients.join(Kind.ENVOY, NODE)
    client.receive(DeltaRequest(CLUSTER))
    clients.leave(client)
    left = weakref.ref(client)
    del client
    gc.collect()
    assert left() is None


def alone(clients: Clients, variant: Variant, peer: str, type_url: str, *wanted: str) -> Client:
    """One stream of a client that has one for each type."""
    client = clients.join(Kind.ENVOY, NODE, Principal(peer), variant, is_aggregated=False)
    request = StateRequest if variant is Variant.SOTW else DeltaRequest
    client.receive(request(type_url, wanted))
    return client


def world(cluster: str) -> Snapshot:
    routes = resource_of("r", ROUTES, cluster.encode(), [(CLUSTER, cluster)])
    return snapshot_of([resource_of(cluster, CLUSTER, b""), routes])


@both
def test_streams_of_one_client_wait_for_one_another(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(world("a")))
        routes = alone(clients, variant, "peer", ROUTES, "r")
        clusters = alone(clients, variant, "peer", CLUSTER)
        for client in (clusters, routes):
            await accept(client)
        clients.offer(Kind.ENVOY, offer_of(world("b")))
        told = asyncio.ensure_future(routes.next_responses())
        (response,) = await clusters.next_responses()
        assert {each.name for each in response.resources} >= {"b"}
        await asyncio.sleep(0)
        assert not told.done()  # the cluster is not yet warm
        clusters.receive(answering(response))
        (update,) = await asyncio.wait_for(told, 5)
        gone = asyncio.ensure_future(clusters.next_responses())
        await asyncio.sleep(0)
        assert not gone.done()  # the old routes may still need the old cluster
        routes.receive(answering(update))
        (response,) = await asyncio.wait_for(gone, 5)
        assert "a" not in {each.name for each in response.resources}

    asyncio.run(run())


@both
def test_streams_of_others_do_not_wait(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(world("a")))
        routes = alone(clients, variant, "peer", ROUTES, "r")
        stuck = alone(clients, variant, "somebody else of the same name", CLUSTER)
        for client in (stuck, routes):
            await accept(client)
        clients.offer(Kind.ENVOY, offer_of(world("b")))
        await stuck.next_responses()
        assert len(await asyncio.wait_for(routes.next_responses(), 5)) == 1

    asyncio.run(run())


@both
def test_who_has_left_is_not_waited_for(variant: Variant) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(world("a")))
        routes = alone(clients, variant, "peer", ROUTES, "r")
        stuck = alone(clients, variant, "peer", CLUSTER)
        for client in (stuck, routes):
            await accept(client)
        clients.offer(Kind.ENVOY, offer_of(world("b")))
        told = asyncio.ensure_future(routes.next_responses())
        await stuck.next_responses()
        clients.leave(stuck)
        assert len(await asyncio.wait_for(told, 5)) == 1
        clients.leave(routes)
        clients.leave(routes)
        assert clients.number_connected(Kind.ENVOY) == 0

    asyncio.run(run())


@both
def test_what_is_asked_for_beside_an_aggregated_stream_is_not_expected_of_it(
    variant: Variant,
) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(world("a")))
        request = StateRequest if variant is Variant.SOTW else DeltaRequest
        routes = clients.join(Kind.ENVOY, NODE, Principal("peer"), variant)
        routes.receive(request(ROUTES, ("r",)))
        await accept(routes)
        assert clients.number_current(Kind.ENVOY) == 0
        alone(clients, variant, "somebody else of the same name", CLUSTER)
        assert not routes.is_current()
        clusters = alone(clients, variant, "peer", CLUSTER)
        assert routes.is_current()
        assert clients.number_current(Kind.ENVOY) == 1
        await accept(clusters)
        assert clients.number_current(Kind.ENVOY) == 2
        clients.leave(clusters)
        assert clients.number_current(Kind.ENVOY) == 0
        clients.leave(routes)
        assert {key[-1] for key in clients._companies} == {"somebody else of the same name"}

    asyncio.run(run())


@both
def test_an_aggregated_stream_and_those_of_one_type_do_not_wait_for_one_another(
    variant: Variant,
) -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(world("a")))
        request = StateRequest if variant is Variant.SOTW else DeltaRequest
        routes = clients.join(Kind.ENVOY, NODE, Principal("peer"), variant)
        routes.receive(request(ROUTES, ("r",)))
        clusters = alone(clients, variant, "peer", CLUSTER)
        for client in (clusters, routes):
            await accept(client)
        clients.offer(Kind.ENVOY, offer_of(world("b")))
        for client in (clusters, routes):
            assert len(await asyncio.wait_for(client.next_responses(), 5)) == 1

    asyncio.run(run())


def test_a_claim_is_asked_again_when_a_client_moves() -> None:
    async def run() -> None:
        clients = Clients()
        waiting = asyncio.ensure_future(clients.wait_until(lambda: bool(clients.states()), 5))
        await asyncio.sleep(0)
        assert not waiting.done()
        clients.join(Kind.ENVOY, NODE)
        assert await waiting

    asyncio.run(run())


def test_a_claim_that_does_not_come_true_in_time_is_false() -> None:
    assert not asyncio.run(Clients().wait_until(lambda: False, 0.01))


@dataclass(frozen=True)
class Broken:
    """An offer that we have made wrong."""

    def audience(self, _: Node, __: Principal) -> Audience | Refused:
        raise ZeroDivisionError

    def snapshot(self, _: Audience) -> Snapshot:
        return snapshot()


@pytest.mark.parametrize("is_aggregated", [True, False])
def test_who_cannot_be_told_for_whom_it_is_has_not_come(is_aggregated: bool) -> None:
    clients = Clients()
    clients.offer(Kind.ENVOY, Broken())
    with pytest.raises(ZeroDivisionError):
        clients.join(Kind.ENVOY, NODE, is_aggregated=is_aggregated)
    assert clients.states() == ()
    assert clients._companies == {}


def test_what_a_client_holds_can_be_compared_when_something_is_offered() -> None:
    async def run() -> None:
        clients = Clients()
        waiting = asyncio.ensure_future(clients.wait_for_offer(Kind.ENVOY))
        clients.offer(Kind.WORKER, offer_of(snapshot("a")))
        await asyncio.sleep(0)
        assert not waiting.done()
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        await asyncio.wait_for(waiting, 5)
        clients.offer(Kind.ENVOY, None)
        again = asyncio.ensure_future(clients.wait_for_offer(Kind.ENVOY))
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()

    asyncio.run(run())


@both
def test_who_is_silent_for_long_is_not_waited_for_until_it_answers(variant: Variant) -> None:
    async def run() -> None:
        now = 100.0
        clients = Clients(lambda: now)
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        client = clients.join(Kind.ENVOY, NODE, variant=variant)
        client.receive(asking(variant))
        (response,) = await client.next_responses()

        def are_settled() -> bool:
            return clients.are_settled(Kind.ENVOY, but=lambda _: False)

        now += ACK_SECONDS - 1
        assert not are_settled()
        now += 1
        assert are_settled()
        clients.offer(Kind.ENVOY, offer_of(snapshot("a", "b")))
        assert are_settled()
        client.receive(answering(response))
        await client.next_responses()
        assert not are_settled()

    asyncio.run(run())


async def _told(client: Client) -> dict[str, bytes]:
    """Secrets by name, as the client was told them now."""
    told = {}
    for response in await client.next_responses():
        assert isinstance(response, DeltaResponse)
        told.update({each.name: each.body for each in response.resources})
        client.receive(answering(response))
    return told


def test_tokens_are_told_beside_what_is_offered() -> None:
    async def scene() -> None:
        clients = Clients()
        provider = gateway_of(VERTEX).providers[0]
        clients.offer(Kind.ENVOY, offer_of(snapshot_of(provider_secrets(provider))))
        client = clients.join(Kind.ENVOY, NODE)
        client.receive(DeltaRequest(SECRET, subscribe=("llm/v/key",)))
        assert b"one" not in (await _told(client))["llm/v/key"]
        version = token_version(GcpCredential())
        clients.renew({version: "one"})
        assert not client.is_current()
        assert b"one" in (await _told(client))["llm/v/key"]
        assert client.is_current()
        clients.renew({version: "two"})
        assert b"two" in (await _told(client))["llm/v/key"]
        late = clients.join(Kind.ENVOY, NODE)
        late.receive(DeltaRequest(SECRET, subscribe=("llm/v/key",)))
        assert b"two" in (await _told(late))["llm/v/key"]

    asyncio.run(scene())


VERTEX = "llm: {providers: {v: {type: vertex, region: global, project: p}}}"
