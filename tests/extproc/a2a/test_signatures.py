"""Signatures of cards, which the official SDK made, or verifies."""

from __future__ import annotations

import copy
import json
from typing import Any

import jwt
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.types import a2a_pb2
from a2a.utils import signing
from google.protobuf.json_format import MessageToDict, ParseDict

from extproc.a2a import canonical, jwk, signatures
from extproc.a2a.canonical import Form
from extproc.a2a.jcs import NotCanonical
from extproc.a2a.jwk import ALGORITHMS, KeySet, SigningKey
from extproc.a2a.signatures import Unverified, Verified
from tests.extproc.a2a.keys import ED_KEY, key_set, public, signer

CARD: dict[str, Any] = {
    "name": "Größe",
    "description": "",
    "version": "1",
    "supportedInterfaces": [
        {"url": "http://a/x", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    ],
    "capabilities": {"streaming": False},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "s", "name": "s", "description": "", "tags": []}],
}
LEGACY: dict[str, Any] = {
    "name": "a",
    "description": "",
    "version": "1",
    "url": "http://a/x",
    "protocolVersion": "0.3.0",
    "capabilities": {},
    "defaultInputModes": [],
    "defaultOutputModes": [],
    "skills": [],
}


def trusted(*keys: SigningKey) -> KeySet:
    return jwk.key_set(jwk.public_set(keys))


def signed(card: dict[str, Any], key: SigningKey, **more: Any) -> dict[str, Any]:
    return {**card, "signatures": signatures.sign(card, key, **more)}


def signed_by_sdk(card: dict[str, Any], key: SigningKey, **header: Any) -> dict[str, Any]:
    sign = signing.create_agent_card_signer(
        key.key,  # type: ignore[arg-type]
        {"alg": key.algorithm, "kid": key.kid, "typ": "JOSE", "jku": None, **header},  # type: ignore[typeddict-item]
    )
    return MessageToDict(sign(ParseDict(card, a2a_pb2.AgentCard())))


