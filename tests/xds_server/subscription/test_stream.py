"""What both variants have in common: how far a client has come, and when to look again."""

from __future__ import annotations

import pytest
from envoy_api.discovery import Variant

from tests.kit.discovery import snapshot_said
from tests.kit.players import PLAYERS, DeltaPlayer
from xds_server.snapshot import CLUSTER, LISTENER, ROUTES, RUNTIME
from xds_server.subscription.words import ACK_SECONDS, MAX_IN_FLIGHT, DeltaResponse

both = pytest.mark.parametrize("variant", list(Variant))
WORLD = "v1 cluster a=1 listener l=1>routes:r routes r=1>cluster:a runtime layer=1"


@both
def test_an_envoy_is_current_when_it_has_asked_for_all_that_is_named(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(WORLD.split()))
    player.ask(CLUSTER, None)
    player.listen()
    assert player.stream.is_settled()
    assert not player.stream.is_current()
    player.ask(LISTENER, None)
    player.listen()
    assert not player.stream.is_current()
    player.ask(ROUTES, "r")
    player.listen()
    assert player.stream.is_current()  # and nobody expects it to ask for runtime layers


@both
def test_a_client_that_names_all_that_it_wants_is_current_when_it_has_it(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(WORLD.split()))
    for type_url, name in ((LISTENER, "l"), (ROUTES, "r")):
        player.ask(type_url, name)
        player.listen()
        assert not player.stream.is_current()
    player.ask(CLUSTER, "a")
    player.listen()
    assert player.stream.is_current()


@both
def test_a_stream_of_one_type_is_current_by_itself(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(WORLD.split()), is_aggregated=False)
    player.ask(CLUSTER, None)
    assert not player.stream.is_current()
    player.listen()
    assert player.stream.is_current()


@both
def test_nobody_is_current_who_refuses_or_has_asked_for_nothing(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(["v1", "cluster", "a=1"]), refuses=lambda _: True)
    assert not player.stream.is_current()
    player.ask(CLUSTER, None)
    player.listen()
    assert player.stream.is_settled()
    assert not player.stream.is_current()


@both
def test_nothing_is_said_after_nothing_is_published_any_more(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(WORLD.split()))
    player.stream.publish(None)
    player.ask(CLUSTER, None)
    assert player.listen() == []
    assert player.stream.next_wakeup() is None
    assert not player.stream.is_current()


@both
def test_a_stream_that_waits_for_nothing_is_not_looked_at_again(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(WORLD.split()))
    player.ask(CLUSTER, None)
    player.hear()
    assert player.stream.next_wakeup() is None
    player.listen()
    assert player.stream.next_wakeup() is None


@both
def test_the_end_of_patience_is_a_reason_to_look_again(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(WORLD.split()))
    for type_url, names in ((CLUSTER, None), (LISTENER, None), (ROUTES, "r")):
        player.ask(type_url, names)
        player.listen()
    player.stream.publish(
        snapshot_said(
            ["v2", "cluster", "a=2", "listener", "l=1>routes:r", "routes", "r=2>cluster:a"]
        )
    )
    assert [response.type_url for response in player.hear()] == [CLUSTER]
    assert player.stream.next_wakeup() == player.now + ACK_SECONDS
    player.now += ACK_SECONDS
    assert [response.type_url for response in player.hear()] == [ROUTES]
    assert player.stream.next_wakeup() is None


@both
def test_what_waits_for_a_removal_to_be_taken_back_is_a_reason_to_look_again(
    variant: Variant,
) -> None:
    player = PLAYERS[variant](snapshot_said(["v1", "cluster", "a=1"]))
    player.ask(CLUSTER, None)
    player.listen()
    player.stream.publish(snapshot_said(["v2", "cluster"]))
    assert [response.type_url for response in player.hear()] == [CLUSTER]
    player.stream.publish(snapshot_said(["v3", "cluster", "a=1", "routes", "r=1>cluster:a"]))
    player.ask(ROUTES, "r")
    assert player.hear() == []
    assert player.stream.next_wakeup() == player.now + ACK_SECONDS
    player.now += ACK_SECONDS
    assert [response.type_url for response in player.hear()] == [ROUTES]
    assert player.stream.next_wakeup() is None


def test_who_answers_nothing_is_still_told_what_it_asks_for_when_patience_ends() -> None:
    player = DeltaPlayer(snapshot_said(["v1", "cluster", "a=1", "routes"]))
    player.ask(CLUSTER, None)
    player.listen()
    player.stream.publish(snapshot_said(["v2", "cluster"]))
    assert [response.type_url for response in player.hear()] == [CLUSTER]
    player.ask(ROUTES, "s")
    assert [response.type_url for response in player.hear()] == [ROUTES]
    player.stream.publish(snapshot_said(["v3", "cluster", "a=1", "routes", "r=1>cluster:a"]))
    player.ask(ROUTES, "rs")
    assert player.hear() == []
    assert player.stream.next_wakeup() == player.now + ACK_SECONDS
    player.now += ACK_SECONDS
    (response,) = player.hear()
    assert [each.name for each in response.resources] == ["r"]


@both
def test_a_heartbeat_is_a_reason_to_look_again(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(["v1", "runtime", "layer=1~30"]))
    player.ask(RUNTIME, ["layer"])
    player.listen()
    assert player.stream.next_wakeup() == player.now + 10
    player.now += 10
    (beat,) = player.listen()
    beats = beat.heartbeats if isinstance(beat, DeltaResponse) else beat.resources
    assert [each.name for each in beats] == ["layer"]
    assert player.stream.next_wakeup() == player.now + 10


@both
def test_who_answers_no_more_hears_a_bounded_number_of_heartbeats(variant: Variant) -> None:
    player = PLAYERS[variant](snapshot_said(["v1", "runtime", "layer=1~30"]))
    player.ask(RUNTIME, ["layer"])
    player.listen()
    heard = 0
    for _ in range(200):
        heard += len(player.hear())
        player.now += 20
    assert heard == MAX_IN_FLIGHT
    assert player.stream.next_wakeup() is None


def test_a_heartbeat_does_not_hide_a_change() -> None:
    player = DeltaPlayer(snapshot_said(["v1", "runtime", "layer=1~30"]))
    player.ask(RUNTIME, ["layer"])
    player.listen()
    player.now += 10
    player.hear()
    player.stream.publish(snapshot_said(["v2", "runtime", "layer=2~30"]))
    player.listen()
    assert player.names(RUNTIME) == {"layer": "2"}
