"""How much one client may take: the counters behind the limits."""

from __future__ import annotations

from xds_server.server.bounds import Bounds, Hush, Pace, Seats


def test_a_burst_is_read_at_once_and_the_rest_at_a_pace() -> None:
    pace = Pace(at_once=3, per_second=8)
    assert [pace.wait_seconds(100) for _ in range(3)] == [0, 0, 0]
    assert pace.wait_seconds(100) == 0.125
    assert pace.wait_seconds(100.125) == 0.125


def test_who_rests_may_burst_again_but_no_more_than_before() -> None:
    pace = Pace(at_once=3, per_second=8)
    for _ in range(3):
        pace.wait_seconds(0)
    assert [pace.wait_seconds(1_000) for _ in range(4)] == [0, 0, 0, 0.125]


def test_a_clock_that_jumps_back_gives_nothing_and_takes_nothing() -> None:
    pace = Pace(at_once=2, per_second=8)
    assert pace.wait_seconds(1_000) == 0
    assert pace.wait_seconds(0) == 0
    assert pace.wait_seconds(0) == 0.125


def test_there_are_so_many_seats() -> None:
    seats = Seats(Bounds(streams=2))
    assert [seats.enter("a:1") for _ in range(3)] == [True, True, False]
    seats.leave()
    assert seats.enter("a:1")


def test_of_a_host_so_many_may_be_silent() -> None:
    seats = Seats(Bounds(silent_streams_per_host=2))
    assert [seats.enter(f"a:{port}") for port in range(3)] == [True, True, False]
    assert seats.enter("b:1")
    seats.spoke("a:0")
    assert seats.enter("a:3")


def test_a_node_has_so_many_of_them() -> None:
    seats = Seats(Bounds(streams_per_node=2))
    assert [seats.sit("a") for _ in range(3)] == [True, True, False]
    assert seats.sit("b")
    seats.stand_up("a")
    assert seats.sit("a")


def test_a_host_is_complained_of_once_a_minute_whatever_its_port() -> None:
    hush = Hush(seconds=60)
    assert hush.may_say("ipv4:10.0.0.1:1", 0)
    assert not hush.may_say("ipv4:10.0.0.1:2", 59)
    assert hush.may_say("ipv4:10.0.0.2:1", 59)
    assert hush.may_say("ipv4:10.0.0.1:3", 60)


def test_only_so_many_hosts_are_remembered() -> None:
    hush = Hush(seconds=60, hosts=2)
    for host in "abc":
        assert hush.may_say(f"{host}:1", 0)
    assert not hush.may_say("c:1", 1)
    assert hush.may_say("a:1", 1)
