"""Every scenario of the public xDS test harness (S1 to S9, U1 to U3, D1 to D6), and what its
authors left for later."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest
from envoy_api.discovery import Variant

from tests.kit.players import PLAYERS, DeltaPlayer, StatePlayer
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    ROUTES,
    Resource,
    Snapshot,
    resource_of,
    snapshot_of,
)
from xds_server.subscription.words import DeltaResponse, Response, StateRequest, StateResponse

WHOLE = (CLUSTER, LISTENER)
PARTIAL = (ROUTES, ENDPOINTS)
ALL = (*WHOLE, *PARTIAL)

aggregated_or_not = pytest.mark.parametrize("is_aggregated", [True, False], ids=["ads", "alone"])
both = pytest.mark.parametrize("variant", list(Variant))


def resource(type_url: str, name: str, version: int = 1) -> Resource:
    return resource_of(name, type_url, f"{type_url} {name} {version}".encode())


def snapshot(type_url: str, **versions: int) -> Snapshot:
    return snapshot_of(resource(type_url, name, version) for name, version in versions.items())


def joined(*snapshots: Snapshot) -> Snapshot:
    return snapshot_of(
        each for one in snapshots for named in one.resources.values() for each in named.values()
    )


def told(responses: Iterable[Response]) -> list[dict[str, Resource]]:
    return [{each.name: each for each in response.resources} for response in responses]


def version(type_url: str, name: str, number: int) -> str:
    return resource(type_url, name, number).version


def only(responses: list[Response]) -> Response:
    (response,) = responses
    return response


def wildcard(type_url: str, player: StatePlayer) -> None:
    """The legacy way: no names."""
    player.wants[type_url] = None
    player.stream.receive(StateRequest(type_url))


@aggregated_or_not
@pytest.mark.parametrize("type_url", WHOLE)
def test_s1_everything_comes_in_a_single_response(type_url: str, is_aggregated: bool) -> None:
    player = StatePlayer(snapshot(type_url, A=1, B=1, C=1), is_aggregated=is_aggregated)
    wildcard(type_url, player)
    response = only(player.listen())
    assert [each.name for each in response.resources] == ["A", "B", "C"]
    assert player.stream.is_settled()


@aggregated_or_not
@pytest.mark.parametrize("type_url", WHOLE)
@pytest.mark.parametrize("change", [{"A": 2, "B": 1, "C": 1}, {"A": 1, "B": 1, "C": 1, "D": 1}])
def test_s2_s3_a_change_comes_as_the_full_set_with_a_new_version(
    type_url: str, is_aggregated: bool, change: dict[str, int]
) -> None:
    player = StatePlayer(snapshot(type_url, A=1, B=1, C=1), is_aggregated=is_aggregated)
    wildcard(type_url, player)
    first = only(player.listen())
    player.stream.publish(snapshot(type_url, **change))
    second = only(player.listen())
    assert sorted(each.name for each in second.resources) == sorted(change)
    assert second.version != first.version


@aggregated_or_not
@both
@pytest.mark.parametrize(
    ("type_url", "asked"), [(LISTENER, "LG"), (ROUTES, "BA"), (CLUSTER, "BD"), (ENDPOINTS, "AB")]
)
def test_s4_only_what_is_named_comes(
    type_url: str, asked: str, is_aggregated: bool, variant: Variant
) -> None:
    everything = snapshot(type_url, A=1, B=1, D=1, G=1, L=1)
    player = PLAYERS[variant](everything, is_aggregated=is_aggregated)
    player.ask(type_url, asked)
    assert set(told([only(player.listen())])[0]) == set(asked)


@aggregated_or_not
@pytest.mark.parametrize(("type_url", "asked"), [(CLUSTER, "BD"), (LISTENER, "LG")])
def test_s5_of_named_ones_one_changes_and_all_come(
    type_url: str, asked: str, is_aggregated: bool
) -> None:
    everything = {"A": 1, "B": 1, "D": 1, "G": 1, "L": 1}
    player = StatePlayer(snapshot(type_url, **everything), is_aggregated=is_aggregated)
    player.ask(type_url, asked)
    player.listen()
    player.stream.publish(snapshot(type_url, **{**everything, asked[0]: 2}))
    (resources,) = told([only(player.listen())])
    assert set(resources) == set(asked)
    assert resources[asked[0]].version == version(type_url, asked[0], 2)


@aggregated_or_not
@pytest.mark.parametrize("type_url", PARTIAL)
def test_s6_of_named_ones_one_changes_and_it_alone_comes(
    type_url: str, is_aggregated: bool
) -> None:
    player = StatePlayer(snapshot(type_url, A=1, B=1, C=1), is_aggregated=is_aggregated)
    player.ask(type_url, "AB")
    player.listen()
    player.stream.publish(snapshot(type_url, A=2, B=1, C=2))
    assert set(told([only(player.listen())])[0]) == {"A"}


@aggregated_or_not
@pytest.mark.parametrize(
    ("type_url", "asked", "late"), [(CLUSTER, "AZ", "Z"), (LISTENER, "BDX", "X")]
)
def test_s7_what_is_created_later_comes_with_the_rest(
    type_url: str, asked: str, late: str, is_aggregated: bool
) -> None:
    early = dict.fromkeys("ABD", 1)
    player = StatePlayer(snapshot(type_url, **early), is_aggregated=is_aggregated)
    player.ask(type_url, asked)
    assert set(told([only(player.listen())])[0]) == set(asked) - {late}
    player.stream.publish(snapshot(type_url, **early, **{late: 1}))
    assert set(told([only(player.listen())])[0]) == set(asked)


@aggregated_or_not
@pytest.mark.parametrize("type_url", PARTIAL)
def test_s8_what_is_created_later_may_come_alone(type_url: str, is_aggregated: bool) -> None:
    player = StatePlayer(snapshot(type_url, A=1, B=1), is_aggregated=is_aggregated)
    player.ask(type_url, "AZ")
    assert set(told([only(player.listen())])[0]) == {"A"}
    player.stream.publish(snapshot(type_url, A=1, B=1, Z=1))
    assert set(told([only(player.listen())])[0]) == {"Z"}


@both
@pytest.mark.parametrize(
    ("one", "other"),
    [(CLUSTER, LISTENER), (LISTENER, CLUSTER), (ROUTES, ENDPOINTS), (ENDPOINTS, ROUTES)],
)
def test_s9_d6_two_services_share_a_stream(one: str, other: str, variant: Variant) -> None:
    first = joined(snapshot(one, A=1, B=1), snapshot(other, C=1, D=1))
    player = PLAYERS[variant](first)
    player.ask(one, "AB")
    player.ask(other, "CD")
    assert [response.type_url for response in player.listen()] != []
    player.stream.publish(joined(snapshot(one, A=2, B=1), snapshot(other, C=1, D=1)))
    assert only(player.listen()).type_url == one
    player.stream.publish(joined(snapshot(one, A=2, B=1), snapshot(other, C=1, D=2)))
    assert only(player.listen()).type_url == other
    assert player.names(one)["A"] == version(one, "A", 2)
    assert player.names(other)["D"] == version(other, "D", 2)


@aggregated_or_not
@pytest.mark.parametrize("type_url", WHOLE)
def test_u1_a_narrowed_subscription_is_told_in_a_single_response(
    type_url: str, is_aggregated: bool
) -> None:
    player = StatePlayer(snapshot(type_url, A=1, B=1, C=1), is_aggregated=is_aggregated)
    player.ask(type_url, "CAB")
    player.listen()
    player.ask(type_url, "A")
    assert player.listen() == []
    player.stream.publish(snapshot(type_url, A=2, B=1, C=1))
    (resources,) = told([only(player.listen())])
    assert resources["A"].version == version(type_url, "A", 2)


@aggregated_or_not
@pytest.mark.parametrize("type_url", PARTIAL)
def test_u2_a_narrowed_subscription_is_told_nothing_else(
    type_url: str, is_aggregated: bool
) -> None:
    player = StatePlayer(snapshot(type_url, A=1, B=1, C=1), is_aggregated=is_aggregated)
    player.ask(type_url, "CAB")
    player.listen()
    player.ask(type_url, "A")
    player.stream.publish(snapshot(type_url, A=2, B=2, C=2))
    assert set(told([only(player.listen())])[0]) == {"A"}


@aggregated_or_not
@pytest.mark.parametrize("type_url", ALL)
def test_u3_who_has_given_up_everything_is_told_nothing(type_url: str, is_aggregated: bool) -> None:
    player = StatePlayer(snapshot(type_url, A=1, B=1), is_aggregated=is_aggregated)
    player.ask(type_url, "AB")
    player.listen()
    player.ask(type_url, ())  # says [""]
    player.stream.publish(snapshot(type_url, A=2, B=2))
    assert player.listen() == []
    assert player.stream.is_settled()


@aggregated_or_not
@pytest.mark.parametrize("type_url", ALL)
def test_d1_each_subscription_is_answered_and_nothing_else(
    type_url: str, is_aggregated: bool
) -> None:
    player = DeltaPlayer(snapshot(type_url, A=1, B=1, C=1), is_aggregated=is_aggregated)
    player.ask(type_url, "A")
    assert told([only(player.listen())]) == [{"A": resource(type_url, "A")}]
    player.ask(type_url, "AB")
    assert told([only(player.listen())]) == [{"B": resource(type_url, "B")}]


@aggregated_or_not
@pytest.mark.parametrize("type_url", ALL)
def test_d2_an_update_comes_alone_with_a_version_and_nonce_of_its_own(
    type_url: str, is_aggregated: bool
) -> None:
    player = DeltaPlayer(snapshot(type_url, A=1, B=1), is_aggregated=is_aggregated)
    player.ask(type_url, "AB")
    first = only(player.listen())
    player.stream.publish(snapshot(type_url, A=2, B=1))
    second = only(player.listen())
    (updated,) = second.resources
    assert updated.name == "A"
    assert updated.version not in {each.version for each in first.resources}
    assert second.nonce != first.nonce


@aggregated_or_not
@pytest.mark.parametrize("type_url", ALL)
def test_d3_what_does_not_exist_is_said_to_and_comes_when_it_does(
    type_url: str, is_aggregated: bool
) -> None:
    player = DeltaPlayer(snapshot(type_url, A=1), is_aggregated=is_aggregated)
    player.ask(type_url, "AB")
    first = only(player.listen())
    assert isinstance(first, DeltaResponse)
    assert told([first]) == [{"A": resource(type_url, "A")}]
    assert first.removed == ("B",)
    player.stream.publish(snapshot(type_url, A=1, B=1))
    second = only(player.listen())
    assert told([second]) == [{"B": resource(type_url, "B")}]
    assert second.nonce != first.nonce


@aggregated_or_not
@pytest.mark.parametrize("type_url", ALL)
def test_d4_a_removal_is_announced_and_a_return_comes_alone(
    type_url: str, is_aggregated: bool
) -> None:
    player = DeltaPlayer(snapshot(type_url, A=1, B=1), is_aggregated=is_aggregated)
    player.ask(type_url, "AB")
    player.listen()
    player.stream.publish(snapshot(type_url, B=1))
    gone = only(player.listen())
    assert isinstance(gone, DeltaResponse)
    assert (gone.resources, gone.removed) == ((), ("A",))
    player.stream.publish(snapshot(type_url, A=2, B=1))
    assert told([only(player.listen())]) == [{"A": resource(type_url, "A", 2)}]


@aggregated_or_not
@pytest.mark.parametrize("type_url", ALL)
def test_d5_what_is_given_up_is_not_told_any_more(type_url: str, is_aggregated: bool) -> None:
    player = DeltaPlayer(snapshot(type_url, A=1, B=1), is_aggregated=is_aggregated)
    player.ask(type_url, "AB")
    player.listen()
    player.ask(type_url, "B")
    player.stream.publish(snapshot(type_url, A=2, B=2))
    assert told(player.listen()) == [{"B": resource(type_url, "B", 2)}]
    player.ask(type_url, ())
    player.stream.publish(snapshot(type_url, A=3, B=3))
    player.now += 15
    assert player.listen() == []


@both
def test_a_cluster_is_answered_by_its_endpoints(variant: Variant) -> None:
    """Not covered by the harness: warming."""
    cluster = dataclasses.replace(resource(CLUSTER, "A"), needs=((ENDPOINTS, "A"),))
    changed = dataclasses.replace(resource(CLUSTER, "A", 2), needs=((ENDPOINTS, "A"),))
    endpoints = resource(ENDPOINTS, "A")
    player = PLAYERS[variant](snapshot_of([cluster, endpoints]))
    player.ask(CLUSTER, None)
    assert [response.type_url for response in player.listen()] == [CLUSTER]
    player.ask(ENDPOINTS, "A")
    assert [response.type_url for response in player.listen()] == [ENDPOINTS]
    player.stream.publish(snapshot_of([changed, endpoints]))
    responses = player.hear()
    assert [response.type_url for response in responses] == [CLUSTER, ENDPOINTS]
    assert set(told(responses)[1]) == {"A"}


@pytest.mark.parametrize("type_url", ALL)
def test_the_version_changes_if_and_only_if_the_content_does(type_url: str) -> None:
    """Not covered by the harness."""

    def said(**versions: int) -> str:
        player = StatePlayer(snapshot(type_url, **versions))
        wildcard(type_url, player)
        response = only(player.listen())
        assert isinstance(response, StateResponse)
        return response.version

    assert said(A=1, B=1) == said(B=1, A=1)
    assert len({said(A=1), said(A=2), said(A=1, B=1), said(B=1), said()}) == 5


@both
@pytest.mark.parametrize("type_url", ALL)
def test_a_hundred_changes_come_in_one_response(type_url: str, variant: Variant) -> None:
    """Not covered by the harness: grouping."""
    names = [f"r{number}" for number in range(100)]
    player = PLAYERS[variant](snapshot(type_url, **dict.fromkeys(names, 1)))
    player.ask(type_url, names)
    assert len(only(player.listen()).resources) == 100
    player.stream.publish(snapshot(type_url, **dict.fromkeys(names, 2)))
    assert len(only(player.listen()).resources) == 100


@both
@pytest.mark.parametrize("type_url", ALL)
def test_duplicate_names_are_one(type_url: str, variant: Variant) -> None:
    """Not covered by the harness."""
    player = PLAYERS[variant](snapshot(type_url, A=1))
    player.ask(type_url, ["A", "A"])
    assert [each.name for each in only(player.listen()).resources] == ["A"]


@both
@pytest.mark.parametrize("type_url", ALL)
def test_a_refusal_is_not_answered(type_url: str, variant: Variant) -> None:
    """Not covered by the harness."""
    player = PLAYERS[variant](snapshot(type_url, A=1), refuses=lambda _: True)
    player.ask(type_url, "A")
    assert len(player.listen()) == 1
    player.now += 60
    assert player.listen() == []
    assert [each.error for each in player.stream.rejections(snapshot(type_url, A=1))] == ["cannot"]
