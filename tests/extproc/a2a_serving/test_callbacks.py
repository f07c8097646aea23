"""Addresses that agents are told, and how clients are called."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

import jwt
import msgspec
import pytest

from extproc.a2a.webhooks import Callback, Unusable, Webhook
from extproc.a2a_serving.callbacks import Callbacks, Means, Sealed, Told, Unreachable, Way
from extproc.a2a_serving.callers import Caller
from extproc.ports import Unresolved
from extproc.principal import Kind
from gateway import names
from gateway.a2a import Push, Revision
from tests.extproc.a2a.keys import signer

PUSH = Push("https://gw")
AGENTS = {"travel", "hotels"}
HOOK = Webhook("https://client.example/hook?x=1", "tok", ("Bearer",), "secret")
NOW = 1_000_000
REPLIES = {names.WEBHOOKS: b"tls", names.PLAIN_WEBHOOKS: b"plain"}


class Names:
    """Hosts, which may move."""

    def __init__(self, **addresses: Sequence[str]) -> None:
        self.addresses = {"client.example": ("8.8.8.8",), **addresses}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if host not in self.addresses:
            raise Unresolved(host)
        return self.addresses[host]


def callbacks(push: Push = PUSH, hosts: Names | None = None, secret: str = "s" * 32) -> Callbacks:
    means = Means((secret,), hosts or Names(), lambda count: b"n" * count, REPLIES)
    return Callbacks(push, "/a2a", AGENTS, means)


def sealed(of: Callbacks, webhook: Webhook = HOOK, owner: str = "ann") -> Callback:
    return asyncio.run(of.sealed("travel", webhook, Told(Revision.V1_0, "t", "", owner), NOW))


def token_of(callback: Callback) -> str:
    return callback.url.rpartition("/")[2]


def way(of: Callbacks, callback: Callback, body: bytes = b"{}") -> Way:
    found = of.opened("travel", token_of(callback))
    assert found is not None
    return asyncio.run(of.way(found, "travel", body, NOW))


def test_agents_are_told_an_address_of_the_gateway() -> None:
    told = sealed(callbacks())
    assert told.url.startswith("https://gw/a2a/.push/travel/")
    assert "client" not in told.url
    found = callbacks().opened("travel", token_of(told))
    assert found is not None
    assert (found.url, found.task, found.owner) == (HOOK.url, "t", "ann")


def test_it_opens_for_one_agent_with_one_secret_alone() -> None:
    text = token_of(sealed(callbacks()))
    assert callbacks().opened("hotels", text) is None
    assert callbacks(secret="x" * 32).opened("travel", text) is None
    assert callbacks().opened("travel", text[:-1]) is None
    means = Means(("s" * 32,), Names(), lambda count: b"n" * count, REPLIES)
    assert Callbacks(PUSH, "/a2a", {"hotels"}, means).opened("travel", text) is None, "it is gone"
    assert callbacks().opened("travel", "") is None
    both = replace(PUSH, secrets=("y" * 32, "s" * 32))
    assert callbacks(both, secret="z" * 32).opened("travel", text) is not None


def test_clients_are_called_as_they_want_to_be() -> None:
    of = callbacks()
    found = way(of, sealed(of))
    assert found.reply == b"tls"
    assert dict(found.headers) == {
        ":path": "/hook?x=1",
        ":authority": "client.example",
        "x-a2a-notification-token": "tok",
        "authorization": "Bearer secret",
    }
    assert (found.address, found.removed) == ("8.8.8.8:443", ())


@pytest.mark.parametrize(
    ("webhook", "authorization"),
    [
        (Webhook("https://client.example", schemes=("basic",), credentials="a:b"), "Basic YTpi"),
        (Webhook("https://client.example", schemes=("Basic",), credentials="YTpi"), "Basic YTpi"),
        (
            Webhook("https://client.example", schemes=("Digest", "bearer"), credentials="x"),
            "Bearer x",
        ),
        (Webhook("https://client.example", schemes=("Bearer",)), None),
        (Webhook("https://client.example"), None),
    ],
)
def test_credentials_are_shown_by_their_scheme(webhook: Webhook, authorization: str | None) -> None:
    of = callbacks()
    found = way(of, sealed(of, webhook))
    assert dict(found.headers).get("authorization") == authorization
    is_gone = "authorization" in found.removed  # so that nothing of the agent's goes on
    assert is_gone is (authorization is None)


@pytest.mark.parametrize(
    "webhook",
    [
        Webhook(""),
        Webhook("http://client.example"),
        Webhook("https://nobody.example"),
        Webhook("https://inside.example"),
        Webhook("https://mixed.example"),
        Webhook("https://client.example", "tok\n"),
        Webhook("https://client.example", "ä"),
        Webhook("https://client.example", "", ("Digest",), "x"),
        Webhook("https://client.example", "", (), "x"),
        Webhook("https://client.example", "", ("Bearer",), "x\r\nhost: y"),
        Webhook("https://client.example", "t" * 5000),
    ],
)
def test_what_cannot_be_called_is_refused_when_it_is_said(webhook: Webhook) -> None:
    hosts = Names(**{"inside.example": ("10.0.0.1",), "mixed.example": ("8.8.8.8", "127.0.0.1")})
    with pytest.raises(Unusable):
        sealed(callbacks(hosts=hosts), webhook)


def test_a_host_that_has_moved_inside_is_not_called() -> None:
    hosts = Names()
    of = callbacks(hosts=hosts)
    told = sealed(of)
    hosts.addresses["client.example"] = ("169.254.169.254",)
    with pytest.raises(Unreachable, match="no address that may be called"):
        way(of, told)


def test_what_the_operator_forbids_later_is_not_called() -> None:
    told = sealed(callbacks())
    with pytest.raises(Unreachable, match="no webhook may be at"):
        way(callbacks(replace(PUSH, hosts=("*.example.org",))), told)


def test_networks_that_are_said_are_called_and_without_tls_where_that_is_said() -> None:
    hosts = Names(**{"in.example": ("fd00::1",)})
    of = callbacks(replace(PUSH, networks=("fd00::/8",), takes_http=True), hosts)
    found = way(of, sealed(of, Webhook("http://in.example:8080/")))
    assert found.reply == b"plain"
    assert found.address == "[fd00::1]:8080"


def test_agents_show_the_token_that_they_were_told() -> None:
    of = callbacks()
    told = sealed(of)
    found = of.opened("travel", token_of(told))
    assert found is not None
    assert of.is_shown(found, told.token)
    assert not of.is_shown(found, told.token + "x")
    assert not of.is_shown(found, "")
    lenient = callbacks(replace(PUSH, needs_token=False))
    assert lenient.is_shown(found, "")
    assert not lenient.is_shown(found, "x")


def test_it_is_over_some_day() -> None:
    of = callbacks(replace(PUSH, lifetime_seconds=60))
    found = of.opened("travel", token_of(sealed(of)))
    assert found is not None
    assert not of.is_over(found, NOW + 60)
    assert of.is_over(found, NOW + 61)


def test_callers_know_their_own_alone() -> None:
    of = callbacks()
    told = sealed(of)
    assert of.own("travel", "ann")(told.url) == HOOK.url
    assert of.own("travel", "bob")(told.url) is None
    assert of.own("hotels", "ann")(told.url) is None
    assert of.own("travel", "ann")("https://elsewhere") is None


def test_notifications_are_signed_where_the_client_says_no_credentials() -> None:
    key = signer(kid="ours")
    means = Means(("s" * 32,), Names(), lambda count: b"n" * count, REPLIES, key)
    of = Callbacks(replace(PUSH, is_signed=True), "/a2a", AGENTS, means)
    found = dict(way(of, sealed(of, Webhook("https://client.example")), b"body").headers)
    token = found["authorization"].removeprefix("Bearer ")
    assert jwt.get_unverified_header(token)["kid"] == "ours"
    claims = jwt.decode(
        token,
        jwt.PyJWK(key.public()).key,
        algorithms=[key.algorithm],
        audience="https://client.example",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == "https://gw/a2a"
    assert (claims["sub"], claims["iat"], claims["exp"]) == ("travel", NOW, NOW + 300)
    assert claims["request_body_sha256"] == hashlib.sha256(b"body").hexdigest()
    assert dict(way(of, sealed(of)).headers)["authorization"] == "Bearer secret"


def test_an_address_says_who_asked_for_it_and_older_ones_say_nobody() -> None:
    of = callbacks()
    caller = Caller(Kind.API_KEY, "ann", "ann", team="red")
    told = Told(Revision.V1_0, "t", "", "ann", caller)
    found = of.opened("travel", token_of(asyncio.run(of.sealed("travel", HOOK, told, NOW))))
    assert found is not None
    assert found.caller == caller
    older = msgspec.json.decode(msgspec.json.encode(found))[:-1]
    assert msgspec.convert(older, Sealed).caller is None
