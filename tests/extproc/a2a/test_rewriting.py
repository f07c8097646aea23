from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.compat.v0_3 import types
from a2a.types import a2a_pb2
from a2a.utils import signing
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import jwk, rewriting, security, signatures
from extproc.a2a.cards import Card, Interface, read_card
from extproc.a2a.jcs import NotCanonical
from extproc.a2a.rewriting import Offer, Place
from extproc.a2a.signatures import Verified
from gateway.a2a import Binding, Revision
from tests.extproc.a2a.keys import signer

JSONRPC, HTTP, GRPC = Binding.JSONRPC, Binding.HTTP_JSON, Binding.GRPC
OLD, NEW = Revision.V0_3, Revision.V1_0
URL = "https://gw.example/a2a/travel"
PLACE = Place("travel", URL, (Offer(JSONRPC, NEW), Offer(JSONRPC, OLD)), grpc="gw.example:443")
EVIL = "http://10.0.0.7:9999"
NEW_CARD: dict[str, Any] = {
    "name": "Travel",
    "description": "Books trips",
    "version": "2",
    "supportedInterfaces": [
        {"url": f"{EVIL}/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    ],
    "capabilities": {"streaming": True, "pushNotifications": True, "extendedAgentCard": True},
    "securitySchemes": {"own": {"httpAuthSecurityScheme": {"scheme": "bearer"}}},
    "securityRequirements": [{"schemes": {"own": {}}}],
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "s", "securityRequirements": [{"schemes": {"own": {}}}]}],
    "signatures": [{"protected": "e30", "signature": ""}],
}
OLD_CARD: dict[str, Any] = {
    "name": "Old",
    "description": "d",
    "version": "1",
    "protocolVersion": "0.3.0",
    "url": f"{EVIL}/",
    "preferredTransport": "JSONRPC",
    "additionalInterfaces": [{"url": "10.0.0.7:50051", "transport": "GRPC"}],
    "capabilities": {"pushNotifications": True},
    "supportsAuthenticatedExtendedCard": True,
    "securitySchemes": {"own": {"type": "http", "scheme": "basic"}},
    "security": [{"own": []}],
    "defaultInputModes": [],
    "defaultOutputModes": [],
    "skills": [{"id": "s", "name": "S", "description": "", "tags": [], "security": [{"own": []}]}],
}
DUAL_CARD = {**OLD_CARD, **NEW_CARD}
CARDS = [NEW_CARD, OLD_CARD, DUAL_CARD]


def card_of(document: Any) -> Card:
    card = read_card(document if isinstance(document, bytes) else json.dumps(document).encode())
    assert isinstance(card, Card), card
    return card


def told(document: Any, place: Place = PLACE) -> dict[str, Any]:
    body = rewriting.rewritten(card_of(document), place)
    found = json.loads(body)
    assert isinstance(found, dict)
    assert isinstance(read_card(body), Card)
    return found


