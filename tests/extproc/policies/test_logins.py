"""Who has logged in is known by the claims that Envoy tells, on the routes that ask for a login."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from extproc.facts import Facts
from extproc.policies.authenticate import Authenticate
from extproc.policies.logins import logins_of
from extproc.principal import Kind
from extproc.verdict import PASS, Deny, Verdict
from gateway.model import Gateway
from gateway.names import CLAIMS_HEADER, LOGIN_CLAIMS_HEADER
from tests.kit.gateways import gateway_of, golden_gateway
from tests.kit.identity_provider import encoded

GATEWAY = golden_gateway("logins")
STAFF = {"iss": "https://idp.example", "sub": "1", "email": "ann@example.com", "roles": ["x", "y"]}


def claims(**said: object) -> str:
    return encoded(json.dumps({**STAFF, **said}).encode())


def asked(
    route: str, headers: Mapping[str, str], gateway: Gateway = GATEWAY
) -> tuple[Verdict, Facts]:
    routes = {each.name: each.accepts for each in gateway.routes if each.is_caller_required}
    policy = Authenticate(gateway.identity, routes, logins=logins_of(gateway))
    facts = Facts(now=datetime(2026, 3, 4, tzinfo=UTC), headers=dict(headers), route=route)
    verdict = policy.on_headers(facts)
    assert isinstance(verdict, Verdict)
    return verdict, facts


def refusal(route: str, **headers: str) -> tuple[int, str]:
    verdict, facts = asked(route, {name.replace("_", "-"): text for name, text in headers.items()})
    assert isinstance(verdict, Deny)
    assert facts.principal is None or route == "api"
    return verdict.status, verdict.code


def test_claims_say_who_it_is_and_do_not_travel() -> None:
    for route in ("app", "both"):
        verdict, facts = asked(route, {LOGIN_CLAIMS_HEADER: claims()})
        assert verdict is PASS
        assert facts.principal is not None
        assert facts.principal.kind is Kind.LOGIN
        assert (facts.principal.user, facts.principal.groups) == ("ann@example.com", ("x", "y"))
        assert facts.principal.claims == STAFF
        assert facts.credential_headers == (LOGIN_CLAIMS_HEADER,)


def test_the_same_claims_are_the_same_principal() -> None:
    policy = logins_of(GATEWAY)
    assert policy is not None
    seen = []
    for _ in range(2):
        facts = Facts(now=datetime(2026, 3, 4, tzinfo=UTC), headers={}, route="app")
        assert policy.enter(facts, claims()) is PASS
        seen.append(facts.principal)
    assert seen[0] is seen[1]


def test_each_login_believes_its_own_issuer() -> None:
    guest = claims(iss="https://guests.example:8443")
    assert asked("guests", {LOGIN_CLAIMS_HEADER: guest})[0] is PASS
    for route, said in (("guests", claims()), ("app", guest), ("app", "e30"), ("app", "!")):
        verdict, facts = asked(route, {LOGIN_CLAIMS_HEADER: said})
        assert isinstance(verdict, Deny)
        assert (verdict.code, facts.principal) == ("login_required", None)


def test_nobody_is_logged_in_on_routes_that_have_no_login() -> None:
    assert refusal("api", **{LOGIN_CLAIMS_HEADER: claims()}) == (401, "login_required")


def test_where_a_login_is_all_that_counts_nothing_else_does() -> None:
    assert refusal("app") == (401, "login_required")
    assert refusal("app", authorization="Bearer k-bob") == (401, "login_required")
    assert refusal("app", x_api_key="k-bob") == (401, "login_required")
    assert refusal("app", authorization="Basic YTpi") == (401, "login_required")
    verdict, _ = asked("app", {CLAIMS_HEADER: claims()})
    assert isinstance(verdict, Deny)


def test_where_others_count_they_are_asked() -> None:
    verdict, facts = asked("both", {"authorization": "Bearer k-bob"})
    assert verdict is PASS
    assert facts.principal is not None
    assert facts.principal.key == "bob"
    verdict, facts = asked("both", {CLAIMS_HEADER: claims()})
    assert verdict is PASS
    assert facts.principal is not None
    assert facts.principal.kind is Kind.JWT
    assert refusal("both") == (401, "missing_credential")
    assert refusal("both", authorization="Bearer wrong") == (401, "invalid_api_key")


def test_a_token_that_is_forwarded_is_no_credential_and_stays() -> None:
    guest = {LOGIN_CLAIMS_HEADER: claims(iss="https://guests.example:8443")}
    verdict, facts = asked("guests", {**guest, "authorization": "Bearer e30.e30.x"})
    assert verdict is PASS
    assert facts.credential_headers == (LOGIN_CLAIMS_HEADER,)


def test_where_nobody_logs_in_there_is_nothing_to_ask() -> None:
    assert logins_of(gateway_of("identity: {}")) is None


def test_who_it_is_is_known_where_nothing_is_decided() -> None:
    policy = Authenticate(GATEWAY.identity, {}, logins=logins_of(GATEWAY))
    found = []
    for header in (LOGIN_CLAIMS_HEADER, CLAIMS_HEADER, "x-other"):
        facts = Facts(now=datetime(2026, 3, 4, tzinfo=UTC), headers={header: claims()}, route="app")
        policy.know(facts)
        found.append(None if facts.principal is None else facts.principal.kind)
    assert found == [Kind.LOGIN, Kind.JWT, None]
