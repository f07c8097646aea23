"""A key is known by its digest; what is wrong is refused, and never repeated."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from extproc.facts import Facts
from extproc.policies.authenticate import Authenticate
from extproc.verdict import PASS, Deny
from gateway.identity import Accepts, Issuer, TokenMode
from gateway.model import ApiKey, Identity
from gateway.names import CLAIMS_HEADER, CREDENTIAL_HEADERS
from tests.kit.identity_provider import encoded


def api_key(name: str, secret: str) -> ApiKey:
    return ApiKey(name, sha256(secret.encode()).hexdigest())


ANN, BOB = api_key("ann", "ann-secret"), api_key("bob", "bob-secret")
REQUIRED = Authenticate(Identity((ANN, BOB), is_required=True))
OPTIONAL = Authenticate(Identity((ANN, BOB), is_required=False))


def request(**headers: str) -> Facts:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Facts(now=datetime(2026, 3, 4, tzinfo=UTC), headers=named)


def name(facts: Facts) -> str | None:
    return facts.principal.key if facts.principal is not None else None


@pytest.mark.parametrize("header", CREDENTIAL_HEADERS)
def test_a_key_is_taken_from_each_of_the_headers(header: str) -> None:
    value = "Bearer ann-secret" if header == "authorization" else "ann-secret"
    facts = Facts(now=datetime(2026, 3, 4, tzinfo=UTC), headers={header: value})
    assert REQUIRED.on_headers(facts) is PASS
    assert name(facts) == "ann"


def test_a_key_is_the_same_caller_each_time() -> None:
    """What is remembered of a caller is found again by it."""
    first, second = request(x_api_key="ann-secret"), request(authorization="Bearer ann-secret")
    assert REQUIRED.on_headers(first) is REQUIRED.on_headers(second) is PASS
    assert first.principal is second.principal is not None


@pytest.mark.parametrize("value", ["bearer bob-secret", "BEARER  bob-secret "])
def test_the_scheme_has_no_case(value: str) -> None:
    facts = request(authorization=value)
    assert REQUIRED.on_headers(facts) is PASS
    assert name(facts) == "bob"


@pytest.mark.parametrize("policy", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer nobody-secret"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer ann-secret,Bearer ann-secret"},
        {"authorization": "Bearer " + ANN.digest},
        {"x_api_key": ""},
        {"x_api_key": "ANN-SECRET"},
        {"x_api_key": "\udcff\u20ac"},
        {"api_key": "a" * 100_000},
    ],
)
def test_a_wrong_key_is_refused_everywhere_and_not_repeated(
    policy: Authenticate, headers: dict[str, str]
) -> None:
    facts = request(**headers)
    verdict = policy.on_headers(facts)
    assert isinstance(verdict, Deny)
    assert (verdict.status, verdict.code) == (401, "invalid_api_key")
    assert facts.principal is None
    assert "secret" not in str(verdict)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic YTpi"}, {"authorization": "x"}])
def test_no_key_is_refused_only_where_one_is_required(headers: dict[str, str]) -> None:
    verdict = REQUIRED.on_headers(request(**headers))
    assert isinstance(verdict, Deny)
    assert (verdict.status, verdict.code) == (401, "missing_api_key")
    assert ("www-authenticate", "Bearer") in verdict.headers
    facts = request(**headers)
    assert OPTIONAL.on_headers(facts) is PASS
    assert facts.principal is None


def test_two_different_credentials_are_refused_although_both_are_right() -> None:
    facts = request(authorization="Bearer ann-secret", x_api_key="bob-secret")
    verdict = REQUIRED.on_headers(facts)
    assert isinstance(verdict, Deny)
    assert verdict.status == 401
    assert facts.principal is None


def test_the_same_credential_twice_is_one() -> None:
    facts = request(authorization="Bearer ann-secret", x_api_key="ann-secret")
    assert REQUIRED.on_headers(facts) is PASS
    assert name(facts) == "ann"


def test_without_keys_everybody_is_anonymous_whatever_an_sdk_sends() -> None:
    facts = request(authorization="Bearer unused")
    assert Authenticate(Identity()).on_headers(facts) is PASS
    assert facts.principal is None


def test_without_keys_nobody_comes_in_where_one_is_required() -> None:
    verdict = Authenticate(Identity(is_required=True)).on_headers(request(x_api_key="any"))
    assert isinstance(verdict, Deny)
    assert verdict.code == "invalid_api_key"


def test_no_key_is_longer_than_what_is_worth_hashing() -> None:
    def refuses(secret: str) -> bool:
        policy = Authenticate(Identity((api_key("ann", secret),), is_required=True))
        return policy.on_headers(request(x_api_key=secret)) is not PASS

    assert not refuses("a" * 4096)
    assert refuses("a" * 4097)


def test_a_route_may_ask_for_a_key_where_the_identity_does_not() -> None:
    policy = Authenticate(Identity(), {"docs": Accepts.ANY})
    facts = request()
    assert policy.on_headers(facts) is PASS
    facts.route = "docs"
    verdict = policy.on_headers(facts)
    assert isinstance(verdict, Deny)
    assert verdict.code == "missing_api_key"


STRICT = Issuer("https://idp", ("agents",), jwks="{}")
LAX = Issuer("https://lax", ("agents",), jwks="{}", mode=TokenMode.PERMISSIVE)
TOKENS = Authenticate(Identity((ANN,), (STRICT, LAX), is_required=True))
NOW = int(datetime(2026, 3, 4, tzinfo=UTC).timestamp())


def claims(**changes: object) -> str:
    said = {"iss": "https://idp", "aud": "agents", "sub": "carol", "exp": NOW + 60, **changes}
    return encoded(json.dumps(said).encode())


def token(said: str) -> str:
    return f"eyJhbGciOiJFUzI1NiJ9.{said}.c2ln"


def denied(policy: Authenticate, facts: Facts) -> tuple[str, str]:
    verdict = policy.on_headers(facts)
    assert isinstance(verdict, Deny)
    assert verdict.status == 401
    assert verdict.headers[0][0] == "www-authenticate"
    return verdict.code, verdict.reason


def test_what_envoy_has_checked_is_who_calls() -> None:
    facts = request(**{CLAIMS_HEADER: claims()})
    assert TOKENS.on_headers(facts) is PASS
    assert facts.principal is not None
    assert (facts.principal.user, facts.principal.key) == ("carol", "")
    assert facts.credential_headers == (CLAIMS_HEADER,)


def test_a_token_that_is_forwarded_stays_where_it_is() -> None:
    facts = request(**{CLAIMS_HEADER: claims(), "authorization": f"Bearer {token(claims())}"})
    assert TOKENS.on_headers(facts) is PASS
    assert "authorization" not in facts.credential_headers


@pytest.mark.parametrize("other", [token(claims(sub="dave")), "ann-secret", f"x.{claims()}"])
def test_another_credential_beside_a_token_is_refused(other: str) -> None:
    facts = request(**{CLAIMS_HEADER: claims(), "x_api_key": other})
    assert denied(TOKENS, facts) == ("invalid_api_key", "the request carries different credentials")
    assert facts.principal is None


@pytest.mark.parametrize("said", ["", "%", encoded(b"[]"), claims(iss="https://other")])
def test_claims_of_nobody_known_are_refused(said: str) -> None:
    code, _ = denied(TOKENS, request(**{CLAIMS_HEADER: said}))
    assert code in ("invalid_token", "missing_credential")


def test_claims_are_not_read_where_nobody_checks_them() -> None:
    facts = request(**{CLAIMS_HEADER: claims()})
    assert denied(REQUIRED, facts)[0] == "missing_api_key"
    assert OPTIONAL.on_headers(facts) is PASS
    assert facts.principal is None


def test_what_envoy_did_not_take_is_looked_up_as_a_key() -> None:
    facts = request(authorization="Bearer ann-secret")
    assert TOKENS.on_headers(facts) is PASS
    assert name(facts) == "ann"
    assert denied(TOKENS, request(authorization="Bearer nobody"))[0] == "invalid_api_key"
    code, reason = denied(TOKENS, request(authorization=f"Bearer {token(claims(exp=1))}"))
    assert (code, reason) == ("invalid_token", "the token has expired")


def test_a_bad_token_of_a_permissive_issuer_is_as_none() -> None:
    bad = token(claims(iss="https://lax", exp=1))
    assert denied(TOKENS, request(x_api_key=bad))[0] == "missing_credential"
    policy = Authenticate(Identity((ANN,), (STRICT, LAX)))
    facts = request(x_api_key=bad)
    assert policy.on_headers(facts) is PASS
    assert facts.principal is None
    assert facts.credential_headers == ("x-api-key",)


@pytest.mark.parametrize(
    ("accepts", "codes"),
    [
        (Accepts.ANY, ("", "", "missing_credential")),
        (Accepts.KEY, ("", "invalid_api_key", "missing_api_key")),
        (Accepts.JWT, ("invalid_token", "", "missing_credential")),
    ],
)
def test_a_route_may_take_only_one_kind(accepts: Accepts, codes: tuple[str, ...]) -> None:
    policy = Authenticate(Identity((ANN,), (STRICT,)), {"docs": accepts})
    found = []
    for headers in ({"x_api_key": "ann-secret"}, {CLAIMS_HEADER: claims()}, {}):
        facts = request(**headers)
        facts.route = "docs"
        verdict = policy.on_headers(facts)
        found.append(verdict.code if isinstance(verdict, Deny) else "")
    assert tuple(found) == codes


def test_without_a_required_credential_nobody_is_anonymous() -> None:
    policy = Authenticate(Identity((), (STRICT,)))
    facts = request()
    assert policy.on_headers(facts) is PASS
    assert facts.principal is None
