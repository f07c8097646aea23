"""A key is known by its digest; what is wrong is refused, and never repeated."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import pytest

from extproc.facts import Facts
from extproc.keys import HeldKey
from extproc.policies.authenticate import Authenticate, Witnesses
from extproc.ports import Introspected
from extproc.verdict import PASS, Deny, Verdict
from gateway.identity import (
    Accepts,
    CertificateHolders,
    Introspection,
    Issuer,
    PasswordHolder,
    Passwords,
    TokenMode,
)
from gateway.model import ApiKey, Identity
from gateway.names import CLAIMS_HEADER, CREDENTIAL_HEADERS
from gateway.virtual_keys import Parts, VirtualKey, hashed, written
from tests.kit.identity_provider import encoded
from tests.kit.key_shelf import Shelf, stored
from tests.kit.key_store_suite import virtual_key


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


PARTS = Parts(virtual_key(1).id, "b" * 40)
KEY = virtual_key(1, secrets=(hashed(PARTS.secret, b"salt"),), team="blue")
STORED = Identity(is_required=True, has_stored_keys=True)


def judged(policy: Authenticate, facts: Facts) -> Verdict:
    """What is said in the end."""

    async def main() -> Verdict:
        verdict = policy.on_headers(facts)
        return await verdict if isinstance(verdict, Awaitable) else verdict

    return asyncio.run(main())


@pytest.mark.parametrize("is_far", [False, True])
@pytest.mark.parametrize("header", CREDENTIAL_HEADERS)
def test_a_key_that_was_made_at_run_time_opens(is_far: bool, header: str) -> None:
    shelf = stored(KEY, is_far=is_far)
    value = "Bearer " * (header == "authorization") + written(PARTS)
    facts = Facts(now=datetime(2027, 3, 4, tzinfo=UTC), headers={header: value})
    assert judged(Authenticate(STORED, witnesses=Witnesses(keys=shelf)), facts) is PASS
    assert facts.principal is shelf.keys[KEY.id].principal
    assert facts.principal.team == "blue"
    assert facts.credential_headers == (header,)
    assert shelf.used == [KEY.id]


@pytest.mark.parametrize("is_far", [False, True])
@pytest.mark.parametrize(
    "key",
    [
        virtual_key(2),
        msgspec.structs.replace(KEY, enabled=False),
        msgspec.structs.replace(KEY, secrets=(), revoked=1),
        msgspec.structs.replace(KEY, expires=1),
        msgspec.structs.replace(KEY, secrets=(hashed("c" * 40, b"salt"),)),
    ],
)
def test_one_that_is_not_there_or_not_valid_is_refused_and_was_not_used(
    key: VirtualKey, is_far: bool
) -> None:
    shelf = stored(key, is_far=is_far)
    facts = request(authorization=f"Bearer {written(PARTS)}")
    verdict = judged(Authenticate(STORED, witnesses=Witnesses(keys=shelf)), facts)
    assert isinstance(verdict, Deny)
    assert (verdict.status, verdict.code) == (401, "invalid_api_key")
    assert (facts.principal, shelf.used) == (None, [])


@pytest.mark.parametrize("text", ["any", written(PARTS)[:-1], written(PARTS).upper(), "a" * 5000])
def test_what_is_not_written_as_a_key_of_ours_asks_nobody(text: str) -> None:
    shelf = stored(KEY, is_out=True)
    verdict = judged(Authenticate(STORED, witnesses=Witnesses(keys=shelf)), request(x_api_key=text))
    assert isinstance(verdict, Deny)
    assert (verdict.code, shelf.asked) == ("invalid_api_key", [])


def test_keys_of_the_file_and_keys_made_at_run_time_open_the_same_door() -> None:
    both = Identity((ANN, api_key("odd", written(PARTS))), is_required=True, has_stored_keys=True)
    shelf = stored(KEY)
    policy = Authenticate(both, witnesses=Witnesses(keys=shelf))
    facts = request(x_api_key="ann-secret")
    assert policy.on_headers(facts) is PASS
    assert facts.principal is not None
    assert facts.principal.name == "ann"
    odd = request(x_api_key=written(PARTS))
    assert policy.on_headers(odd) is PASS
    assert odd.principal is not None
    assert (odd.principal.name, shelf.asked) == ("odd", [])


@pytest.mark.parametrize("shelf", [None, stored(KEY, is_out=True)])
def test_when_keys_cannot_be_looked_up_nobody_comes_in(shelf: Shelf | None) -> None:
    facts = request(x_api_key=written(PARTS))
    verdict = judged(Authenticate(STORED, witnesses=Witnesses(keys=shelf)), facts)
    assert isinstance(verdict, Deny)
    assert (verdict.status, verdict.code) == (503, "keys_unavailable")
    assert facts.principal is None


def test_they_open_nothing_where_the_file_does_not_say_so() -> None:
    shelf = stored(KEY)
    for identity in (Identity(is_required=True), Identity((ANN,), is_required=False)):
        verdict = judged(
            Authenticate(identity, witnesses=Witnesses(keys=shelf)),
            request(x_api_key=written(PARTS)),
        )
        assert isinstance(verdict, Deny)
        assert verdict.code == "invalid_api_key"
    assert shelf.asked == []


def test_no_key_is_refused_where_they_are_required() -> None:
    verdict = judged(Authenticate(STORED, witnesses=Witnesses(keys=stored(KEY))), request())
    assert isinstance(verdict, Deny)
    assert verdict.code == "missing_api_key"
    is_open = Identity(is_required=False, has_stored_keys=True)
    assert judged(Authenticate(is_open, witnesses=Witnesses(keys=stored(KEY))), request()) is PASS
    wrong = judged(
        Authenticate(is_open, witnesses=Witnesses(keys=stored(KEY))), request(x_api_key="any")
    )
    assert isinstance(wrong, Deny)


def test_a_text_that_was_made_just_now_opens_before_anybody_has_noticed() -> None:
    class Rotating(Shelf):
        """Knows the key as it was before."""

        def look_again(self, id: str) -> Awaitable[HeldKey | None]:
            self.keys[id] = HeldKey(KEY)
            return super().look_again(id)

    before = msgspec.structs.replace(KEY, secrets=(hashed("c" * 40, b"salt"),))
    shelf = Rotating({KEY.id: HeldKey(before)})
    facts = request(x_api_key=written(PARTS))
    assert judged(Authenticate(STORED, witnesses=Witnesses(keys=shelf)), facts) is PASS
    assert facts.principal is shelf.keys[KEY.id].principal
    assert shelf.asked == [KEY.id, KEY.id]


@pytest.mark.parametrize("changes", [{"enabled": False}, {"revoked": 1, "secrets": ()}])
def test_nobody_looks_again_for_a_key_that_opens_nothing(changes: dict[str, object]) -> None:
    shelf = stored(msgspec.structs.replace(KEY, **changes))
    judged(Authenticate(STORED, witnesses=Witnesses(keys=shelf)), request(x_api_key=written(PARTS)))
    assert shelf.asked == [KEY.id]


HOLDERS = (CertificateHolders(("spiffe://x/*",), team="red"),)
SPIFFE = "spiffe://x/agent"


def by_certificate(name: str = SPIFFE, **headers: str) -> Facts:
    facts = request(**headers)
    facts.source_identity = name
    return facts


def test_a_certificate_says_who_calls_where_nothing_else_does() -> None:
    policy = Authenticate(Identity((ANN,), is_required=True, certificates=HOLDERS))
    facts = by_certificate()
    assert policy.on_headers(facts) is PASS
    assert facts.principal is not None
    assert (facts.principal.user, facts.principal.team) == (SPIFFE, "red")
    keyed = by_certificate(x_api_key="ann-secret")
    assert policy.on_headers(keyed) is PASS
    assert name(keyed) == "ann"
    assert denied(policy, by_certificate(x_api_key="wrong"))[0] == "invalid_api_key"
    assert denied(policy, by_certificate("spiffe://y/agent"))[0] == "missing_credential"
    assert denied(policy, request())[0] == "missing_credential"


def test_a_certificate_is_only_asked_for_where_the_configuration_says_who_that_is() -> None:
    assert denied(REQUIRED, by_certificate())[0] == "missing_api_key"
    facts = by_certificate()
    assert OPTIONAL.on_headers(facts) is PASS
    assert facts.principal is None


@pytest.mark.parametrize("accepts", [Accepts.KEY, Accepts.JWT])
def test_a_route_that_takes_one_kind_takes_no_certificate(accepts: Accepts) -> None:
    policy = Authenticate(Identity((ANN,), (STRICT,), certificates=HOLDERS), {"docs": accepts})
    facts = by_certificate()
    facts.route = "docs"
    assert denied(policy, facts)[0].startswith("missing_")


SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
"""Of `secret`."""
USERS = Passwords((PasswordHolder("uma", SHA, "red"),), "agents")
RIGHT = "Basic " + base64.b64encode(b"uma:secret").decode()
WRONG = "Basic " + base64.b64encode(b"uma:guess").decode()
CHALLENGE = 'Basic realm="agents", charset="UTF-8"'


class Sha:
    """Checks passwords at once."""

    def is_right(self, user: str, password: bytes, hashed: str) -> bool:
        return hashed == SHA and password == b"secret"


def with_users(identity: Identity, **routes: Accepts) -> Authenticate:
    return Authenticate(
        replace(identity, passwords=USERS), routes, witnesses=Witnesses(passwords=Sha())
    )


def test_a_password_is_taken_and_its_header_is_ours() -> None:
    facts = request(authorization=RIGHT)
    assert with_users(Identity(is_required=True)).on_headers(facts) is PASS
    assert facts.principal is not None
    assert (facts.principal.user, facts.principal.team) == ("uma", "red")
    assert facts.credential_headers == ("authorization",)


def test_a_password_is_passed_on_where_it_is_told_so() -> None:
    identity = Identity(passwords=replace(USERS, is_forwarded=True))
    facts = request(authorization=RIGHT)
    assert Authenticate(identity, witnesses=Witnesses(passwords=Sha())).on_headers(facts) is PASS
    assert facts.credential_headers == ()


@pytest.mark.parametrize("is_required", [True, False])
def test_a_wrong_password_is_refused_also_where_none_is_needed(is_required: bool) -> None:
    policy = with_users(Identity((ANN,), is_required=is_required))
    found = policy.on_headers(request(authorization=WRONG))
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (401, "invalid_credential")
    assert found.headers == (("www-authenticate", CHALLENGE),)


@pytest.mark.parametrize("other", [{"x_api_key": "ann-secret"}, {"x_dragoman_claims": "e30"}])
def test_a_password_beside_another_credential_is_refused(other: dict[str, str]) -> None:
    policy = with_users(Identity((ANN,), is_required=True))
    found = policy.on_headers(request(authorization=RIGHT, **other))
    assert isinstance(found, Deny)
    assert found.reason == "the request carries different credentials"


def test_who_sends_nothing_is_told_all_ways_in() -> None:
    nothing = request()
    alone = with_users(Identity(is_required=True)).on_headers(nothing)
    beside = with_users(Identity((ANN,), is_required=True)).on_headers(nothing)
    assert isinstance(alone, Deny)
    assert isinstance(beside, Deny)
    assert alone.headers == (("www-authenticate", CHALLENGE),)
    assert beside.headers == (("www-authenticate", f"Bearer, {CHALLENGE}"),)
    assert (alone.code, beside.code) == ("missing_credential", "missing_credential")


def test_a_route_may_take_passwords_alone() -> None:
    policy = with_users(Identity((ANN,)), door=Accepts.BASIC, desk=Accepts.KEY)
    for headers, route, is_in in (
        ({"authorization": RIGHT}, "door", True),
        ({"x_api_key": "ann-secret"}, "door", False),
        ({}, "door", False),
        ({"authorization": RIGHT}, "desk", False),
        ({"x_api_key": "ann-secret"}, "desk", True),
    ):
        facts = request(**headers)
        facts.route = route
        found = policy.on_headers(facts)
        assert (found is PASS) == is_in
        if not is_in and route == "door":
            assert isinstance(found, Deny)
            assert found.headers == (("www-authenticate", CHALLENGE),)
        if not is_in and route == "desk":
            assert isinstance(found, Deny)
            assert found.code == "invalid_api_key"


def test_a_password_that_takes_time_is_waited_for() -> None:
    class Slow:
        async def is_right(self, user: str, password: bytes, hashed: str) -> bool:
            await asyncio.sleep(0)
            return password == b"secret"

    policy = Authenticate(Identity(passwords=USERS), witnesses=Witnesses(passwords=Slow()))
    facts = request(authorization=RIGHT)
    found = policy.on_headers(facts)
    assert isinstance(found, Awaitable)
    assert asyncio.run(_waited(found)) is PASS
    assert facts.principal is not None
    assert facts.principal.user == "uma"


async def _waited(found: Awaitable[Verdict]) -> Verdict:
    return await found


def test_passwords_are_somebody_elses_where_there_are_no_users() -> None:
    facts = request(authorization=RIGHT)
    assert OPTIONAL.on_headers(facts) is PASS
    assert facts.credential_headers == ()


class Asked:
    """Knows one token, of `ivy`, and remembers what it was asked."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def look_up(self, token: str, where: Introspection) -> Introspected | None:
        self.tokens.append(token)
        return _OF_IVY if token in ("ivys", _JWT_OF_NOBODY) else None


