"""TLS in front of a server that knows nothing of it: who gets through, and as whom."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.model import ServerTls, Xds, XdsClient
from tests.kit.certificates import Authority
from xds_server.audience import Principal
from xds_server.server.tls import (
    Security,
    TlsFront,
    UnusableTls,
    context_of,
    names_of,
    security_of,
)

SECONDS = 5
LIMIT = 4
AUTHORITY, CLIENTS, OTHERS = Authority("ours"), Authority("clients"), Authority("others")
TLS = ServerTls(*AUTHORITY.server())
MUTUAL = replace(TLS, client_ca=CLIENTS.pem)


@dataclass(slots=True)
class Scene:
    """A front, and the server behind it, which greets with the name of its peer and echoes."""

    front: TlsFront
    port: int
    seen: asyncio.Queue[Principal | None]
    folder: Path

    async def say(self, text: str, context: ssl.SSLContext) -> str:
        """What the server answers; `ConnectionError` or `ssl.SSLError` when it cuts us off."""
        async with asyncio.timeout(SECONDS), connected(self.port, context) as (reader, writer):
            writer.write(text.encode())
            heard = await reader.readexactly(len(text))
        return heard.decode()


@asynccontextmanager
async def connected(
    port: int, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


def client_context(
    tmp_path: Path, certificate: tuple[str, str] | None = None, authority: Authority = AUTHORITY
) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem)
    context.set_alpn_protocols(["h2"])
    if certificate is not None:
        file = tmp_path / "client.pem"
        file.write_text("\n".join(certificate))
        context.load_cert_chain(file)
    return context


def played(tmp_path: Path, security: Security, play: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        inner = tmp_path / "inner.sock"
        seen: asyncio.Queue[Principal | None] = asyncio.Queue()
        front = TlsFront(tmp_path, inner, security, LIMIT)
        writers: list[asyncio.StreamWriter] = []

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            seen.put_nowait(front.principal(f"unix:{writer.get_extra_info('peername')}"))
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65_536):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async with asyncio.timeout(2 * SECONDS), await asyncio.start_unix_server(echo, inner):
            port = await front.start("127.0.0.1", 0)
            try:
                await play(Scene(front, port, seen, tmp_path))
            finally:
                await front.stop()
                for writer in writers:
                    writer.transport.abort()
                    with contextlib.suppress(ConnectionError):
                        await writer.wait_closed()

    asyncio.run(run())


def test_bytes_go_through_in_both_directions_however_many(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        text = "0123456789" * 500_000
        assert await scene.say(text, client_context(tmp_path)) == text

    played(tmp_path, Security(TLS), play)


def test_without_authorities_no_certificate_is_asked_for_and_none_believed(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        context = client_context(tmp_path, CLIENTS.client("spiffe://a"))
        assert await scene.say("hello", context) == "hello"
        principal = await scene.seen.get()
        assert principal is not None
        assert principal.sans == ()
        assert principal.peer.startswith("ipv4:127.0.0.1:")
        assert not principal.is_private

    played(tmp_path, Security(TLS), play)


def test_the_names_of_a_verified_certificate_are_known(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        context = client_context(tmp_path, CLIENTS.client("spiffe://a", "spiffe://b"))
        assert await scene.say("hello", context) == "hello"
        principal = await scene.seen.get()
        assert principal is not None
        assert principal.sans == ("spiffe://a", "spiffe://b")

    played(tmp_path, Security(MUTUAL), play)


def test_a_name_that_looks_like_the_other_kind_is_no_name() -> None:
    names = (("DNS", "edge.corp"), ("DNS", "spiffe://a/b"), ("URI", "edge.corp"))
    certificate = {"subjectAltName": (*names, ("URI", "spiffe://a/b"), ("email", "a@b"))}
    assert list(names_of(certificate)) == ["edge.corp", "spiffe://a/b"]
    assert list(names_of({"subjectAltName": names[1:]})) == []
    assert list(names_of(None)) == []


@pytest.mark.parametrize("certificate", [None, OTHERS.client("spiffe://a"), CLIENTS.server()])
def test_a_certificate_is_demanded_and_must_be_a_clients_of_our_authorities(
    tmp_path: Path, certificate: tuple[str, str] | None
) -> None:
    async def play(scene: Scene) -> None:
        with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
            await scene.say("hello", client_context(tmp_path, certificate))
        assert scene.seen.empty()

    played(tmp_path, Security(MUTUAL), play)


def test_where_tokens_are_known_a_certificate_may_be_missing_but_not_wrong(
    tmp_path: Path,
) -> None:
    async def play(scene: Scene) -> None:
        assert await scene.say("hello", client_context(tmp_path)) == "hello"
        assert (await scene.seen.get() or Principal("")).sans == ()
        known = client_context(tmp_path, CLIENTS.client("spiffe://a"))
        assert await scene.say("hello", known) == "hello"
        assert (await scene.seen.get() or Principal("")).sans == ("spiffe://a",)
        with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
            await scene.say("hello", client_context(tmp_path, OTHERS.client("spiffe://a")))

    played(tmp_path, Security(MUTUAL, has_tokens=True), play)


def test_a_new_certificate_is_shown_to_new_connections_and_cuts_none(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        old = client_context(tmp_path)
        async with connected(scene.port, old) as (reader, writer):
            scene.front.renew(Security(ServerTls(*OTHERS.server())))
            with pytest.raises(ssl.SSLCertVerificationError):
                await scene.say("hello", old)
            assert await scene.say("hello", client_context(tmp_path, None, OTHERS)) == "hello"
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"

    played(tmp_path, Security(TLS), play)


def test_who_came_in_under_other_authorities_must_come_again(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        context = client_context(tmp_path, CLIENTS.client("spiffe://a"))
        async with connected(scene.port, context) as (reader, writer):
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            scene.front.renew(Security(replace(TLS, client_ca=OTHERS.pem)))
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
            await scene.say("hello", context)

    played(tmp_path, Security(MUTUAL), play)


def test_who_speaks_no_tls_is_cut_off(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        while await reader.read(100):
            pass
        writer.close()
        assert scene.seen.empty()

    played(tmp_path, Security(TLS), play)


def test_there_are_so_many_connections(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        context = client_context(tmp_path)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(LIMIT):
                await stack.enter_async_context(connected(scene.port, context))
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await scene.say("hello", context)
        for _ in range(100 * SECONDS):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert await scene.say("hello", context) == "hello"
                return
            await asyncio.sleep(0.01)
        raise AssertionError("there is no room again")

    played(tmp_path, Security(TLS), play)


def test_who_is_behind_a_connection_is_forgotten_with_it(tmp_path: Path) -> None:
    async def play(scene: Scene) -> None:
        async with connected(scene.port, client_context(tmp_path)) as (reader, writer):
            writer.write(b"hello")
            await reader.readexactly(5)
            assert scene.front.principal("unix:/anywhere/1") is not None
        for _ in range(100 * SECONDS):
            if scene.front.principal("unix:/anywhere/1") is None:
                break
            await asyncio.sleep(0.01)
        assert scene.front.principal("unix:/anywhere/1") is None

    played(tmp_path, Security(TLS), play)
    assert [each.name for each in tmp_path.iterdir()] == ["inner.sock"]


@pytest.mark.parametrize(
    "tls",
    [
        ServerTls("nothing", "nothing"),
        ServerTls(TLS.certificate, OTHERS.server()[1]),
        replace(TLS, client_ca="nothing"),
    ],
)
def test_what_cannot_be_used_is_said_without_the_key(tls: ServerTls, tmp_path: Path) -> None:
    with pytest.raises(UnusableTls) as refused:
        context_of(Security(tls), tmp_path)
    assert tls.key not in str(refused.value) or tls.key == "nothing"
    assert "BEGIN" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_too(tmp_path: Path) -> None:
    with pytest.raises(UnusableTls, match="No such file or directory"):
        context_of(Security(TLS), tmp_path / "nowhere")


def test_what_is_asked_for_follows_from_the_configuration() -> None:
    by_token = XdsClient("desk", token_digest="0" * 64)
    by_name = XdsClient("edge", sans=("*",))
    assert security_of(Xds()) == Security(None)
    assert security_of(Xds(tls=MUTUAL, clients=(by_name,))) == Security(MUTUAL)
    assert security_of(Xds(tls=MUTUAL, clients=(by_name, by_token))) == Security(MUTUAL, True)
