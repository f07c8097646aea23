"""A real server is asked, as RFC 7662 says, once for each token and time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import replace

import httpx
import pytest

from extproc.adapters.introspector import Bounds, RemoteIntrospector
from extproc.ports import (
    Answered,
    Asked,
    Introspected,
    IntrospectionUnavailable,
    ServiceUnavailable,
)
from gateway.identity import ClientAuth, Introspection
from tests.kit.authorization_server import CLIENT, SECRET, AuthorizationServer
from tests.kit.in_a_loop import in_a_loop

Looked = Introspected | Awaitable[Introspected | None] | None


class Now:
    """A clock."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Way:
    """Without Envoy, to where a server is."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        assert cluster == "service/introspection"
        try:
            async with httpx.AsyncClient(base_url=self.url, timeout=timeout_seconds) as client:
                answer = await client.request(
                    asked.method, asked.path, headers=list(asked.headers), content=asked.body
                )
        except httpx.HTTPError as error:
            raise ServiceUnavailable(type(error).__name__) from None
        return Answered(answer.status_code, dict(answer.headers), answer.content)


@contextlib.asynccontextmanager
async def asking(
    server: AuthorizationServer | Way, now: Now | None = None, bounds: Bounds | None = None
) -> AsyncIterator[RemoteIntrospector]:
    way = server if isinstance(server, Way) else Way(f"http://127.0.0.1:{server.port}")
    made = RemoteIntrospector(way, now or Now(), bounds)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with AuthorizationServer() as made:
        made.tokens["good"] = {"sub": "ann", "scope": "read"}
        yield made


WHERE = Introspection("/introspect", CLIENT, SECRET, ClientAuth.BASIC)


async def claims(found: Looked) -> dict[str, object] | None:
    if isinstance(found, Awaitable):
        found = await found
    return None if found is None else dict(found.claims)


@pytest.mark.parametrize("auth", [ClientAuth.BASIC, ClientAuth.POST])
def test_it_shows_who_asks(server: AuthorizationServer, auth: ClientAuth) -> None:
    async def run() -> None:
        async with asking(server) as made:
            where = replace(WHERE, client_auth=auth)
            said = await claims(made.look_up("good", where))
            assert said == {"active": True, "sub": "ann", "scope": "read"}
            assert await claims(made.look_up("bad", where)) is None

    asyncio.run(run())


@in_a_loop
async def test_a_client_that_is_not_known_learns_nothing() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"] = {}
        async with asking(server) as made:
            for where in (
                replace(WHERE, client_secret="wrong"),
                replace(WHERE, client_auth=ClientAuth.NONE),
            ):
                with pytest.raises(IntrospectionUnavailable, match="answered 401"):
                    await claims(made.look_up("good", where))


@in_a_loop
async def test_what_was_said_is_believed_for_a_while() -> None:
    now = Now()
    with AuthorizationServer() as server:
        server.tokens["good"] = {"sub": "ann"}
        where = replace(WHERE, cache_seconds=60.0, cache_inactive_seconds=5.0)
        async with asking(server, now) as made:
            assert await claims(made.look_up("good", where)) is not None
            first = made.look_up("good", where)
            assert isinstance(first, Introspected)
            assert made.look_up("good", where) is first
            assert await claims(made.look_up("bad", where)) is None
            assert made.look_up("bad", where) is None
            assert server.asked == ["good", "bad"]
            now.seconds += 6
            server.tokens["bad"] = {"sub": "bob"}  # it is good now
            assert await claims(made.look_up("bad", where)) == {"active": True, "sub": "bob"}
            del server.tokens["good"]
            now.seconds += 55
            assert await claims(made.look_up("good", where)) is None
            assert server.asked == ["good", "bad", "bad", "good"]


@in_a_loop
async def test_no_token_is_believed_longer_than_it_is_valid() -> None:
    now = Now()
    with AuthorizationServer() as server:
        server.tokens["short"] = {"exp": now.seconds + 10}
        async with asking(server, now) as made:
            assert await claims(made.look_up("short", WHERE)) is not None
            now.seconds += 9
            assert isinstance(made.look_up("short", WHERE), Introspected)
            now.seconds += 1
            assert not isinstance(made.look_up("short", WHERE), Introspected)


@in_a_loop
async def test_each_request_asks_where_nothing_is_to_be_remembered() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"] = {}
        where = replace(WHERE, cache_seconds=0.0, cache_inactive_seconds=0.0)
        async with asking(server) as made:
            for token in ("good", "good", "bad", "bad"):
                await claims(made.look_up(token, where))
        assert server.asked == ["good", "good", "bad", "bad"]


@in_a_loop
async def test_many_with_one_token_ask_once() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"] = {"sub": "ann"}
        server.hang_seconds = 0.1
        async with asking(server) as made:
            found = [claims(made.look_up("good", WHERE)) for _ in range(100)]
            assert await asyncio.gather(*found) == [{"active": True, "sub": "ann"}] * 100
        assert server.asked == ["good"]


@in_a_loop
async def test_who_leaves_does_not_end_the_question_of_the_others() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"], server.hang_seconds = {}, 0.1
        async with asking(server) as made:
            first = asyncio.ensure_future(claims(made.look_up("good", WHERE)))
            second = asyncio.ensure_future(claims(made.look_up("good", WHERE)))
            await asyncio.sleep(0)
            first.cancel()
            assert await second == {"active": True}


@in_a_loop
async def test_servers_do_not_speak_for_each_other() -> None:
    with AuthorizationServer() as one, AuthorizationServer() as two:
        one.tokens["t"], two.tokens["u"] = {"sub": "of-one"}, {"sub": "of-two"}
        way = Way(f"http://127.0.0.1:{one.port}")
        async with asking(way) as made:
            assert await claims(made.look_up("t", WHERE)) == {"active": True, "sub": "of-one"}
            way.url = f"http://127.0.0.1:{two.port}"
            other = replace(WHERE, audiences=("b",))
            assert await claims(made.look_up("t", other)) is None


@in_a_loop
async def test_what_fails_once_is_tried_again() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"], server.failures = {}, 1
        async with asking(server) as made:
            assert await claims(made.look_up("good", WHERE)) == {"active": True}
            server.failures = 2
            with pytest.raises(IntrospectionUnavailable, match="answered 503"):
                await claims(made.look_up("other", WHERE))


@in_a_loop
async def test_silence_ends_in_time_and_is_not_remembered() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"], server.hang_seconds = {}, 1.0
        async with asking(server) as made:
            with pytest.raises(IntrospectionUnavailable, match=r"no answer within 0\.2 s"):
                await claims(made.look_up("good", replace(WHERE, timeout_seconds=0.2)))
            server.hang_seconds = 0.0
            found = await claims(made.look_up("good", replace(WHERE, timeout_seconds=0.2)))
            assert found == {"active": True}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"active": "true"}',
        b'{"active": 1}',
        b"<html>",
        b'{"a": "' + b"x" * 70_000,
    ],
)
def test_an_answer_that_is_none_lets_nobody_in(server: AuthorizationServer, body: bytes) -> None:
    async def run() -> None:
        async with asking(server) as made:
            with pytest.raises(IntrospectionUnavailable):
                await claims(made.look_up("good", WHERE))

    server.body = body
    asyncio.run(run())


@pytest.mark.parametrize("status", [201, 204, 302, 400, 403, 404, 500])
def test_only_a_200_counts(server: AuthorizationServer, status: int) -> None:
    async def run() -> None:
        async with asking(server) as made:
            with pytest.raises(IntrospectionUnavailable):
                await claims(made.look_up("good", WHERE))

    server.status = status
    if status == 204:
        server.body = b""
    asyncio.run(run())


@in_a_loop
async def test_nobody_there_is_unavailable() -> None:
    async with asking(Way("http://127.0.0.1:9")) as made:
        with pytest.raises(IntrospectionUnavailable):
            await claims(made.look_up("good", replace(WHERE, timeout_seconds=1.0)))


@in_a_loop
async def test_no_more_are_asked_about_than_may() -> None:
    with AuthorizationServer() as server:
        server.hang_seconds = 0.2
        async with asking(server, bounds=Bounds(most_asked=2)) as made:
            waiting = [claims(made.look_up(f"t{number}", WHERE)) for number in range(2)]
            with pytest.raises(IntrospectionUnavailable, match="too many"):
                made.look_up("t3", WHERE)
            assert await asyncio.gather(*waiting) == [None, None]


@in_a_loop
async def test_what_is_remembered_is_bounded() -> None:
    with AuthorizationServer() as server:
        server.tokens = {"a": {}, "b": {}, "c": {}}
        async with asking(server, bounds=Bounds(most_known=2)) as made:
            for token in ("a", "b", "c", "x", "y", "z"):
                await claims(made.look_up(token, WHERE))
            assert isinstance(made.look_up("c", WHERE), Introspected)
            assert not isinstance(made.look_up("a", WHERE), Introspected)
            assert made.look_up("z", WHERE) is None
            assert made.look_up("x", WHERE) is not None
