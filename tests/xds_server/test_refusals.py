"""Refusals of made-up clients."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway import names
from xds_server.audience import Kind, Node
from xds_server.refusals import KEPT, REASON_LIMIT, Refusals, client_name
from xds_server.snapshot import CLUSTER, LISTENER, TYPES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def refused(
    reason: str, *sent: str, type_url: str = LISTENER, node: str = "edge-1", program: str = "envoy"
) -> Refusals:
    refusals = Refusals(lambda: NOON)
    refusals.note(Kind.ENVOY, Node(node, user_agent=program), type_url, sent, reason)
    return refusals


def test_who_refuses_what_and_why_is_told() -> None:
    (refusal,) = refused("no such filter", "gateway/a").recent
    assert str(refusal) == "envoy edge-1 refuses Listener gateway/a: no such filter"
    assert refusal.time == NOON


def test_who_is_no_envoy_is_called_what_it_says_it_is() -> None:
    (refusal,) = refused("bad", "a", node="shop", program="gRPC Python\x1b[2J\n").recent
    assert str(refusal) == "gRPC Python\N{REPLACEMENT CHARACTER}[2J shop refuses Listener a: bad"
    assert client_name(Kind.ENVOY, Node("shop", user_agent="\n")) == "envoy"
    assert client_name(Kind.WORKER, Node("w", user_agent="dragoman-extproc")) == "extproc"


def test_of_a_whole_response_those_that_the_reason_mentions_are_named() -> None:
    (refusal,) = refused("error adding listener(s) b: bad; c: worse", "a", "b", "c", "").recent
    assert refusal.names == ("b", "c")


def test_all_are_named_when_the_reason_mentions_none_but_not_too_many() -> None:
    (refusal,) = refused("bad", *(f"l{number}" for number in range(13))).recent
    assert refusal.names == (*(f"l{number}" for number in range(10)), "and 3 more")
    (refusal,) = refused("bad").recent
    assert str(refusal) == "envoy edge-1 refuses Listener: bad"


def test_what_looks_like_a_secret_is_not_kept() -> None:
    (refusal,) = refused("bad header authorization: Bearer sk-very-secret-key", "a").recent
    assert "secret-key" not in repr(refusal)


def test_what_envoy_shows_of_a_resource_before_its_reason_is_not_kept() -> None:
    dump = 'goo.gle/debugstr\nprivate_key { inline_string: "HUNTER2" }\n' + "x: 1\n" * 9_000
    reason = (
        f"Error adding listener a: {dump}: Proto constraint validation failed (Name: too short)"
    )
    (refusal,) = refused(reason, "a", "b").recent
    assert "HUNTER2" not in repr(refusal)
    assert refusal.reason.endswith("Proto constraint validation failed (Name: too short)")
    assert refusal.names == ("a",)


def test_which_resource_it_is_may_stand_in_what_envoy_shows_of_it() -> None:
    reason = 'goo.gle/debugstr\nname: "b"\n: Proto constraint validation failed (Policy: bad)'
    (refusal,) = refused(reason, "a", "b").recent
    assert refusal.names == ("b",)


def test_a_stranger_commands_no_terminal() -> None:
    (refusal,) = refused("bad \x1b[2J\x07", "a", node="edge\x1b[31m\u202e").recent
    assert str(refusal).isprintable()


def test_a_stranger_can_neither_fill_the_memory_nor_forge_a_line() -> None:
    refusals = refused("x" * 9_999_999, "a", node="n\n" * 9_999)
    (refusal,) = refusals.recent
    assert len(refusal.reason) == REASON_LIMIT + 1
    assert len(refusal.node) < 200
    assert "\n" not in str(refusal)
    for number in range(99):
        node = Node(f"n{number}")
        refusals.note(Kind.WORKER, node, f"type.googleapis.com/x.T{number}", (), "bad")
    assert len(refusals.recent) == KEPT
    assert refusals.recent[0].node == "n98"
    assert refusals.counts == {("envoy", "Listener"): 1, ("extproc", "other"): 99}


def test_each_is_counted_by_kind_and_type() -> None:
    refusals = Refusals(lambda: NOON)
    for type_url in (CLUSTER, CLUSTER, *TYPES):
        refusals.note(Kind.ENVOY, Node("e"), type_url, ("a",), "bad")
    refusals.note(Kind.WORKER, Node("w"), names.CONFIGURATION_TYPE, ("dragoman",), "bad")
    assert refusals.counts["envoy", "Cluster"] == 3
    assert refusals.counts["extproc", "Configuration"] == 1
    assert len(refusals.counts) == len(TYPES) + 1
