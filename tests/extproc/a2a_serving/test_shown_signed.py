"""Signed cards: what is not signed by whom it must be is no card, and clients get our signature."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import jwk, signatures
from extproc.a2a.jwk import SigningKey
from extproc.a2a.signatures import Verified
from extproc.events import Respond
from extproc.ports import Answered, Asked
from tests.extproc.a2a.keys import key_set, pem, public, signer
from tests.kit.a2a_exchange import V1, Played, agents, card, program
from tests.kit.mcp_exchange import Servers

PATH = "/a2a/travel"
CARD = f"{PATH}/.well-known/agent-card.json"
EXTENDED = f"{PATH}/extendedAgentCard"
KEYS = "/a2a/.well-known/jwks.json"
OURS = pem("P-256")
SIGNING = f"\n  signing: {{key: {json.dumps(OURS)}, kid: ours}}"
THEIRS = signer("EdDSA", "theirs")


def signed(document: dict[str, Any], key: SigningKey) -> dict[str, Any]:
    return {**document, "signatures": signatures.sign(document, key)}


def gateway(told: Any, *, extended: Any = None, signing: str = "", required: bool = True) -> Played:
    """One agent, which tells this card, and that one to whom it knows."""

    def answered(asked: Asked) -> Answered:
        said = extended if extended and asked.path.endswith("extendedAgentCard") else told
        return Answered(200, {"content-type": "application/json"}, json.dumps(said).encode())

    keys = jwk.public_set([THEIRS]).decode()
    yaml = f"""
a2a:{signing}
  agents:
    travel:
      url: "http://travel:9999"
      signatures: {{required: {str(required).lower()}, jwks: {{inline: {json.dumps(keys)}}}}}
"""
    return Played(program(yaml, Servers({"service/a2a/travel": answered})))


def got(of: Played, path: str, **headers: str) -> Respond:
    _, found = of.ask(path, method="GET", **headers)
    assert isinstance(found, Respond)
    return found


def test_a_card_that_is_signed_as_it_must_be_is_shown_and_listed_with_the_key() -> None:
    asked = gateway(signed(card(), THEIRS))
    found = got(asked, CARD)
    assert found.status == 200
    assert "signatures" not in json.loads(found.body)
    (listed,) = json.loads(got(asked, "/a2a").body)["agents"]
    assert (listed["signedBy"], listed["health"]["status"]) == ("theirs", "healthy")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (card(), "the card is not signed"),
        (signed(card(), signer("ES256", "other")), "is of a key that is not trusted: 'other'"),
        ({**signed(card(), THEIRS), "name": "forged"}, "of the key 'theirs' is wrong"),
    ],
)
def test_another_card_is_none_and_health_says_why(told: dict[str, Any], why: str) -> None:
    asked = gateway(told)
    found = got(asked, CARD)
    assert found.status == 503
    assert why in found.body.decode()
    (listed,) = json.loads(got(asked, "/a2a").body)["agents"]
    assert listed["health"]["status"] == "unhealthy"
    assert why in listed["health"]["reason"]
    _, sent = asked.ask(PATH, {"jsonrpc": "2.0", "id": 1, "method": "GetTask"}, **V1)
    assert isinstance(sent, Respond)


def test_where_it_need_not_be_signed_it_is_taken_and_nobody_vouches_for_it() -> None:
    asked = gateway(card(), required=False)
    assert got(asked, CARD).status == 200
    (listed,) = json.loads(got(asked, "/a2a").body)["agents"]
    assert "signedBy" not in listed


def test_of_a_signed_card_what_nobody_signed_is_gone() -> None:
    asked = gateway({**signed(card(), THEIRS), "x-more": "unsigned"})
    assert "x-more" not in json.loads(got(asked, CARD).body)


def test_clients_verify_our_signature_with_the_keys_that_it_names() -> None:
    asked = gateway(signed(card(), THEIRS), signing=SIGNING)
    document = json.loads(got(asked, CARD).body)
    served = got(asked, KEYS)
    assert (served.status, json.loads(served.body)["keys"][0]["kid"]) == (200, "ours")
    assert b'"d"' not in served.body
    found = signatures.verify(document, jwk.key_set(served.body))
    assert isinstance(found, Verified)
    (header,) = {each["protected"] for each in document["signatures"]}
    said = json.loads(jwk.decoded(header))
    assert (said["kid"], said["jku"]) == ("ours", f"http://gw{KEYS}")


def test_nobody_has_to_be_known_to_verify() -> None:
    keyed = "\nidentity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}"
    yaml = f"a2a:{SIGNING}\n  agents: {{travel: {{url: 'http://travel:9999'}}}}{keyed}"
    asked = Played(program(yaml, agents(travel=card())))
    assert got(asked, KEYS).status == 200
    assert got(asked, "/a2a").status == 401


def test_where_nothing_is_signed_there_are_no_keys() -> None:
    assert got(gateway(card()), KEYS).status == 404


def test_the_tag_of_a_card_is_that_of_its_words() -> None:
    told = signed(card(), THEIRS)

    def tag(of: Played, **headers: str) -> str:
        return dict(got(of, CARD, **headers).headers)["etag"]

    plain = gateway(told)
    assert tag(plain) == tag(gateway(told))
    assert got(plain, CARD, if_none_match=tag(plain)).status == 304
    keyed = SIGNING.replace("ours", "other")
    ours, others = gateway(told, signing=SIGNING), gateway(told, signing=keyed)
    assert len({tag(plain), tag(ours), tag(others)}) == 3
    moved = Played(plain.of).ask(CARD, method="GET", **{":authority": "elsewhere"})[1]
    assert isinstance(moved, Respond)
    assert dict(moved.headers)["etag"] != tag(plain)


def test_a_card_that_cannot_be_signed_is_none() -> None:
    told = card(capabilities={"extensions": [{"uri": "urn:x", "params": {"n": 2**70 + 1}}]})
    yaml = f"a2a:{SIGNING}\n  agents: {{travel: {{url: 'http://travel:9999'}}}}"
    found = got(Played(program(yaml, agents(travel=told))), CARD)
    assert found.status == 503
    assert "the card cannot be signed" in found.body.decode()


def test_extended_cards_are_verified_and_signed_too() -> None:
    told = signed(card(), THEIRS)
    document = json.loads(got(gateway(told, signing=SIGNING), EXTENDED, **V1).body)
    ours = public(jwk.signing_key(OURS, "ours").public())
    assert isinstance(signatures.verify(document, key_set(ours)), Verified)
    found = got(gateway(told, extended={**told, "name": "forged"}), EXTENDED, **V1)
    assert found.status == 502
    assert "of the key 'theirs' is wrong" in found.body.decode()
