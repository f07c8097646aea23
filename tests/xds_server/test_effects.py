"""Which changes drain, and which connections; as Envoy 1.40 does it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from xds_server.effects import (
    Connections,
    Drain,
    ResourceChange,
    closed_first,
    effect,
    policy_effect,
)
from xds_server.field_changes import Kind, field_changes
from xds_server.snapshot import LISTENER, TYPES

MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)


def listener(port: int = 8080, **more: Any) -> dict[str, Any]:
    manager = {"name": "http", "typed_config": {"@type": MANAGER, "stat_prefix": "a"}}
    return {
        "name": "l",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"name": "one", "filters": [manager]},
            {"name": "two", "filters": [copy.deepcopy(manager)]},
        ],
        **more,
    }


def changed(old: dict[str, Any], new: dict[str, Any], name: str = "l") -> ResourceChange:
    kind = Kind.CHANGED if old and new else Kind.ADDED if new else Kind.REMOVED
    fields = field_changes(old, new) if old and new else ()
    return ResourceChange(kind, LISTENER, name, old, new, fields)


def drain(*changes: ResourceChange) -> Drain | None:
    return effect(changes[0], changes).drain


def test_nothing_but_listeners_drains() -> None:
    for type_url in TYPES:
        if type_url != LISTENER:
            for kind in (Kind.ADDED, Kind.CHANGED, Kind.REMOVED):
                found = effect(ResourceChange(kind, type_url, "x"), ())
                assert found.drain is None
                assert all("not known" not in note for note in found.notes)


def test_a_new_listener_drains_nothing() -> None:
    assert drain(changed({}, listener())) is None


def test_a_removed_listener_drains() -> None:
    found = drain(changed(listener(), {}))
    assert found == Drain("l", Connections.ALL, "the listener is removed")


def test_another_address_drains_all_and_binds() -> None:
    change = changed(listener(), listener(8081))
    found = effect(change, (change,))
    why = "its address changes from 127.0.0.1:8080 to 127.0.0.1:8081"
    assert found.drain == Drain("l", Connections.ALL, why)
    assert found.notes == ("binds 127.0.0.1:8081: when somebody else has it, Envoy refuses the "
                           "change",)  # fmt: skip


def test_another_field_of_the_listener_drains_all_and_keeps_the_socket() -> None:
    change = changed(listener(), listener(per_connection_buffer_limit_bytes=5))
    found = effect(change, (change,))
    assert found.drain is not None
    assert found.drain.connections is Connections.ALL
    assert "the socket stays open" in found.notes[0]


def test_a_filter_of_a_chain_drains_the_chain_in_place() -> None:
    new = listener()
    new["filter_chains"][0]["filters"][0]["typed_config"]["stat_prefix"] = "b"
    found = drain(changed(listener(), new))
    assert found is not None
    assert found.connections is Connections.OF_CHANGED_CHAINS


@pytest.mark.parametrize("order", [[0], [1], [0, 1]])
def test_chains_that_go_drain_and_chains_that_come_do_not(order: list[int]) -> None:
    chains = listener()["filter_chains"]
    some = listener(filter_chains=[chains[place] for place in order])
    assert (drain(changed(listener(), some)) is None) == (len(order) == 2)
    assert drain(changed(some, listener())) is None


def test_chains_that_change_places_do_not_drain() -> None:
    new = listener(filter_chains=listener()["filter_chains"][::-1])
    assert drain(changed(listener(), new)) is None


def test_the_default_chain_drains_when_it_was_there() -> None:
    chain = {"filters": [{"name": "x"}]}
    with_one, with_another = (
        listener(default_filter_chain=chain),
        listener(default_filter_chain={"filters": [{"name": "y"}]}),
    )
    assert drain(changed(listener(), with_one)) is None
    assert drain(changed(with_one, with_another)) is not None
    assert drain(changed(with_one, listener())) is not None


def test_a_port_is_taken_over_from_a_listener_that_goes() -> None:
    new, gone = changed({}, listener(), "new"), changed(listener(), {}, "old")
    found = effect(new, (new, gone))
    assert found.notes == ("takes 127.0.0.1:8080 over, which old leaves",)


def test_a_port_is_taken_over_from_a_listener_that_moves() -> None:
    first = changed(listener(), listener(8081), "a")
    second = changed(listener(8082), listener(), "b")
    assert effect(second, (first, second)).notes == ("takes 127.0.0.1:8080 over, which a leaves",)


@pytest.mark.parametrize(
    ("old", "new", "closed"),
    [
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, set()),
        ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a", "b"}),
        ({"a": "1", "b": "2"}, {"a": "2", "b": "3"}, {"b"}),
        ({"a": "1", "b": "2"}, {"a": "3", "b": "1"}, {"a"}),
        ({"a": "1"}, {"a": "2", "b": "1"}, {"a"}),
        ({"a": "1", "b": "2"}, {"a": "2"}, {"b"}),
        ({"a": "1"}, {"b": "1"}, set()),
        ({}, {"a": "1"}, set()),
        ({"a": "1"}, {}, set()),
    ],
)
def test_who_stands_in_the_way_is_closed_first(
    old: dict[str, str], new: dict[str, str], closed: set[str]
) -> None:
    assert closed_first(old, new) == closed


def test_grpc_clients_drain_nothing() -> None:
    old = {"name": "l", "api_listener": {"api_listener": {"a": 1}}}
    new = {"name": "l", "api_listener": {"api_listener": {"a": 2}}}
    assert drain(changed(old, new)) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"limit": "5 USD"}, {"limit": "6 USD"}, "what is spent stays spent"),
        ({"limit": "5 USD"}, {"limit": "6 tokens"}, "another counter"),
        ({"per": "day"}, {"per": "hour"}, "another counter"),
        ({"for": {"key": "*"}}, {"for": {"key": "a"}}, "another counter"),
        ({}, {"alerts": [{"at": "6%"}]}, "the control plane sends them"),
        ({"mode": "hard"}, {"mode": "soft"}, "for new requests"),
    ],
)
def test_what_becomes_of_a_budgets_counter(
    old: dict[str, Any], new: dict[str, Any], said: str
) -> None:
    (change,) = field_changes(
        {"budgets": [{"name": "b", **old}]}, {"budgets": [{"name": "b", **new}]}
    )
    assert said in policy_effect(change)


def test_a_new_budget_counts_what_the_ledger_has() -> None:
    (change,) = field_changes({"budgets": []}, {"budgets": [{"name": "b"}]})
    assert "what the ledger has" in policy_effect(change)