_OF_IVY = Introspected({"active": True, "sub": "ivy"})
WHERE = Introspection("https://idp.example/i")
_JWT_OF_NOBODY = f"e30.{encoded(json.dumps({'iss': 'https://nobody', 'exp': 1}).encode())}.c2ln"


def introspecting(asked: Asked, identity: Identity, **routes: Accepts) -> Authenticate:
    witnesses = Witnesses(keys=stored(KEY), passwords=Sha(), introspector=asked)
    where = identity.introspection or WHERE
    return Authenticate(replace(identity, introspection=where), routes, witnesses)


@pytest.mark.parametrize("header", CREDENTIAL_HEADERS)
def test_a_token_that_nobody_knows_is_asked_about(header: str) -> None:
    value = "Bearer ivys" if header == "authorization" else "ivys"
    facts = Facts(now=datetime(2026, 3, 4, tzinfo=UTC), headers={header: value})
    assert introspecting(Asked(), Identity((ANN,), is_required=True)).on_headers(facts) is PASS
    assert facts.principal is not None
    assert (facts.principal.user, facts.principal.claims) == ("ivy", _OF_IVY.claims)
    assert facts.credential_headers == (header,)


def test_a_token_that_was_asked_about_is_passed_on_where_it_is_told_so() -> None:
    facts = request(authorization="Bearer ivys")
    forwarding = Identity(introspection=replace(WHERE, is_forwarded=True))
    assert introspecting(Asked(), forwarding).on_headers(facts) is PASS
    assert facts.credential_headers == ()


