"""A real server is asked, as RFC 7662 says, once for each token and time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from extproc.adapters.introspector import Bounds, RemoteIntrospector
from extproc.ports import Introspected, IntrospectionUnavailable
from gateway.identity import ClientAuth, Introspection
from tests.kit.authorization_server import CLIENT, SECRET, AuthorizationServer
from tests.kit.certificates import Authority
from tests.kit.in_a_loop import in_a_loop

Looked = Introspected | Awaitable[Introspected | None] | None


class Now:
    """A clock."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@contextlib.asynccontextmanager
async def asking(
    now: Now | None = None, bounds: Bounds | None = None
) -> AsyncIterator[RemoteIntrospector]:
    made = RemoteIntrospector(now or Now(), bounds)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with AuthorizationServer() as made:
        made.tokens["good"] = {"sub": "ann", "scope": "read"}
        yield made


def at(server: AuthorizationServer) -> Introspection:
    return Introspection(server.url, CLIENT, SECRET, ClientAuth.BASIC)


async def claims(found: Looked) -> dict[str, object] | None:
    if isinstance(found, Awaitable):
        found = await found
    return None if found is None else dict(found.claims)


@pytest.mark.parametrize("auth", [ClientAuth.BASIC, ClientAuth.POST])
def test_it_shows_who_asks(server: AuthorizationServer, auth: ClientAuth) -> None:
    async def run() -> None:
        async with asking() as made:
            where = replace(at(server), client_auth=auth)
            said = await claims(made.look_up("good", where))
            assert said == {"active": True, "sub": "ann", "scope": "read"}
            assert await claims(made.look_up("bad", where)) is None

    asyncio.run(run())


@in_a_loop
async def test_a_client_that_is_not_known_learns_nothing() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"] = {}
        async with asking() as made:
            for where in (
                replace(at(server), client_secret="wrong"),
                replace(at(server), client_auth=ClientAuth.NONE),
            ):
                with pytest.raises(IntrospectionUnavailable, match="answered 401"):
                    await claims(made.look_up("good", where))


@in_a_loop
async def test_what_was_said_is_believed_for_a_while() -> None:
    now = Now()
    with AuthorizationServer() as server:
        server.tokens["good"] = {"sub": "ann"}
        where = replace(at(server), cache_seconds=60.0, cache_inactive_seconds=5.0)
        async with asking(now) as made:
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
        async with asking(now) as made:
            assert await claims(made.look_up("short", at(server))) is not None
            now.seconds += 9
            assert isinstance(made.look_up("short", at(server)), Introspected)
            now.seconds += 1
            assert not isinstance(made.look_up("short", at(server)), Introspected)


@in_a_loop
async def test_each_request_asks_where_nothing_is_to_be_remembered() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"] = {}
        where = replace(at(server), cache_seconds=0.0, cache_inactive_seconds=0.0)
        async with asking() as made:
            for token in ("good", "good", "bad", "bad"):
                await claims(made.look_up(token, where))
        assert server.asked == ["good", "good", "bad", "bad"]


@in_a_loop
async def test_many_with_one_token_ask_once() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"] = {"sub": "ann"}
        server.hang_seconds = 0.1
        async with asking() as made:
            found = [claims(made.look_up("good", at(server))) for _ in range(100)]
            assert await asyncio.gather(*found) == [{"active": True, "sub": "ann"}] * 100
        assert server.asked == ["good"]


@in_a_loop
async def test_who_leaves_does_not_end_the_question_of_the_others() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"], server.hang_seconds = {}, 0.1
        async with asking() as made:
            first = asyncio.ensure_future(claims(made.look_up("good", at(server))))
            second = asyncio.ensure_future(claims(made.look_up("good", at(server))))
            await asyncio.sleep(0)
            first.cancel()
            assert await second == {"active": True}


