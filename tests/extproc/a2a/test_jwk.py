from __future__ import annotations

import json
import re
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from extproc.a2a import jwk
from extproc.a2a.jwk import ALGORITHMS, InvalidKey
from tests.extproc.a2a.keys import EC_KEY, ED_KEY, KINDS, key_set, pem, public, signer

RFC_7638_KEY = {  # §3.1
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    assert jwk.thumbprint(RFC_7638_KEY) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert jwk.thumbprint(ED_KEY) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # RFC 8037


def test_signatures_of_ed25519_are_those_of_the_rfc() -> None:
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"  # RFC 8037, A.4
    key = jwk.signing_key(json.dumps(ED_KEY))
    assert jwk.coded(key.sign(signed)) == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


def test_signatures_of_the_rfc_verify() -> None:
    header = "eyJhbGciOiJFUzI1NiJ9"
    payload = (
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
        "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signature = (  # RFC 7515, A.3
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    (key,) = key_set(public(EC_KEY)).keys
    signed = f"{header}.{payload}".encode()
    assert key.verifies("ES256", jwk.decoded(signature), signed)
    assert not key.verifies("ES256", jwk.decoded(signature), signed + b"x")
    assert not key.verifies("ES256", jwk.decoded(signature)[:-1], signed)
    assert not key.verifies("ES256", b"", signed)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_one_key_signed_another_library_verifies_and_the_other_way(algorithm: str) -> None:
    key = signer(algorithm)
    (mine,) = jwk.key_set(jwk.public_set([key])).keys
    theirs = jwt.PyJWK(key.public())
    ours = jwt.get_algorithm_by_name(algorithm)
    assert ours.verify(b"card", theirs.key, key.sign(b"card"))
    assert mine.verifies(algorithm, ours.sign(b"card", key.key), b"card")
    assert not mine.verifies(algorithm, ours.sign(b"card", key.key), b"Card")


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"PS256"}))
def test_equal_bytes_get_equal_signatures(algorithm: str) -> None:
    key = signer(algorithm)
    assert key.sign(b"card") == key.sign(b"card")


def test_a_key_of_one_algorithm_verifies_no_other() -> None:
    key = signer("RS256")
    (only,) = jwk.key_set(jwk.public_set([key])).keys
    (any_of_rsa,) = key_set({k: v for k, v in key.public().items() if k != "alg"}).keys
    assert any_of_rsa.verifies("RS256", key.sign(b"x"), b"x")
    assert not any_of_rsa.verifies("RS384", key.sign(b"x"), b"x")
    stronger = signer("RS512")
    assert any_of_rsa.verifies("RS512", stronger.sign(b"x"), b"x")
    assert not only.verifies("RS512", stronger.sign(b"x"), b"x")
    for odd in ("none", "HS256", "ES256", "", "RS1"):
        assert not any_of_rsa.verifies(odd, b"", b"x")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "EdDSA"])
def test_a_key_that_names_nothing_gets_the_usual_algorithm_and_its_thumbprint(
    algorithm: str,
) -> None:
    key = jwk.signing_key(pem(KINDS[algorithm]))
    assert key.algorithm == algorithm
    assert key.kid == jwk.thumbprint(key.public())


def test_a_json_web_key_names_itself() -> None:
    key = jwk.signing_key(json.dumps({**EC_KEY, "kid": "mine", "alg": "ES256"}))
    assert (key.kid, key.algorithm) == ("mine", "ES256")
    assert key.public() == public(EC_KEY, kid="mine", alg="ES256", use="sig")
    assert jwk.signing_key(json.dumps({**EC_KEY, "kid": "mine"}), "other").kid == "other"


def test_a_json_web_key_of_rsa_signs() -> None:
    private = rsa.generate_private_key(65537, 2048)
    written = json.loads(RSAAlgorithm.to_jwk(private))
    key = jwk.signing_key(json.dumps(written), algorithm="PS256")
    (public_key,) = jwk.key_set(jwk.public_set([key])).keys
    assert public_key.verifies("PS256", key.sign(b"x"), b"x")


