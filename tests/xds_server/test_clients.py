"""Who is connected, and what they have."""

from __future__ import annotations

import asyncio

from gateway import names
from tests.kit.offers import offer_of
from xds_server.audience import Kind, Node
from xds_server.clients import Clients, kind_of
from xds_server.snapshot import CLUSTER, Snapshot, resource_of, snapshot_of
from xds_server.subscription import DeltaRequest

NODE = Node("n", user_agent="test")


def snapshot(*cluster_names: str) -> Snapshot:
    return snapshot_of(resource_of(name, CLUSTER, b"") for name in cluster_names)


def test_the_first_request_says_who_it_is() -> None:
    assert kind_of(names.CONFIGURATION_TYPE) is Kind.WORKER
    assert kind_of(CLUSTER) is Kind.ENVOY


def test_each_kind_is_offered_its_own() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        envoy, worker = clients.join(Kind.ENVOY, NODE), clients.join(Kind.WORKER, NODE)
        for client in (envoy, worker):
            client.receive(DeltaRequest(CLUSTER))
        (response,) = await envoy.next_responses()
        assert [each.name for each in response.resources] == ["a"]
        clients.offer(Kind.WORKER, offer_of(snapshot("b")))
        (response,) = await worker.next_responses()
        assert [each.name for each in response.resources] == ["b"]

    asyncio.run(run())


def test_responses_are_waited_for() -> None:
    async def run() -> None:
        clients = Clients()
        client = clients.join(Kind.ENVOY, NODE)
        waiting = asyncio.ensure_future(client.next_responses())
        client.receive(DeltaRequest(CLUSTER))
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        assert len(await asyncio.wait_for(waiting, 5)) == 1

    asyncio.run(run())


def test_only_what_is_acknowledged_is_current() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.ENVOY, offer_of(snapshot("a")))
        client = clients.join(Kind.ENVOY, NODE)
        client.receive(DeltaRequest(CLUSTER))
        (response,) = await client.next_responses()
        assert not client.is_current()
        client.receive(DeltaRequest(CLUSTER, nonce=response.nonce))
        assert client.is_current()
        (state,) = clients.states()
        assert (state.kind, state.node, state.is_current) == (Kind.ENVOY, NODE, True)
        clients.leave(client)
        assert clients.states() == ()

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
