"""Cards as clients see them."""

from __future__ import annotations

import json
from itertools import product

import pytest

from extproc.a2a.cards import Card, read_card
from extproc.a2a.modes import modes_of
from extproc.a2a_serving.directory import Found, ways_of
from extproc.a2a_serving.shown import Cards, origin_of, security_of
from gateway.a2a import A2aAgent, Binding, Revision
from gateway.identity import ApiKey, CertificateHolders, Identity
from tests.kit.a2a_exchange import card

AGENT = A2aAgent("travel", "travel:9999", "/card", "travel:50051")
KEYS = (ApiKey("ann", "0" * 64),)


def found(**more: object) -> Found:
    read = read_card(json.dumps(card(**more)).encode())
    assert isinstance(read, Card)
    return Found(AGENT, read, modes_of(read), ways_of(AGENT, read), 0.0, "")


def test_a_card_is_written_once_for_each_address_of_the_gateway() -> None:
    cards = Cards("/a2a", Identity())
    first = cards.shown(found(), "http://a")
    assert cards.shown(found(), "http://a") is first
    other = cards.shown(found(), "http://b")
    assert b"http://b/a2a/travel" in other.body
    assert cards.shown(found(version="2"), "http://a").tag != first.tag


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        ("https://a", "a:443"),
        ("http://a", "a:80"),
        ("http://a:1", "a:1"),
        ("https://[::1]", "[::1]:443"),
    ],
)
def test_clients_of_grpc_dial_a_host_and_a_port(origin: str, place: str) -> None:
    assert Cards("/a2a", Identity()).place(found(), origin).grpc == place


@pytest.mark.parametrize("is_alone", [True, False])
def test_every_form_is_offered_in_which_an_agent_can_be_named(is_alone: bool) -> None:
    cards = Cards("/a2a", Identity(), is_alone=is_alone)
    alone = found(supportedInterfaces=card()["supportedInterfaces"][:1])  # type: ignore[index]
    offers = {(each.binding, each.revision) for each in cards.place(alone, "http://a").offers}
    every = set(product(Binding, Revision))
    assert offers == (every if is_alone else every - {(Binding.GRPC, Revision.V0_3)})


@pytest.mark.parametrize(
    ("identity", "schemes"),
    [
        (Identity(), set()),
        (Identity(api_keys=KEYS), set()),
        (Identity(api_keys=KEYS, is_required=True), {"bearer", "apiKey"}),
        (Identity(has_stored_keys=True, is_required=True), {"bearer", "apiKey"}),
        (
            Identity(certificates=(CertificateHolders("a", ("*",)),), is_required=True),
            {"mutualTLS"},
        ),
    ],
)
def test_what_clients_must_show(identity: Identity, schemes: set[str]) -> None:
    assert {each.name for each in security_of(identity).schemes} == schemes


def test_the_gateway_is_called_as_it_says_or_as_the_request_does() -> None:
    headers = {":scheme": "https", ":authority": "gw.example"}
    assert origin_of("", headers) == "https://gw.example"
    assert origin_of("https://a", headers) == "https://a"