@in_a_loop
async def test_servers_do_not_speak_for_each_other() -> None:
    with AuthorizationServer() as one, AuthorizationServer() as two:
        one.tokens["t"], two.tokens["u"] = {"sub": "of-one"}, {"sub": "of-two"}
        async with asking() as made:
            assert await claims(made.look_up("t", at(one))) == {"active": True, "sub": "of-one"}
            assert await claims(made.look_up("t", at(two))) is None


@in_a_loop
async def test_what_fails_once_is_tried_again() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"], server.failures = {}, 1
        async with asking() as made:
            assert await claims(made.look_up("good", at(server))) == {"active": True}
            server.failures = 2
            with pytest.raises(IntrospectionUnavailable, match="answered 503"):
                await claims(made.look_up("other", at(server)))


@in_a_loop
async def test_silence_ends_in_time_and_is_not_remembered() -> None:
    with AuthorizationServer() as server:
        server.tokens["good"], server.hang_seconds = {}, 1.0
        async with asking() as made:
            with pytest.raises(IntrospectionUnavailable, match=r"no answer within 0\.2 s"):
                await claims(made.look_up("good", replace(at(server), timeout_seconds=0.2)))
            server.hang_seconds = 0.0
            found = await claims(made.look_up("good", replace(at(server), timeout_seconds=0.2)))
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
        async with asking() as made:
            with pytest.raises(IntrospectionUnavailable):
                await claims(made.look_up("good", at(server)))

    server.body = body
    asyncio.run(run())


@pytest.mark.parametrize("status", [201, 204, 302, 400, 403, 404, 500])
def test_only_a_200_counts(server: AuthorizationServer, status: int) -> None:
    async def run() -> None:
        async with asking() as made:
            with pytest.raises(IntrospectionUnavailable):
                await claims(made.look_up("good", at(server)))

    server.status = status
    if status == 204:
        server.body = b""
    asyncio.run(run())


@in_a_loop
async def test_nobody_there_is_unavailable() -> None:
    async with asking() as made:
        where = Introspection("http://127.0.0.1:9/introspect", timeout_seconds=1.0)
        with pytest.raises(IntrospectionUnavailable):
            await claims(made.look_up("good", where))


@in_a_loop
async def test_no_more_are_asked_about_than_may() -> None:
    with AuthorizationServer() as server:
        server.hang_seconds = 0.2
        async with asking(bounds=Bounds(most_asked=2)) as made:
            waiting = [claims(made.look_up(f"t{number}", at(server))) for number in range(2)]
            with pytest.raises(IntrospectionUnavailable, match="too many"):
                made.look_up("t3", at(server))
            assert await asyncio.gather(*waiting) == [None, None]


@in_a_loop
async def test_what_is_remembered_is_bounded() -> None:
    with AuthorizationServer() as server:
        server.tokens = {"a": {}, "b": {}, "c": {}}
        async with asking(bounds=Bounds(most_known=2)) as made:
            for token in ("a", "b", "c", "x", "y", "z"):
                await claims(made.look_up(token, at(server)))
            assert isinstance(made.look_up("c", at(server)), Introspected)
            assert not isinstance(made.look_up("a", at(server)), Introspected)
            assert made.look_up("z", at(server)) is None
            assert made.look_up("x", at(server)) is not None


def test_the_servers_certificate_is_checked(tmp_path: Path) -> None:
    authority = Authority("idp")
    certificate, key = authority.server()
    (tmp_path / "server.pem").write_text(certificate + key)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b'{"active": true}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()

    async def run() -> None:
        url = f"https://127.0.0.1:{http.server_port}/introspect"
        async with asking() as made:
            trusted = Introspection(url, ca=authority.pem)
            assert await claims(made.look_up("t", trusted)) == {"active": True}
            for stranger in (None, Authority("other").pem):
                with pytest.raises(IntrospectionUnavailable, match="ConnectError"):
                    await claims(made.look_up("t", replace(trusted, ca=stranger)))

    try:
        asyncio.run(run())
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
