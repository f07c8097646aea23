"""What a server says of a token becomes a principal, and what it does not say refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from extproc.policies.introspection import Found, Introspecting
from extproc.ports import Introspected, IntrospectionUnavailable
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from gateway.identity import ClaimNames, Introspection

NOW = datetime(2026, 3, 4, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
WHERE = Introspection("https://idp.example/i", claims=ClaimNames(groups="scope"))


class Server:
    """Knows tokens by heart."""

    def __init__(self, tokens: Mapping[str, dict[str, object]], *, is_late: bool = False) -> None:
        self.known = {name: Introspected(claims) for name, claims in tokens.items()}
        self.is_away = False
        self.asked: list[str] = []
        self._is_late = is_late

    def look_up(
        self, token: str, where: Introspection
    ) -> Introspected | Awaitable[Introspected | None] | None:
        self.asked.append(token)
        if self._is_late:
            return self._later(token)
        if self.is_away:
            raise IntrospectionUnavailable("away")
        return self.known.get(token)

    async def _later(self, token: str) -> Introspected | None:
        await asyncio.sleep(0)
        if self.is_away:
            raise IntrospectionUnavailable("away")
        return self.known.get(token)


async def _settled(found: Found | Awaitable[Found]) -> Found:
    return found if isinstance(found, Principal | Deny) else await found


def who(server: Server | None, token: str = "t", where: Introspection = WHERE) -> Found:
    return asyncio.run(_settled(Introspecting(where, server).who(token, NOW)))


def refusal(claims: dict[str, object], where: Introspection = WHERE) -> str:
    found = who(Server({"t": claims}), where=where)
    if isinstance(found, Principal):
        return ""
    assert (found.status, found.code) == (401, "invalid_token")
    assert found.headers == (("www-authenticate", 'Bearer error="invalid_token"'),)
    return found.reason


@pytest.mark.parametrize("is_late", [False, True])
def test_what_is_said_becomes_a_principal(is_late: bool) -> None:
    claims: dict[str, object] = {"active": True, "sub": "ann", "scope": "read write"}
    found = who(Server({"t": claims}, is_late=is_late))
    assert isinstance(found, Principal)
    assert (found.kind, found.name, found.user) == (Kind.INTROSPECTION, "ann", "ann")
    assert found.groups == ("read", "write")
    assert found.claims is claims


def test_what_is_remembered_of_a_token_is_the_same_caller() -> None:
    asking = Introspecting(WHERE, Server({"t": {"sub": "ann"}}))
    assert asking.who("t", NOW) is asking.who("t", NOW)


@pytest.mark.parametrize("is_late", [False, True])
def test_who_is_not_active_is_refused(is_late: bool) -> None:
    found = who(Server({}, is_late=is_late))
    assert isinstance(found, Deny)
    assert (found.status, found.reason) == (401, "the token is not active")


@pytest.mark.parametrize("is_late", [False, True])
def test_nobody_comes_in_while_the_server_is_away(is_late: bool) -> None:
    server = Server({"t": {"sub": "ann"}}, is_late=is_late)
    server.is_away = True
    found = who(server)
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (503, "introspection_unavailable")
    alone = who(None)
    assert isinstance(alone, Deny)
    assert alone.status == 503


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": SECONDS + 1}, ""),
        ({"exp": SECONDS}, "the token has expired"),
        ({"exp": "tomorrow"}, "the token has expired"),
        ({"nbf": SECONDS}, ""),
        ({"nbf": SECONDS + 1}, "the token is not valid yet"),
        ({"nbf": "now"}, "the token is not valid yet"),
        ({}, ""),
    ],
)
def test_times_are_looked_at_whatever_the_server_says(
    claims: dict[str, object], reason: str
) -> None:
    assert refusal(claims) == reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://idp", "aud": "agents"}, ""),
        ({"iss": "https://idp", "aud": ["x", "agents"]}, ""),
        ({"iss": "https://idp", "aud": ["x"]}, "the token is for another audience"),
        ({"iss": "https://idp"}, "the token is for another audience"),
        ({"iss": "https://else", "aud": "agents"}, "the token is of another issuer"),
        ({"aud": "agents"}, "the token is of another issuer"),
    ],
)
def test_issuer_and_audience_must_be_said_where_they_are_asked_for(
    claims: dict[str, object], reason: str
) -> None:
    where = replace(WHERE, issuer="https://idp", audiences=("agents",))
    assert refusal(claims, where) == reason


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "ä", "x" * 5000, "=a", '"a"'])
def test_what_is_no_token_is_not_asked_about(token: str) -> None:
    server = Server({token: {"sub": "ann"}})
    found = who(server, token)
    assert isinstance(found, Deny)
    assert found.status == 401
    assert server.asked == []
