"""Sessions that were begun in the place of others."""

from __future__ import annotations

from extproc.mcp import renewed
from extproc.mcp.renewed import Lost, Renewed, RenewedSessions


def of(number: str, session: str) -> Renewed:
    return Renewed(number, "a", session, "2025-11-25")


def test_the_latest_is_known_and_not_in_the_place_of_itself() -> None:
    known = RenewedSessions()
    known.keep(of("n", "s-1"))
    known.keep(of("n", "s-2"))
    assert known.instead(Lost("n", "a", "s-1")) == of("n", "s-2")
    assert known.instead(Lost("n", "a", "s-2")) is None
    assert known.instead(Lost("n", "b", "s-1")) is None
    assert known.instead(Lost("m", "a", "s-1")) is None


def test_what_was_begun_longest_ago_is_forgotten() -> None:
    known = RenewedSessions(most=2)
    for number in ("n", "m", "n", "o"):
        known.keep(of(number, "s"))
    found = [known.instead(Lost(each, "a", "")) for each in "nmo"]
    assert [each is not None for each in found] == [True, False, True]


def test_it_is_said_and_read() -> None:
    lost = Lost("n", "a", "s-1")
    assert renewed.decode(renewed.encode(of("n", "s"))) == of("n", "s")
    assert renewed.decode_lost(renewed.encode(lost)) == lost
    assert renewed.decode(b"[]") is None
    assert renewed.decode_lost(b"{}") is None