@pytest.mark.parametrize("document", CARDS)
def test_clients_see_the_gateway_alone(document: dict[str, Any]) -> None:
    found = told(document)
    assert "10.0.0.7" not in json.dumps(found)
    assert found["supportedInterfaces"] == [
        {"url": URL, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": URL, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
    ]
    assert (found["url"], found["preferredTransport"]) == (URL, "JSONRPC")
    assert found["additionalInterfaces"] == [{"url": URL, "transport": "JSONRPC"}]
    assert found["protocolVersion"] == "0.3.0"
    assert "signatures" not in found


@pytest.mark.parametrize("document", CARDS)
@pytest.mark.parametrize(
    "offers",
    [
        (Offer(JSONRPC, NEW), Offer(JSONRPC, OLD), Offer(HTTP, NEW), Offer(GRPC, NEW)),
        (Offer(HTTP, OLD), Offer(GRPC, OLD, "")),
    ],
)
def test_official_clients_of_both_revisions_read_it(
    document: dict[str, Any], offers: tuple[Offer, ...]
) -> None:
    place = Place("travel", URL, offers, "gw:443", security.any_of(security.bearer("JWT")))
    found = told(document, place)
    older = types.AgentCard.model_validate(copy.deepcopy(found))
    assert older.url == URL
    assert older.security == [{"bearer": []}]
    newer = parse_agent_card(copy.deepcopy(found))
    assert newer.capabilities.extended_agent_card
    assert [each.url for each in newer.supported_interfaces] == [
        "gw:443" if each.binding is GRPC else URL for each in offers
    ]
    scheme = newer.security_schemes["bearer"]
    assert scheme.http_auth_security_scheme.bearer_format == "JWT"


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
def test_the_official_client_goes_to_the_gateway(binding: str) -> None:
    offers = (Offer(JSONRPC, NEW), Offer(HTTP, NEW), Offer(GRPC, NEW))
    card = parse_agent_card(told(NEW_CARD, Place("travel", URL, offers, "gw:443")))
    factory = ClientFactory(ClientConfig(supported_protocol_bindings=[binding]))
    client = factory.create(card)
    assert client._transport.url == URL  # type: ignore[attr-defined]


def test_grpc_names_the_agent_as_its_tenant() -> None:
    offers = (Offer(GRPC, NEW), Offer(GRPC, NEW, "own"), Offer(GRPC, OLD), Offer(HTTP, NEW, "own"))
    found = told(NEW_CARD, Place("travel", URL, offers, "gw:443"))
    assert [each.get("tenant") for each in found["supportedInterfaces"]] == [
        "travel",
        "travel/own",
        None,
        "own",
    ]


def test_without_a_place_for_grpc_it_is_not_offered() -> None:
    offers = (Offer(GRPC, NEW), Offer(JSONRPC, NEW))
    (only,) = told(NEW_CARD, Place("travel", URL, offers))["supportedInterfaces"]
    assert only["protocolBinding"] == "JSONRPC"


@pytest.mark.parametrize("document", CARDS)
def test_where_0_3_is_not_offered_nothing_says_that_it_is(document: dict[str, Any]) -> None:
    found = told(document, Place("travel", URL, (Offer(JSONRPC, NEW),)))
    legacy = {"url", "preferredTransport", "additionalInterfaces", "protocolVersion", "security"}
    assert found.keys().isdisjoint(legacy)
    assert "supportsAuthenticatedExtendedCard" not in found


@pytest.mark.parametrize("document", CARDS)
def test_security_is_the_gateways(document: dict[str, Any]) -> None:
    found = told({**document, "authentication": {"schemes": ["own"], "credentials": "x"}})
    assert "own" not in json.dumps(found)
    assert "authentication" not in found
    assert found.keys().isdisjoint({"securitySchemes", "securityRequirements", "security"})
    asked = security.any_of(security.api_key("x-api-key"))
    found = told(document, Place("travel", URL, PLACE.offers, security=asked))
    assert found["securitySchemes"] == asked.said_schemes()
    assert found["securityRequirements"] == asked.said_requirements()
    assert found["security"] == [{"apiKey": []}]
    assert "own" not in json.dumps(found)


@pytest.mark.parametrize("document", CARDS)
def test_what_is_switched_off_is_said_to_be(document: dict[str, Any]) -> None:
    place = Place("travel", URL, PLACE.offers, has_push=False, has_extended=False)
    found = told(document, place)
    assert found["capabilities"]["pushNotifications"] is False
    assert found["capabilities"]["extendedAgentCard"] is False
    assert found["supportsAuthenticatedExtendedCard"] is False
    found = told(document)
    assert found["capabilities"]["pushNotifications"] is True
    assert found["capabilities"]["extendedAgentCard"] is True
    assert found["supportsAuthenticatedExtendedCard"] is True


def test_what_an_agent_cannot_do_is_not_said() -> None:
    bare = {"name": "a", "url": "http://a"}
    assert told(bare, Place("a", URL, PLACE.offers, has_push=False))["capabilities"] == {}
    assert "supportsAuthenticatedExtendedCard" not in told(bare)


def test_members_that_clients_need_are_there() -> None:
    found = told({"name": "a", "url": "http://a", "skills": [{"id": "s"}], "version": None})
    assert found["skills"] == [{"id": "s", "name": "s", "description": "", "tags": []}]
    assert (found["description"], found["version"]) == ("", "")
    assert (found["defaultInputModes"], found["defaultOutputModes"]) == ([], [])


def test_what_nobody_changes_stays_as_it_was_written() -> None:
    body = (
        b'{ "x": {"n": 1.10, "u": "\\u0041"},\n "name" : "a", "url":"http://a/",'
        b' "skills": [ {"id":"s", "y": 1E2, "tags":[],"name":"n","description":""} ] ,'
        b' "capabilities": {"z" : [ ]} , "signatures": [1], "iconUrl":"http://icons/a" }'
    )
    found = rewriting.rewritten(card_of(body), PLACE)
    for kept in (
        b'"x": {"n": 1.10, "u": "\\u0041"}',
        b'"name" : "a"',
        b'{"id":"s", "y": 1E2, "tags":[],"name":"n","description":""}',
        b'"capabilities": {"z" : [ ]}',
        b'"iconUrl":"http://icons/a"',
    ):
        assert kept in found
    assert b"signatures" not in found
    assert b"http://a/" not in found


def test_other_spellings_of_what_we_say_are_gone() -> None:
    sneaky = {
        **NEW_CARD,
        "supported_interfaces": [{"url": EVIL, "protocol_binding": "JSONRPC"}],
        "security_schemes": {"evil": {}},
        "capabilities": {"push_notifications": True, "pushNotifications": True},
    }
    found = told(sneaky, Place("travel", URL, PLACE.offers, has_push=False))
    assert EVIL not in json.dumps(found)
    assert found["capabilities"] == {"pushNotifications": False}
    read = parse_agent_card(found)
    assert {each.url for each in read.supported_interfaces} == {URL}


def test_names_that_are_escaped_are_the_same_names() -> None:
    body = json.dumps(OLD_CARD).replace('"url"', '"\\u0075rl"').replace('"sec', '"\\u0073ec')
    found = told(body.encode())
    assert found["url"] == URL
    assert "10.0.0.7" not in json.dumps(found)
    assert "own" not in json.dumps(found)


def test_versions_of_drafts_are_those_that_are_offered() -> None:
    found = told({**NEW_CARD, "protocolVersions": ["1.0", "9.9"]})
    assert found["protocolVersions"] == ["1.0", "0.3"]


# --- signed anew ---------------------------------------------------------------------------


def sign(document: Mapping[str, object]) -> list[dict[str, str]]:
    return signatures.sign(document, signer(), "https://gw.example/jwks.json")


ALL = security.any_of(
    security.api_key("x-api-key"),
    security.bearer("JWT"),
    security.mutual_tls(),
    security.open_id_connect("https://idp"),
    security.oauth(security.CodeFlow("https://idp/a", "https://idp/t", (("a", ""),)), "https://m"),
)


@pytest.mark.parametrize("document", CARDS)
@pytest.mark.parametrize("asked", [security.NO_SECURITY, ALL])
def test_a_card_is_signed_with_the_gateways_key(
    document: dict[str, Any], asked: security.Security
) -> None:
    place = Place("travel", URL, PLACE.offers, "gw.example:443", asked)
    body = rewriting.rewritten(card_of(document), place, sign)
    assert body == rewriting.rewritten(card_of(document), place, sign)
    found = card_of(body)
    assert found.is_signed
    keys = jwk.key_set(jwk.public_set([signer()]))
    assert isinstance(signatures.verify(found.document, keys), Verified)
    (first, *_) = found.interfaces
    assert first == Interface(JSONRPC, NEW, "gw.example", "/a2a/travel")

    def key(_: str | None, jku: str | None) -> jwt.PyJWK:
        assert jku == "https://gw.example/jwks.json"
        return jwt.PyJWK(signer().public())

    read: a2a_pb2.AgentCard = parse_agent_card(json.loads(body))
    signing.create_signature_verifier(key, ["ES256"])(read)


def test_what_was_verified_is_told_and_nothing_else() -> None:
    key = signer("EdDSA", "agents")
    signed = {**NEW_CARD, "signatures": signatures.sign(NEW_CARD, key)}
    signed["x-unsigned"] = EVIL
    found = signatures.verify(signed, jwk.key_set(jwk.public_set([key])))
    assert isinstance(found, Verified)
    assert "x-unsigned" not in told(found.body)


def test_a_card_that_cannot_be_signed_is_not_told() -> None:
    extension = {"uri": "u", "params": {"n": 2**60 + 1}}
    card = card_of({**NEW_CARD, "capabilities": {"extensions": [extension]}})
    with pytest.raises(NotCanonical):
        rewriting.rewritten(card, PLACE, sign)


@given(
    st.dictionaries(
        st.sampled_from(sorted({*DUAL_CARD, "x"} - {"name", "supportedInterfaces", "url"})),
        st.none() | st.just([]) | st.just({}) | st.text(max_size=3),
    ),
    st.booleans(),
    st.booleans(),
)
def test_whatever_a_card_says_it_stays_one(
    odd: dict[str, Any], has_push: bool, has_extended: bool
) -> None:
    card = read_card(json.dumps({**DUAL_CARD, **odd}).encode())
    if isinstance(card, Card):
        place = Place("a", URL, PLACE.offers, has_push=has_push, has_extended=has_extended)
        body = rewriting.rewritten(card, place)
        again = card_of(body)
        assert {each.authority for each in again.interfaces} == {"gw.example"}
        assert rewriting.rewritten(again, place) == body
