"""Links, and browsers that are away: for whom they are, and for how long."""

from __future__ import annotations

import pytest

from extproc.mcp.tickets import (
    Connected,
    Flow,
    Ticket,
    is_same,
    name_of,
    open_flow,
    open_ticket,
    owner_of,
    person_of,
    read_connected,
    seal_flow,
    seal_ticket,
)
from extproc.mcp.vault import Vault
from extproc.principal import Kind, Principal

VAULT = Vault(("a secret of at least thirty-two characters",), b"x")
ANN = Principal(Kind.JWT, "ann", user="ann@x", claims={"iss": "https://idp", "sub": "1"})


def test_a_link_opens_until_it_is_too_old_and_says_nothing_of_whom_it_is_for() -> None:
    ticket = Ticket(person_of(ANN), "a", 100, "n", "s")
    sealed = seal_ticket(VAULT, ticket)
    assert "ann" not in sealed
    assert open_ticket(VAULT, sealed, 100) == ticket
    assert open_ticket(VAULT, sealed, 101) is None
    assert open_ticket(VAULT, sealed[1:], 0) is None


def test_a_flow_opens_with_its_state() -> None:
    flow = Flow(Ticket(person_of(ANN), "a", 100, "n"), "verifier", name_of("cookie"))
    sealed = seal_flow(VAULT, flow, "state")
    assert open_flow(VAULT, sealed, "state") == flow
    assert open_flow(VAULT, sealed, "other") is None


def test_callers_are_told_apart_by_what_proved_them() -> None:
    same = Principal(Kind.JWT, "ann", user="ann@x", claims={"iss": "https://idp", "sub": "1"})
    others = [
        Principal(Kind.API_KEY, "ann", user="ann@x"),
        Principal(Kind.JWT, "ann", user="ann@x", claims={"iss": "https://other"}),
        Principal(Kind.JWT, "bob", user="ann@x", claims={"iss": "https://idp"}),
    ]
    assert owner_of(same) == owner_of(ANN)
    assert len({owner_of(each) for each in (ANN, *others)}) == 4
    assert "ann" not in owner_of(ANN)


@pytest.mark.parametrize(
    ("caller", "logged_in", "expected"),
    [
        ({"iss": "i", "sub": "1"}, {"iss": "i", "sub": "1"}, True),
        ({"iss": "i", "sub": "1"}, {"iss": "i", "sub": "2"}, False),
        ({"iss": "i", "sub": "1"}, {"iss": "j", "sub": "1"}, False),
        ({"iss": "i", "sub": "1", "user": "u"}, {"iss": "j", "sub": "1", "user": "u"}, True),
        ({"user": "u"}, {"iss": "j", "sub": "1", "user": "u"}, True),
        ({"user": ""}, {"user": ""}, False),
        ({"iss": "", "sub": ""}, {"iss": "", "sub": ""}, False),
        ({"iss": 5, "sub": 5}, {"iss": 5, "sub": 5}, False),
    ],
)
def test_who_has_logged_in_is_who_is_to_agree(
    caller: dict[str, str], logged_in: dict[str, str], expected: bool
) -> None:
    def made(kind: Kind, said: dict[str, str]) -> Principal:
        return Principal(kind, "x", user=said.get("user", ""), claims=said)

    person = person_of(made(Kind.JWT, caller))
    assert is_same(person, made(Kind.LOGIN, logged_in)) is expected


def test_the_hub_reads_who_is_connected() -> None:
    assert read_connected(b'{"owner":"o","server":"a"}') == Connected("o", "a")
    assert read_connected(b"{}") is None