def test_a_key_set_has_nothing_that_is_private() -> None:
    text = jwk.public_set([signer(each) for each in ALGORITHMS])
    keys = json.loads(text)["keys"]
    assert len(keys) == len(ALGORITHMS)
    allowed = {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
    assert all(each.keys() <= allowed for each in keys)
    assert not re.search("PRIVATE|0x", repr(signer()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no private key in PEM"),
        ("{", "no JSON Web Key"),
        ('{"kty":"EC","kty":"EC"}', "no JSON Web Key"),
        (json.dumps(public(EC_KEY)), "no 'd'"),
        (json.dumps({**EC_KEY, "d": ED_KEY["d"]}), "numbers are no key"),
        (json.dumps({**EC_KEY, "d": "?"}), "no base64url"),
        (json.dumps({**EC_KEY, "crv": "secp256k1"}), "curve 'secp256k1'"),
        (json.dumps({**ED_KEY, "x": EC_KEY["x"]}), "not of one key"),
        (json.dumps({"kty": "oct", "k": "c2VjcmV0"}), "type 'oct'"),
        (pem("P-521"), "curve 'secp521r1'"),
        (pem("RSA-1024"), "1024 bits"),
    ],
)
def test_what_cannot_sign_is_told_without_a_word_of_it(text: str, reason: str) -> None:
    with pytest.raises(InvalidKey, match=reason) as error:
        jwk.signing_key(text)
    assert EC_KEY["d"] not in str(error.value)
    assert ED_KEY["d"] not in str(error.value)


def test_a_key_cannot_be_used_with_an_algorithm_of_others() -> None:
    with pytest.raises(InvalidKey, match="cannot be used with 'RS256', but with ES256"):
        jwk.signing_key(json.dumps(EC_KEY), algorithm="RS256")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (5, "no object"),
        (EC_KEY, "no public key"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "no public key"),
        ({"kty": "oct"}, "type 'oct'"),
        (public(EC_KEY, use="enc"), "use"),
        (public(EC_KEY, key_ops=["sign"]), "key_ops"),
        (public(EC_KEY, key_ops="verify"), "key_ops"),
        (public(EC_KEY, alg="HS256"), "'HS256'"),
        (public(EC_KEY, alg="ES384"), "'ES384'"),
        (public(EC_KEY, alg=5), "'alg' is no text"),
        (public(EC_KEY, kid=5), "'kid' is no text"),
        (public(EC_KEY, crv="P-384"), "length"),
        (public(EC_KEY, x=EC_KEY["y"]), "numbers are no key"),
        (public(EC_KEY, x=EC_KEY["x"] + "="), "no base64url"),
        (public(EC_KEY, y=None), "no 'y'"),
        (public(ED_KEY, crv="Ed448"), "Ed448"),
        (public(ED_KEY, x="AAAA"), "numbers are no key"),
        (public(RFC_7638_KEY, n="AQAB"), "17 bits"),
    ],
)
def test_keys_that_cannot_be_used_are_left_out_and_told(key: Any, reason: str) -> None:
    found = key_set(key, public(ED_KEY, kid="good"))
    assert [each.kid for each in found.keys] == ["good"]
    (told,) = found.unused
    assert told.startswith("key 1: ")
    assert reason in told
    with pytest.raises(InvalidKey, match="key 1"):
        key_set(key)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"keys":5}', b'{"keys":[]}', b'{"keys":[],"keys":[]}']
)
def test_what_is_no_key_set_is_told(text: bytes) -> None:
    with pytest.raises(InvalidKey, match="key set"):
        jwk.key_set(text)


def test_keys_are_found_by_their_id_or_thumbprint() -> None:
    keys = key_set(public(EC_KEY), public(ED_KEY, kid="b"), public(ED_KEY, kid="b"))
    assert len(keys.named("b")) == 2
    assert len(keys.named(jwk.thumbprint(EC_KEY))) == 1
    assert keys.named("c") == ()
    assert len(keys.named("")) == 3


@pytest.mark.parametrize("text", ["a", "YQ==", "YR", "+/", "a b", "é"])
def test_base64url_has_one_way_to_be_written(text: str) -> None:
    with pytest.raises(ValueError, match="no base64url"):
        jwk.decoded(text)