def as_signed(card: dict[str, Any], key: SigningKey, payload: bytes, **header: Any) -> Any:
    said = {"alg": key.algorithm, "kid": key.kid, **header}
    protected = jwk.coded(json.dumps(said).encode())
    raw = key.sign(f"{protected}.{jwk.coded(payload)}".encode())
    return {**card, "signatures": [{"protected": protected, "signature": jwk.coded(raw)}]}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_the_sdk_signed_is_verified(algorithm: str) -> None:
    key = signer(algorithm)
    found = signatures.verify(signed_by_sdk(CARD, key), trusted(key))
    assert isinstance(found, Verified)
    assert (found.kid, found.algorithm) == ("key-1", algorithm)
    assert json.loads(found.body)["supportedInterfaces"] == CARD["supportedInterfaces"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_we_signed_the_sdk_verifies(algorithm: str) -> None:
    key = signer(algorithm)
    asked = []

    def keys(kid: str | None, jku: str | None) -> jwt.PyJWK:
        asked.append((kid, jku))
        return jwt.PyJWK(key.public())

    verify = signing.create_signature_verifier(keys, [algorithm])
    card = signed(CARD, key, jku="https://gw/jwks.json")
    verify(parse_agent_card(copy.deepcopy(card)))
    assert asked[-1] == ("key-1", "https://gw/jwks.json")
    with pytest.raises(signing.InvalidSignaturesError):
        verify(parse_agent_card({**copy.deepcopy(card), "name": "b"}))


@pytest.mark.parametrize("card", [CARD, LEGACY, {**CARD, **LEGACY}])
def test_what_we_signed_we_verify(card: dict[str, Any]) -> None:
    key = signer()
    assert isinstance(signatures.verify(signed(card, key), trusted(key)), Verified)


def test_a_card_of_both_revisions_is_signed_for_readers_of_each() -> None:
    key = signer()
    card = signed({**CARD, **LEGACY}, key)
    forms = []
    for each in card["signatures"]:
        found = signatures.verify({**card, "signatures": [each]}, trusted(key))
        assert isinstance(found, Verified)
        forms.append(found.form)
    assert forms == [Form.SPECIFIED, Form.WITHOUT_EMPTY, Form.LEGACY]


def test_equal_cards_get_equal_signatures() -> None:
    assert signed(CARD, signer()) == signed(CARD, signer())


def test_the_header_is_what_the_specification_asks_for() -> None:
    (first, *_) = signatures.sign(CARD, signer(), "https://gw/jwks")
    header = json.loads(jwk.decoded(first["protected"]))
    assert header == {"alg": "ES256", "typ": "JOSE", "kid": "key-1", "jku": "https://gw/jwks"}
    (first, *_) = signatures.sign(CARD, signer())
    assert "jku" not in json.loads(jwk.decoded(first["protected"]))


def test_what_is_no_card_is_not_signed() -> None:
    with pytest.raises(NotCanonical, match="no revision"):
        signatures.sign({"name": "a"}, signer())


def test_members_that_no_signature_covers_are_not_in_what_was_verified() -> None:
    key = signer()
    card = {**signed(CARD, key), "url": "http://evil/", "extra": 1}
    found = signatures.verify(card, trusted(key))
    assert isinstance(found, Verified)
    assert found.form is Form.SPECIFIED
    assert json.loads(found.body).keys() == CARD.keys()


def test_a_signature_of_the_document_as_it_is_covers_all_of_it() -> None:
    key = signer()
    card = {**CARD, "extra": {"a": [1.0, None]}}
    found = signatures.verify(as_signed(card, key, canonical.as_written(card)), trusted(key))
    assert isinstance(found, Verified)
    assert found.form is Form.AS_WRITTEN
    assert json.loads(found.body) == card


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "b"}, "signature 1 of the key 'key-1' is wrong"),
        ({"skills": []}, "is wrong"),
        ({"capabilities": {}}, "is wrong"),
        ({"signatures": []}, "is not signed"),
        ({"signatures": None}, "is not signed"),
        ({"signatures": {}}, "is not signed"),
        ({"signatures": [5]}, "is no object"),
        ({"signatures": [{}]}, "has no 'protected'"),
        ({"signatures": [{"protected": "!", "signature": ""}]}, "no base64url"),
        ({"signatures": [{"protected": "e30", "signature": "?"}]}, "no base64url"),
        ({"signatures": [{"protected": "W10", "signature": ""}]}, "no JSON"),
        ({"signatures": [{"protected": "e30", "signature": ""}]}, "has the algorithm 'None'"),
        ({"signatures": [{"protected": "a" * 5000, "signature": ""}]}, "too long"),
        ({"name": 2**60 + 1, "extra": 2**60 + 1}, "no canonical form"),
    ],
)
def test_what_is_wrong_with_signatures_is_told(change: dict[str, Any], reason: str) -> None:
    key = signer()
    found = signatures.verify({**signed(CARD, key), **change}, trusted(key))
    assert isinstance(found, Unverified)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "none"}, "algorithm 'none'"),
        ({"alg": "HS256"}, "algorithm 'HS256'"),
        ({"alg": "es256"}, "algorithm 'es256'"),
        ({"alg": ["ES256"]}, "not accepted"),
        ({"alg": "ES384"}, "not trusted: 'key-1' with ES384"),
        ({"alg": "RS256"}, "not trusted"),
        ({"kid": "other"}, "not trusted: 'other'"),
        ({"kid": 5}, "'kid' that is no text"),
        ({"crit": ["b64"], "b64": False}, "'crit'"),
    ],
)
def test_headers_that_weaken_are_refused(header: dict[str, Any], reason: str) -> None:
    key = signer()
    card = as_signed(CARD, key, canonical.specified(CARD), **header)
    found = signatures.verify(card, trusted(key))
    assert isinstance(found, Unverified)
    assert reason in found.reason


def test_a_public_key_is_no_secret() -> None:
    key = signer("RS256")
    text = json.dumps(key.public()).encode()
    header = jwk.coded(json.dumps({"alg": "HS256", "kid": "key-1"}).encode())
    payload = jwk.coded(canonical.specified(CARD))
    mac = jwt.get_algorithm_by_name("HS256").sign(f"{header}.{payload}".encode(), text)
    card = {**CARD, "signatures": [{"protected": header, "signature": jwk.coded(mac)}]}
    assert isinstance(signatures.verify(card, trusted(key)), Unverified)


@pytest.mark.parametrize(
    "header", [{"kid": "key-1"}, {"alg": "none"}, {"crit": ["x"]}, "x", ["alg"]]
)
def test_the_open_header_changes_nothing(header: Any) -> None:
    key = signer()
    card = signed(CARD, key)
    for each in card["signatures"]:
        each["header"] = header
    assert isinstance(signatures.verify(card, trusted(key)), Unverified)


def test_an_open_header_that_says_something_else_is_allowed() -> None:
    key = signer()
    card = signed(CARD, key)
    card["signatures"][0]["header"] = {"note": "x"}
    assert isinstance(signatures.verify(card, trusted(key)), Verified)


