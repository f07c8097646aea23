from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from extproc.adapters.service_client import LARGEST_ANSWER_BYTES, ServiceClient
from extproc.ports import Asked, AskedBack, Posted, Returned, ServiceUnavailable

Reply = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""What a peer does with the head of a request, whose body was read."""
POSTED = Posted("/check?a=b", b'{"x": 1}', (("x-own", "1"),))
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Peer:
    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.heads: list[bytes] = []
        self.connections = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(POSTED.body))
                self.heads.append(head)
                await self.reply(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def served(reply: Reply, folder: Path) -> AsyncIterator[tuple[Peer, ServiceClient]]:
    peer = Peer(reply)
    server = await asyncio.start_unix_server(peer.serve, folder / "s.sock")
    client = ServiceClient(f"unix:{folder / 's.sock'}")
    try:
        yield peer, client
    finally:
        client.close()
        server.close()
        await server.wait_closed()
        await asyncio.wait_for(asyncio.gather(*peer.tasks), 5)


def saying(said: bytes, *, closes: bool = False) -> Reply:
    async def reply(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        if closes:
            writer.close()

    return reply


def test_a_service_is_asked_by_its_name_over_a_connection_that_is_kept(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(saying(OK), tmp_path) as (peer, client):
            for _ in range(3):
                assert await client.post("guard/own", POSTED, 5) == Returned(200, b"ok")
            assert peer.connections == 1
            lines = peer.heads[0].decode().lower().split("\r\n")
            assert lines[0] == "post /check?a=b http/1.1"
            assert {
                "x-dragoman-service: service/guard/own",
                "content-type: application/json",
                "content-length: 8",
                "x-own: 1",
            } <= set(lines)

    asyncio.run(run())


def test_questions_at_once_take_connections_of_their_own(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(saying(OK), tmp_path) as (peer, client):
            posts = [client.post("guard/own", POSTED, 5) for _ in range(4)]
            assert await asyncio.gather(*posts) == [Returned(200, b"ok")] * 4
            assert peer.connections == 4
            await client.post("guard/own", POSTED, 5)
            assert peer.connections == 4

    asyncio.run(run())


def test_a_connection_that_the_peer_has_closed_is_not_asked_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(saying(OK, closes=True), tmp_path) as (peer, client):
            for _ in range(2):
                assert (await client.post("guard/own", POSTED, 5)).body == b"ok"
                await asyncio.sleep(0.01)
            assert peer.connections == 2

    asyncio.run(run())


def test_an_answer_in_chunks_is_whole(tmp_path: Path) -> None:
    said = b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    async def run() -> None:
        async with served(saying(said), tmp_path) as (_, client):
            assert await client.post("guard/own", POSTED, 5) == Returned(503, b"abcde")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "closed|not open"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "not open"),
        (b"what?\r\n\r\n", "not open"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n" + b"x" * 5_000_000,
            str(LARGEST_ANSWER_BYTES),
        ),
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_no_answer(
    tmp_path: Path, said: bytes, why: str
) -> None:
    async def run() -> None:
        async with served(saying(said, closes=True), tmp_path) as (_, client):
            with pytest.raises(ServiceUnavailable, match=why):
                await client.post("guard/own", POSTED, 5)

    asyncio.run(run())


def test_an_answer_that_comes_too_late_is_nobody_elses(tmp_path: Path) -> None:
    async def run() -> None:
        may_answer = asyncio.Event()

        async def reply(_head: bytes, writer: asyncio.StreamWriter) -> None:
            await may_answer.wait()
            writer.write(OK)

        async with served(reply, tmp_path) as (peer, client):
            with pytest.raises(ServiceUnavailable, match=r"within 0.01 s"):
                await client.post("guard/own", POSTED, 0.01)
            may_answer.set()
            assert (await client.post("guard/own", POSTED, 5)).body == b"ok"
            assert peer.connections == 2

    asyncio.run(run())


def test_where_nobody_listens_there_is_no_answer(tmp_path: Path) -> None:
    async def run() -> None:
        with pytest.raises(ServiceUnavailable):
            await ServiceClient(f"unix:{tmp_path / 'none'}").post("guard/own", POSTED, 5)
        with pytest.raises(ServiceUnavailable):
            await ServiceClient("127.0.0.1:1").post("guard/own", POSTED, 5)

    asyncio.run(run())


def event(document: str) -> bytes:
    data = f"data: {document}\n\n".encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
NOTE, PING = event('{"method":"notifications/x"}'), event('{"id":1,"method":"ping"}')
ROOTS = event('{"id":2,"method":"roots/list"}')
ELICITATION = event('{"id":3,"method":"elicitation/create"}')
ANSWER = event('{"id":7,"result":{}}') + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "is_clients", "is_answered"),
    [
        (NOTE + PING + ROOTS + ANSWER, True, True),
        (ELICITATION + ANSWER, False, True),
        (ELICITATION + ANSWER, True, False),
        (ROOTS, True, False),
    ],
)
def test_who_asks_a_client_back_is_not_waited_for(
    said: bytes, is_clients: bool, is_answered: bool, tmp_path: Path
) -> None:
    """Roots are asked for by some that answer all the same."""
    asked = Asked("POST", "/mcp", (), POSTED.body, is_clients)

    async def run() -> None:
        async with served(saying(HEAD + said), tmp_path) as (_, client):
            if is_answered:
                assert (await client.ask("c", asked, 5)).body == b'{"id":7,"result":{}}'
                return
            with pytest.raises(AskedBack):
                await client.ask("c", asked, 5)

    asyncio.run(run())
