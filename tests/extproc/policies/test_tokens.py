"""Claims become a principal; what a token lacks is said."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from extproc.policies.tokens import Tokens, payload_of
from extproc.principal import Kind, Principal
from gateway.identity import ClaimNames, Issuer
from tests.kit.identity_provider import encoded

NOW = datetime(2026, 3, 4, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER = Issuer("https://idp", ("agents", "others"), jwks="{}")


def payload(**claims: object) -> str:
    said = {"iss": "https://idp", "sub": "u1", "aud": "agents", "exp": SECONDS + 60, **claims}
    return encoded(json.dumps(said).encode())


def principal(names: ClaimNames, **claims: object) -> Principal:
    found = Tokens((replace(ISSUER, claims=names),)).principal(payload(**claims))
    assert found is not None
    return found


def test_the_subject_is_the_user_unless_another_claim_is() -> None:
    who = principal(ClaimNames())
    assert (who.kind, who.name, who.user, who.key, who.team) == (Kind.JWT, "u1", "u1", "", "")
    assert who.claims is not None
    assert who.claims["aud"] == "agents"
    named = principal(ClaimNames(user="email"), email="ann@x")
    assert (named.name, named.user) == ("u1", "ann@x")


@pytest.mark.parametrize(
    ("name", "claims", "team"),
    [
        ("team", {"team": "red"}, "red"),
        ("org.team", {"org": {"team": "red"}}, "red"),
        ("org.team", {"org.team": "blue", "org": {"team": "red"}}, "blue"),
        ("https://x.example/team", {"https://x.example/team": "red"}, "red"),
        ("team", {"team": 7}, "7"),
        ("team", {}, ""),
        ("org.team", {"org": "red"}, ""),
        ("team", {"team": ["red"]}, ""),
        ("team", {"team": None}, ""),
    ],
)
def test_a_claim_is_named_or_is_at_the_end_of_a_path(
    name: str, claims: dict[str, object], team: str
) -> None:
    assert principal(ClaimNames(team=name), **claims).team == team


@pytest.mark.parametrize(
    ("name", "claims", "groups"),
    [
        ("groups", {"groups": ["a", "b", 7]}, ("a", "b")),
        ("groups", {"groups": "Finance Team"}, ("Finance Team",)),
        ("scope", {"scope": "read write"}, ("read", "write")),
        ("scp", {"scp": ["read all", "write"]}, ("read all", "write")),
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, ("a",)),
        ("groups", {"groups": {"a": 1}}, ()),
        ("groups", {}, ()),
        ("", {"groups": ["a"]}, ()),
    ],
)
def test_groups_are_texts(name: str, claims: dict[str, object], groups: tuple[str, ...]) -> None:
    assert principal(ClaimNames(groups=name), **claims).groups == groups


def test_tags_are_those_that_the_token_has() -> None:
    names = ClaimNames(tags=(("cost", "cc"), ("region", "region")))
    assert principal(names, cc=42).tags == (("cost", "42"),)


def test_the_same_claims_are_the_same_principal() -> None:
    tokens = Tokens((ISSUER,))
    assert tokens.principal(payload()) is tokens.principal(payload()) is not None
    assert tokens.principal(payload(sub="u2")) is not tokens.principal(payload())


def test_callers_have_no_natural_end_and_what_is_kept_of_them_has() -> None:
    tokens = Tokens((ISSUER,))
    first = tokens.principal(payload())
    for each in range(5000):
        tokens.principal(payload(sub=f"u{each}"))
    again = tokens.principal(payload())
    assert first is not again is not None


@pytest.mark.parametrize(
    "text", ["", "a", "!!!!", encoded(b"{"), encoded(b"[1]"), encoded(b"\xff"), "{}", "\u20ac"]
)
def test_what_is_no_object_is_nobody(text: str) -> None:
    assert Tokens((ISSUER,)).principal(text) is None


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"exp": SECONDS - 61}, "the token has expired"),
        ({"exp": SECONDS - 59}, "the token is not signed by a known key of its issuer"),
        ({"exp": "soon"}, "the token does not say when it expires"),
        ({"nbf": SECONDS + 61}, "the token is not valid yet"),
        ({"aud": ["x", "y"]}, "the token is for another audience"),
        ({"aud": ["x", "others"]}, "the token is not signed by a known key of its issuer"),
        ({"aud": 1}, "the token is for another audience"),
    ],
)
def test_why_a_token_was_not_taken(claims: dict[str, object], says: str) -> None:
    token = f"h.{payload(**claims)}.s"
    tokens = Tokens((ISSUER,))
    issuer = tokens.issuer_of(token)
    assert issuer is ISSUER
    assert tokens.fault(token, issuer, NOW) == says


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d", "a.!.c", f"h.{payload(iss=7)}.s"])
def test_what_is_no_token_has_no_issuer(token: str) -> None:
    assert Tokens((ISSUER,)).issuer_of(token) is None


def test_a_token_has_three_parts() -> None:
    assert payload_of("a.b.c") == "b"
    assert payload_of("a.b") is None