def test_one_of_several_signatures_is_enough() -> None:
    old, new = signer("ES256", "old"), signer("EdDSA", "new")
    both = signatures.sign(CARD, old) + signatures.sign(CARD, new)
    card = {**CARD, "signatures": both}
    for key in (old, new):
        found = signatures.verify(card, trusted(key))
        assert isinstance(found, Verified)
        assert found.kid == key.kid
    found = signatures.verify(card, trusted(signer("RS256", "third")))
    assert isinstance(found, Unverified)
    assert "signature 4 is of a key that is not trusted: 'new'" in found.reason


def test_a_signature_without_the_id_of_a_key_is_tried_with_all() -> None:
    key = signer()
    card = as_signed(CARD, key, canonical.specified(CARD))
    header = {"alg": "ES256"}
    protected = jwk.coded(json.dumps(header).encode())
    raw = key.sign(f"{protected}.{jwk.coded(canonical.specified(CARD))}".encode())
    card["signatures"] = [{"protected": protected, "signature": jwk.coded(raw)}]
    found = signatures.verify(card, trusted(signer("RS256", "a"), key))
    assert isinstance(found, Verified)
    assert found.kid == "key-1"


def test_no_more_keys_are_tried_than_anybody_needs() -> None:
    key = signer()
    keys = [public(key.public(), kid=f"key-{number}") for number in range(9)]
    card = as_signed(CARD, key, canonical.specified(CARD), kid="")
    found = signatures.verify(card, key_set(*keys))
    assert found == Unverified("signature 1 is of one of 9 keys, and does not say which")
    assert isinstance(signatures.verify(card, key_set(*keys[:8])), Verified)


def test_no_more_signatures_are_tried_than_anybody_needs() -> None:
    key = signer()
    wrong = signatures.sign({**CARD, "name": "b"}, key)[:1] * signatures.MOST_SIGNATURES
    card = {**CARD, "signatures": wrong + signatures.sign(CARD, key)}
    found = signatures.verify(card, trusted(key))
    assert isinstance(found, Unverified)
    assert "more than 8" in found.reason


SIGNED_BY_OLDER_SDK = """
{"additionalInterfaces": [{"transport": "JSONRPC", "url": "https://a.example/x"},
 {"transport": "GRPC", "url": "a.example:443"}],
 "capabilities": {"extensions": [{"params": {"n": 1.5, "e": ""}, "required": true, "uri": "u"}],
 "streaming": false}, "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
 "description": "d", "name": "Größe", "preferredTransport": "JSONRPC", "protocolVersion": "0.3.0",
 "security": [{"k": []}],
 "securitySchemes": {"o": {"flows": {"clientCredentials": {"scopes": {"a": ""},
 "tokenUrl": "https://t"}}, "type": "oauth2"}, "k": {"in": "header", "name": "x",
 "type": "apiKey"}}, "signatures": [{
 "protected": "eyJhbGciOiJFZERTQSIsImprdSI6bnVsbCwia2lkIjoiayIsInR5cCI6IkpPU0UifQ",
 "signature":
 "js4YV9GiGiTXYBvc08WtRzCh8EJf4Mwj1Har35or5kQ_KWLJLOOARfCByrhnHiHtxO8fLx1jMaPRy2BkEqipDA"}],
 "skills": [{"description": "", "id": "s", "name": "s", "tags": ["t"]}],
 "supportsAuthenticatedExtendedCard": false, "url": "https://a.example/x", "version": "1"}
"""  # by a2a-sdk 0.3.26


def test_what_the_sdk_of_0_3_signed_is_verified() -> None:
    card = json.loads(SIGNED_BY_OLDER_SDK)
    found = signatures.verify(card, key_set(public(ED_KEY, kid="k")))
    assert isinstance(found, Verified)
    assert found.form is Form.LEGACY
    assert json.loads(found.body)["url"] == "https://a.example/x"
    changed = {**card, "url": "https://b.example/x"}
    assert isinstance(signatures.verify(changed, key_set(public(ED_KEY, kid="k"))), Unverified)


def test_what_we_sign_for_readers_of_0_3_is_what_their_sdk_signs() -> None:
    card = json.loads(SIGNED_BY_OLDER_SDK)
    key = jwk.signing_key(json.dumps(ED_KEY), "k")
    (theirs,) = card["signatures"]
    raw = key.sign(f"{theirs['protected']}.{jwk.coded(canonical.legacy(card))}".encode())
    assert jwk.coded(raw) == theirs["signature"]
