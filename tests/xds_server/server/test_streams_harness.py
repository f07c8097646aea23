"""What the public xDS test harness asks of a server, over real gRPC, and what it leaves out.

Every scenario in each variant of the protocol that it is for, over the aggregated service and over
one of its own. That a server says no more than it must is seen by its own account: it has settled,
and has sent as many responses as were read.
"""

from __future__ import annotations

import pytest
from envoy_api.discovery import Variant

from tests.kit.ads import DeltaClient, Received, StateClient
from tests.kit.counting import Peer, peer, publish, scenario
from tests.kit.played import Stage, content, played, thing
from xds_server.snapshot import CLUSTER, ENDPOINTS, LISTENER, ROUTES

DELTA, STATE = Variant.DELTA, Variant.SOTW
WHOLE = (CLUSTER, LISTENER)
"""Types of which a response of the state of the world says everything."""
PARTIAL = (ROUTES, ENDPOINTS)
EVERY = (*WHOLE, *PARTIAL)
TWO_TYPES = [(CLUSTER, LISTENER), (LISTENER, CLUSTER), (ROUTES, ENDPOINTS), (ENDPOINTS, ROUTES)]


# Subscribing


@scenario(WHOLE, STATE, DELTA)
async def test_a_wildcard_is_told_everything_in_one_response(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1", C="v1")
    await peer.ask(type_url)
    await peer.hears(type_url, {"A": "v1", "B": "v1", "C": "v1"})
    await peer.hears_no_more()


@scenario(WHOLE, STATE)
async def test_an_update_of_one_is_told_with_all_others(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1", C="v1")
    await peer.ask(type_url)
    before = await peer.hears(type_url, {"A": "v1", "B": "v1", "C": "v1"})
    publish(peer.stage, type_url, A="v2", B="v1", C="v1")
    after = await peer.hears(type_url, {"A": "v2", "B": "v1", "C": "v1"})
    assert before.version != after.version
    await peer.hears_no_more()


@scenario(WHOLE, STATE)
async def test_an_addition_is_told_with_all_others(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url)
    await peer.hears(type_url, {"A": "v1", "B": "v1"})
    publish(peer.stage, type_url, A="v1", B="v1", C="v1")
    await peer.hears(type_url, {"A": "v1", "B": "v1", "C": "v1"})
    await peer.hears_no_more()


@scenario(WHOLE, STATE)
async def test_a_removal_is_told_by_silence_about_it(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url)
    await peer.hears(type_url, {"A": "v1", "B": "v1"})
    publish(peer.stage, type_url, B="v1")
    await peer.hears(type_url, {"B": "v1"})
    await peer.hears_no_more()


@scenario(EVERY, STATE, DELTA)
async def test_who_names_some_is_told_only_these(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1", G="v1", L="v1")
    await peer.ask(type_url, "L", "G")
    await peer.hears(type_url, {"L": "v1", "G": "v1"})
    publish(peer.stage, type_url, A="v2", B="v2", G="v1", L="v1")
    await peer.hears_no_more()


@scenario(WHOLE, STATE)
async def test_of_named_ones_all_are_told_when_one_changes(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1", D="v1")
    await peer.ask(type_url, "B", "D")
    await peer.hears(type_url, {"B": "v1", "D": "v1"})
    publish(peer.stage, type_url, A="v1", B="v1", D="v2")
    await peer.hears(type_url, {"B": "v1", "D": "v2"})
    await peer.hears_no_more()


@scenario(PARTIAL, STATE)
async def test_of_named_ones_the_changed_one_suffices(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A", "B")
    await peer.hears(type_url, {"A": "v1", "B": "v1"})
    publish(peer.stage, type_url, A="v1", B="v2")
    await peer.hears(type_url, {"B": "v2"})
    await peer.hears_no_more()


@scenario(WHOLE, STATE)
async def test_what_does_not_exist_is_told_with_all_others_when_it_does(
    peer: Peer, type_url: str
) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A", "Z")
    await peer.hears(type_url, {"A": "v1"})
    await peer.hears_no_more()
    publish(peer.stage, type_url, A="v1", B="v1", Z="v1")
    await peer.hears(type_url, {"A": "v1", "Z": "v1"})
    await peer.hears_no_more()


@scenario(PARTIAL, STATE)
async def test_what_does_not_exist_is_told_when_it_does(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A", "Z")
    await peer.hears(type_url, {"A": "v1"})
    await peer.hears_no_more()
    publish(peer.stage, type_url, A="v1", B="v1", Z="v1")
    await peer.hears(type_url, {"Z": "v1"})
    await peer.hears_no_more()


# Unsubscribing


async def accept_and_ask(peer: Peer, received: Received, *names: str) -> None:
    """One request that accepts a response and asks for other names."""
    if isinstance(peer.client, StateClient):
        peer.client.accept(received)
        await peer.client.ask(received.type_url, names)
    else:
        await peer.client.ack(received, drop=[one for one in received.bodies if one not in names])


@scenario(WHOLE, STATE)
async def test_who_asks_for_less_is_told_less(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1", C="v1")
    await peer.ask(type_url, "C", "A", "B")
    all_three = {"A": "v1", "B": "v1", "C": "v1"}
    await accept_and_ask(peer, await peer.hears(type_url, all_three, is_ok=False), "A")
    publish(peer.stage, type_url, A="v2", B="v2", C="v1")
    await peer.hears(type_url, {"A": "v2"})
    publish(peer.stage, type_url, A="v2", B="v3", C="v3")
    await peer.hears_no_more()


@scenario(PARTIAL, STATE, DELTA)
async def test_what_is_no_longer_asked_for_is_not_told(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1", C="v1")
    await peer.ask(type_url, "C", "A", "B")
    all_three = {"A": "v1", "B": "v1", "C": "v1"}
    await accept_and_ask(peer, await peer.hears(type_url, all_three, is_ok=False), "A")
    publish(peer.stage, type_url, A="v2", B="v2", C="v2")
    await peer.hears(type_url, {"A": "v2"})
    await peer.hears_no_more()


@scenario(EVERY, STATE)
async def test_who_gives_up_all_names_is_told_nothing(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A", "B")
    received = await peer.hears(type_url, {"A": "v1", "B": "v1"}, is_ok=False)
    await accept_and_ask(peer, received, "")
    await peer.hears_no_more()
    publish(peer.stage, type_url, A="v2", B="v2")
    await peer.hears_no_more()


@scenario(EVERY, STATE)
async def test_who_asked_for_names_and_then_for_none_wants_nothing(
    peer: Peer, type_url: str
) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A")
    received = await peer.hears(type_url, {"A": "v1"}, is_ok=False)
    await accept_and_ask(peer, received)
    await peer.hears_no_more()
    publish(peer.stage, type_url, A="v2", B="v2")
    await peer.hears_no_more()


# Incremental


@scenario(EVERY, DELTA)
async def test_names_may_be_asked_for_one_after_the_other(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, r1="v1", r2="v1", r3="v1")
    await peer.ask(type_url, "r1")
    await peer.hears(type_url, {"r1": "v1"})
    await peer.ask(type_url, "r2")
    await peer.hears(type_url, {"r2": "v1"})
    await peer.hears_no_more()


@scenario(EVERY, DELTA)
async def test_only_what_was_updated_is_told_and_shares_no_version(
    peer: Peer, type_url: str
) -> None:
    publish(peer.stage, type_url, r1="v1", r2="v1")
    await peer.ask(type_url, "r1", "r2")
    first = await peer.hears(type_url, {"r1": "v1", "r2": "v1"})
    publish(peer.stage, type_url, r1="v2", r2="v1")
    second = await peer.hears(type_url, {"r1": "v2"})
    versions = [*first.resources.values(), *second.resources.values()]
    assert len(set(versions)) == 3
    assert first.nonce != second.nonce
    await peer.hears_no_more()


@scenario(EVERY, DELTA)
async def test_what_does_not_exist_is_said_to_be_missing_and_told_when_it_exists(
    peer: Peer, type_url: str
) -> None:
    publish(peer.stage, type_url, r1="v1")
    await peer.ask(type_url, "r1", "r2")
    first = await peer.hears(type_url, {"r1": "v1"}, removed=["r2"])
    publish(peer.stage, type_url, r1="v1", r2="v1")
    second = await peer.hears(type_url, {"r2": "v1"})
    assert first.nonce != second.nonce
    await peer.hears_no_more()


@scenario(EVERY, DELTA)
async def test_a_removal_is_told_and_so_is_its_return(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, r1="v1", r2="v1")
    await peer.ask(type_url, "r1", "r2")
    await peer.hears(type_url, {"r1": "v1", "r2": "v1"})
    publish(peer.stage, type_url, r2="v1")
    await peer.hears(type_url, {}, removed=["r1"])
    publish(peer.stage, type_url, r1="v2", r2="v1")
    await peer.hears(type_url, {"r1": "v2"})
    await peer.hears_no_more()


@scenario(EVERY, DELTA)
async def test_names_may_be_given_up_one_after_the_other(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, r1="v1", r2="v1")
    await peer.ask(type_url, "r1", "r2")
    both = await peer.hears(type_url, {"r1": "v1", "r2": "v1"}, is_ok=False)
    await accept_and_ask(peer, both, "r2")
    await peer.hears_no_more()
    publish(peer.stage, type_url, r1="v2", r2="v2")
    await accept_and_ask(peer, await peer.hears(type_url, {"r2": "v2"}, is_ok=False))
    await peer.hears_no_more()
    publish(peer.stage, type_url, r1="v3", r2="v3")
    await peer.hears_no_more()


# Two types on one stream


@pytest.mark.parametrize(("first", "second"), TWO_TYPES)
@pytest.mark.parametrize("variant", Variant)
def test_two_types_share_a_stream_and_an_update_of_one_says_nothing_of_the_other(
    variant: Variant, first: str, second: str
) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(first, "A"), thing(second, "B"))
        async with peer(stage, variant, first, True) as client:
            await client.ask(first, "A")
            await client.hears(first, {"A": "v1"})
            await client.ask(second, "B")
            await client.hears(second, {"B": "v1"})
            stage.publish(thing(first, "A", "v2"), thing(second, "B"))
            await client.hears(first, {"A": "v2"})
            await client.hears_no_more()
            stage.publish(thing(first, "A", "v2"), thing(second, "B", "v2"))
            await client.hears(second, {"B": "v2"})
            await client.hears_no_more()

    played(play)


@pytest.mark.parametrize(("first", "second"), TWO_TYPES)
@pytest.mark.parametrize("variant", Variant)
def test_an_update_of_two_types_comes_in_the_order_that_breaks_nothing(
    variant: Variant, first: str, second: str
) -> None:
    in_order = sorted((first, second), key=(CLUSTER, ENDPOINTS, LISTENER, ROUTES).index)

    async def play(stage: Stage) -> None:
        stage.publish(thing(first, "A"), thing(second, "B"))
        async with peer(stage, variant, first, True) as client:
            await client.ask(first, "A")
            await client.hears(first, {"A": "v1"})
            await client.ask(second, "B")
            await client.hears(second, {"B": "v1"})
            stage.publish(thing(first, "A", "v2"), thing(second, "B", "v2"))
            names = {first: "A", second: "B"}
            for type_url in in_order:
                await client.hears(type_url, {names[type_url]: "v2"})
            await client.hears_no_more()

    played(play)


# What the harness leaves out


@scenario(EVERY, STATE, DELTA)
async def test_a_refusal_is_not_answered_until_something_changes(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A", "B")
    refused = await peer.hears(type_url, {"A": "v1", "B": "v1"}, is_ok=False)
    await peer.client.nack(refused, "cannot")
    await peer.hears_no_more()
    publish(peer.stage, type_url, A="v2", B="v1")
    received = await peer.client.take()
    peer.heard += 1
    assert content(type_url, received.bodies["A"]) == "v2"
    await peer.hears_no_more()


@scenario(WHOLE, STATE, DELTA)
async def test_a_refusal_of_a_later_version_keeps_the_stream_going(
    peer: Peer, type_url: str
) -> None:
    publish(peer.stage, type_url, A="v1")
    await peer.ask(type_url)
    await peer.hears(type_url, {"A": "v1"})
    publish(peer.stage, type_url, A="v2")
    await peer.client.nack(await peer.hears(type_url, {"A": "v2"}, is_ok=False), "cannot")
    await peer.hears_no_more()
    publish(peer.stage, type_url, A="v3")
    await peer.hears(type_url, {"A": "v3"})
    await peer.hears_no_more()


@scenario(EVERY, STATE)
async def test_a_request_with_an_old_nonce_is_ignored(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A")
    first = await peer.hears(type_url, {"A": "v1"})
    publish(peer.stage, type_url, A="v2", B="v1")
    second = await peer.hears(type_url, {"A": "v2"}, is_ok=False)
    await peer.client.send(
        "DiscoveryRequest",
        type_url=type_url,
        resource_names=["A", "B"],
        version_info=first.version,
        response_nonce=first.nonce,
    )
    await peer.client.ack(second)
    await peer.hears_no_more()
    publish(peer.stage, type_url, A="v2", B="v2")
    await peer.hears_no_more()


@scenario(EVERY, STATE, DELTA)
async def test_a_name_that_is_said_twice_is_told_once(peer: Peer, type_url: str) -> None:
    publish(peer.stage, type_url, A="v1", B="v1")
    await peer.ask(type_url, "A", "A")
    await peer.hears(type_url, {"A": "v1"})
    await peer.hears_no_more()


@scenario(EVERY, STATE, DELTA)
async def test_the_version_changes_when_the_content_does_and_only_then(
    peer: Peer, type_url: str
) -> None:
    stage = peer.stage
    publish(stage, type_url, A="v1")
    await peer.ask(type_url, "A")
    first = await peer.hears(type_url, {"A": "v1"})
    publish(stage, type_url, A="v1")
    await peer.hears_no_more()
    publish(stage, type_url, A="v2")
    second = await peer.hears(type_url, {"A": "v2"})
    publish(stage, type_url, A="v1")
    third = await peer.hears(type_url, {"A": "v1"})
    if isinstance(peer.client, DeltaClient):
        assert first.resources == third.resources != second.resources
    assert first.version == third.version != second.version


@scenario(EVERY, DELTA)
async def test_a_hundred_changes_are_told_in_one_response(peer: Peer, type_url: str) -> None:
    names = [f"r{number}" for number in range(100)]
    publish(peer.stage, type_url, **dict.fromkeys(names, "v1"))
    await peer.ask(type_url, *names)
    await peer.hears(type_url, dict.fromkeys(names, "v1"))
    publish(peer.stage, type_url, **dict.fromkeys(names, "v2"))
    await peer.hears(type_url, dict.fromkeys(names, "v2"))
    await peer.hears_no_more()


@pytest.mark.parametrize("variant", Variant)
def test_endpoints_are_told_again_to_a_cluster_that_warms(variant: Variant) -> None:
    """Envoy waits for them, though they are the same, and does not ask."""

    async def play(stage: Stage) -> None:
        def publish_cluster(text: str) -> None:
            cluster = thing(CLUSTER, "c", text, needs=((ENDPOINTS, "e"),))
            stage.publish(cluster, thing(ENDPOINTS, "e"))

        publish_cluster("v1")
        async with peer(stage, variant, CLUSTER, True) as client:
            await client.ask(CLUSTER)
            await client.hears(CLUSTER, {"c": "v1"})
            await client.ask(ENDPOINTS, "e")
            await client.hears(ENDPOINTS, {"e": "v1"})
            publish_cluster("v2")
            await client.hears(CLUSTER, {"c": "v2"})
            await client.hears(ENDPOINTS, {"e": "v1"})
            await client.hears_no_more()

    played(play)


@pytest.mark.parametrize("variant", Variant)
def test_who_comes_back_with_what_it_had_is_told_nothing_that_it_has(variant: Variant) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(CLUSTER, "A"), thing(CLUSTER, "B"))
        async with peer(stage, variant, CLUSTER, True) as client:
            await client.ask(CLUSTER)
            before = await client.hears(CLUSTER, {"A": "v1", "B": "v1"})
        await stage.until(lambda: stage.clients.states() == ())
        async with peer(stage, variant, CLUSTER, True) as again:
            again.heard = client.heard
            if isinstance(again.client, DeltaClient):
                await again.client.ask(CLUSTER, held=before.resources)
            else:
                again.client.accept(before)
                await again.client.ask(CLUSTER)
            await stage.until(lambda: any(each.types for each in stage.clients.states()))
            await again.hears_no_more()
            stage.publish(thing(CLUSTER, "A"), thing(CLUSTER, "B", "v2"))
            everything = {"A": "v1", "B": "v2"}
            await again.hears(CLUSTER, {"B": "v2"} if variant is DELTA else everything)

    played(play)


@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize("seconds", [0.2])
def test_a_resource_that_ends_is_kept_alive(variant: Variant, seconds: float) -> None:
    async def play(stage: Stage) -> None:
        stage.publish(thing(ENDPOINTS, "mortal", ttl_seconds=seconds), thing(ENDPOINTS, "e"))
        async with peer(stage, variant, ENDPOINTS, True) as client:
            await client.ask(ENDPOINTS, "mortal", "e")
            first = await client.client.take()
            assert first.ttls == {"mortal": seconds}
            for _ in range(3):
                beat = await client.client.take()
                assert beat.ttls == {"mortal": seconds}
                if variant is DELTA:
                    assert (beat.heartbeats, beat.bodies) == ({"mortal"}, {})
                else:  # Envoy passes over one without a body
                    assert (beat.heartbeats, beat.bodies.keys()) == (set(), {"mortal"})

    played(play)
