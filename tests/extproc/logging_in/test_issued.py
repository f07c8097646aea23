"""What an issuer has signed is taken, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from extproc.a2a.jwk import key_set as keys_of
from extproc.logging_in.issued import Gone, NotIssued, allowed, identified, logged_out, payload_of
from gateway.identity import Issuer
from tests.kit.identity_provider import SigningKey, key_set
from tests.kit.login_peers import STAFF, changed
from tests.kit.login_provider import ISSUER

NOW = int(time.time())
KEYS = {name: SigningKey(name, name) for name in ("ES256", "RS256", "EdDSA")}
KNOWN = keys_of(key_set(*KEYS.values()).encode())
EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}
ID = {"iss": ISSUER, "aud": "the-gateway", "sub": "ann", "iat": NOW, "exp": NOW + 60, "nonce": "n"}
LOGOUT = {"iss": ISSUER, "aud": ["the-gateway"], "iat": NOW, "events": EVENT, "sid": "s"}


def signed(claims: dict[str, Any], key: str = "ES256", **header: Any) -> str:
    return KEYS[key].sign({n: each for n, each in claims.items() if each is not None}, **header)


@pytest.mark.parametrize("key", KEYS)
def test_an_id_token_says_who_it_is(key: str) -> None:
    assert identified(signed(ID, key), STAFF, KNOWN, NOW, "n")["sub"] == "ann"
    several = {**ID, "aud": ["a", "the-gateway"], "azp": "the-gateway", "nonce": None}
    assert identified(signed(several, key), STAFF, KNOWN, NOW, None)["sub"] == "ann"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://other"}, "another issuer"),
        ({"aud": "other"}, "another client"),
        ({"aud": None}, "another client"),
        ({"aud": ["a", "the-gateway"]}, "another client (azp)"),
        ({"azp": "other"}, "another client (azp)"),
        ({"sub": None}, "names nobody"),
        ({"sub": ""}, "names nobody"),
        ({"iat": None}, "when it was issued"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": None}, "expired"),
        ({"nbf": NOW + 100}, "not valid yet"),
        ({"nonce": "other"}, "another login (nonce)"),
        ({"nonce": None}, "another login (nonce)"),
    ],
)
def test_an_id_token_for_another_is_not_taken(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(NotIssued) as refused:
        identified(signed({**ID, **changes}), STAFF, KNOWN, NOW, "n")
    assert why in str(refused.value)


def test_what_nobody_known_has_signed_is_not_taken() -> None:
    good = signed(ID)
    head, claims, signature = good.split(".")
    none = SigningKey("none").sign(ID, alg="none")
    for token in (
        "",
        "a.b",
        "a.b.c",
        "ü.b.c",
        f"{head}.{claims}.",
        f"{none.rpartition('.')[0]}.",
        f"{head}.{signed({**ID, 'sub': 'bob'}).split('.')[1]}.{signature}",
        SigningKey("ES256").sign(ID),
        signed(ID, alg="RS256"),
        signed(ID, crit=["x"]),
        good + "A" * 70_000,
    ):
        with pytest.raises(NotIssued):
            identified(token, STAFF, KNOWN, NOW, "n")


def test_an_access_token_that_counts_is_for_its_audience() -> None:
    of = changed(issuer=Issuer(ISSUER, ("api",)))
    claims = {**ID, "aud": "api"}
    assert allowed(signed(claims), of, KNOWN, NOW)["sub"] == "ann"
    for changes in ({"aud": "other"}, {"exp": NOW - 61}, {"iss": "x"}):
        with pytest.raises(NotIssued):
            allowed(signed({**claims, **changes}), of, KNOWN, NOW)


def test_a_logout_token_says_who_has_gone() -> None:
    assert logged_out(signed(LOGOUT), STAFF, KNOWN, NOW) == Gone("s", "")
    of_all = {**LOGOUT, "sid": None, "sub": "ann", "exp": NOW + 1}
    assert logged_out(signed(of_all), STAFF, KNOWN, NOW) == Gone("", "ann")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "x"},
        {"aud": "x"},
        {"iat": None},
        {"iat": NOW - 400},
        {"iat": NOW + 100},
        {"exp": NOW - 61},
        {"events": None},
        {"events": {}},
        {"events": {next(iter(EVENT)): "x"}},
        {"nonce": "n"},
        {"sid": None},
        {"sid": 7},
    ],
)
def test_what_is_no_logout_token_ends_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(NotIssued):
        logged_out(signed({**LOGOUT, **changes}), STAFF, KNOWN, NOW)


def test_claims_are_written_as_tokens_have_them() -> None:
    assert payload_of({"sub": "ü"}) == "eyJzdWIiOiLDvCJ9"