def test_nobody_is_asked_about_what_is_known_here() -> None:
    """Keys, virtual keys, users, and tokens (JWT) of known issuers, valid or not."""
    asked = Asked()
    everything = Identity((ANN,), (STRICT, LAX), passwords=USERS, has_stored_keys=True)
    policy = introspecting(asked, everything)
    payload = encoded(json.dumps({"iss": STRICT.issuer, "exp": 1}).encode())
    for facts in (
        request(x_api_key="ann-secret"),
        request(x_api_key=written(PARTS)),
        request(authorization=RIGHT),
        request(authorization=f"Bearer e30.{payload}.c2ln"),
        request(x_dragoman_claims=payload),
        request(authorization="Bearer ivys", x_api_key="ann-secret"),
        request(),
    ):
        found = policy.on_headers(facts)
        assert not isinstance(found, Awaitable)
    assert asked.tokens == []
    assert policy.on_headers(request(authorization=f"Bearer {_JWT_OF_NOBODY}")) is PASS
    assert asked.tokens == [_JWT_OF_NOBODY]


def test_a_token_that_is_not_active_is_refused_also_where_none_is_needed() -> None:
    found = introspecting(Asked(), Identity()).on_headers(request(x_api_key="eves"))
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (401, "invalid_token")
    assert introspecting(Asked(), Identity()).on_headers(request()) is PASS


def test_a_route_may_take_such_tokens_alone_or_others() -> None:
    asked = Asked()
    policy = introspecting(
        asked, Identity((ANN,)), own=Accepts.INTROSPECTION, key=Accepts.KEY, jwt=Accepts.JWT
    )
    for credential, route, code in (
        ("ivys", "own", ""),
        ("ann-secret", "own", "invalid_token"),
        ("", "own", "missing_credential"),
        ("ivys", "key", "invalid_api_key"),
        ("ivys", "jwt", "invalid_token"),
    ):
        facts = request(**({"x_api_key": credential} if credential else {}))
        facts.route = route
        found = policy.on_headers(facts)
        assert (found.code if isinstance(found, Deny) else "") == code
    assert asked.tokens == ["ivys"]  # where it cannot help, nobody is asked
