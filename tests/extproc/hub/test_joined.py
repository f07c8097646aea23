"""What several servers say unasked, as one stream; servers behind a listener as Envoy's."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from extproc.hub import edge, joined, listening, web
from extproc.hub.driver import WayOut
from extproc.hub.far_stream import NoStream, pieces, question, status_of
from extproc.hub.joined import JoinedStreams
from extproc.hub.web import Reply, Request
from extproc.mcp import ids, renamed, renewed
from extproc.mcp.listings import Listing
from extproc.mcp.messages import Message
from extproc.mcp.renamed import Renamed
from extproc.mcp.renewed import Lost, Renewed
from extproc.mcp.tickets import Connected
from extproc.mcp.views import Served
from gateway import names
from tests.kit.in_a_loop import until

NUMBER = "a number that no server knows"
QUESTION = b'data: {"jsonrpc":"2.0","id":5,"method":"ping"}\n\n'
NEWS = b'id: 7\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'

BOTH_LISTED = Listing(("a", "b"), {"tools": 1, "prompts": 1, "resources": 1})


class Far:
    """Servers behind Envoy: of each, what it says to a GET, or the status that it refuses with."""

    def __init__(self) -> None:
        self.said: dict[str, list[bytes] | int] = {}
        self.asked: list[Request] = []
        self.ends = False

        self.heard: list[tuple[str, str, object]] = []
        """What servers have asked clients without sessions."""

    async def hear(self, server: str, session: str, message: Message) -> None:
        self.heard.append((server, session, message.id))

    async def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        said = self.said.get(request.headers[names.SERVICE_HEADER], 503)
        if isinstance(said, int):
            return Reply(said)
        return web.events(self._stream(said))

    async def _stream(self, said: list[bytes]) -> AsyncIterator[bytes]:
        for each in said:
            yield each
        if not self.ends:
            await asyncio.sleep(3600)


def served(name: str) -> Served:
    return Served(name, f"service/mcp/{name}", "/mcp", (("x-one", "1"),), True, 1.0)


def asked(
    last_event: str = "", view: str = "", owner: str = "", **sessions: tuple[str, str]
) -> Request:
    document = {"view": view, "servers": sessions, "number": NUMBER, "owner": owner}
    coded = base64.b64encode(json.dumps(document).encode()).decode()
    headers = {names.MCP_STREAMS_HEADER: coded}
    if last_event:
        headers["last-event-id"] = last_event
    return Request("GET", names.HUB_STREAMS, "", headers)


Scene = Callable[[Far, JoinedStreams, WayOut], Awaitable[Any]]


def play(folder: Path, scene: Scene) -> Any:
    async def whole() -> Any:
        far, address = Far(), f"unix:{folder / 's'}"
        way = WayOut(address)
        streams = JoinedStreams(way, None, lambda: 0.0, far.hear)
        streams.take({name: served(name) for name in "ab"}, {"": BOTH_LISTED})
        listener = edge.listening(address)
        async with edge.serving(far, 1 << 20, listener):
            async with asyncio.timeout(20):
                return await scene(far, streams, way)

    return asyncio.run(whole())


class Reader:
    """A client that reads what it is told, until it has enough."""

    is_congested = False

    def __init__(self, enough: Callable[[bytes], bool]) -> None:
        self._enough = enough
        self.said = b""
        self.has_enough = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.said += data
        if self._enough(self.said):
            self.has_enough.set()

    def end(self) -> None:
        raise AssertionError


async def heard(reply: Reply, enough: Callable[[bytes], bool]) -> bytes:
    source: Any = reply.body
    reader = Reader(enough)
    source.opened(reader)
    await reader.has_enough.wait()
    source.closed()
    return reader.said


BOTH = {"a": ("a-1", "2025-06-18"), "b": ("b-1", "2025-11-25")}


def test_changes_of_resources_are_told_by_the_names_that_the_client_knows(tmp_path: Path) -> None:
    note = (
        b'{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://x"}}'
    )

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> bytes:
        far.said = {"service/mcp/a": [b"data: %s\n\n" % note], "service/mcp/b": [QUESTION]}
        said = renamed.encode(Renamed(NUMBER, "a", "test://x", "a+test://x"))
        assert streams.told(Request("POST", names.HUB_RENAMED, "", {}, said)).status == 204
        assert streams.told(Request("POST", names.HUB_RENAMED, "", {}, b"{}")).status == 400
        return await heard(await streams.answer(asked(**BOTH)), lambda said: b"updated" in said)

    assert b'"uri":"a+test://x"' in play(tmp_path, scene)


def test_what_servers_say_names_them(tmp_path: Path) -> None:
    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> bytes:
        far.said = {"service/mcp/a": [QUESTION], "service/mcp/b": [NEWS]}
        reply = await streams.answer(asked(**BOTH))
        found = await heard(reply, lambda said: b"ping" in said and b"list_changed" in said)
        of_a = next(each for each in far.asked if "a" in each.headers[names.SERVICE_HEADER][-1])
        assert of_a.headers["mcp-session-id"] == "a-1"
        assert of_a.headers["mcp-protocol-version"] == "2025-06-18"
        assert of_a.headers["x-one"] == "1"
        return found

    said = play(tmp_path, scene)
    assert b"id: b/7" in said
    (line,) = [each for each in said.splitlines() if b"ping" in each]
    identity = json.loads(line.removeprefix(b"data: "))["id"]
    assert ids.inward(identity, NUMBER.encode()) == ("a", 5)


def test_a_stream_that_ends_is_begun_anew_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "AGAIN_SECONDS", 0.01)

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> list[str]:
        far.ends = True
        far.said = {"service/mcp/a": [NEWS]}
        reply = await streams.answer(asked("a/3", a=BOTH["a"]))
        await heard(reply, lambda said: said.count(b"list_changed") == 2)
        return [each.headers.get("last-event-id", "") for each in far.asked]

    assert play(tmp_path, scene)[:2] == ["3", "7"]


@pytest.mark.parametrize("status", [404, 405])
def test_who_has_no_stream_is_not_asked_again(tmp_path: Path, status: int) -> None:
    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> int:
        far.said = {"service/mcp/a": status, "service/mcp/b": [QUESTION]}
        reply = await streams.answer(asked(**BOTH))
        await heard(reply, lambda said: b"ping" in said)
        await asyncio.sleep(0.05)
        return sum(each.headers[names.SERVICE_HEADER].endswith("a") for each in far.asked)

    assert play(tmp_path, scene) == 1


def test_a_stream_that_somebody_else_has_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "AGAIN_SECONDS", 0.01)

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> None:
        far.said = {"service/mcp/a": 409}
        reply = await streams.answer(asked(a=BOTH["a"]))
        hearing = asyncio.ensure_future(heard(reply, lambda said: b"ping" in said))

        async def was_asked() -> bool:
            return bool(far.asked)

        await until(was_asked)
        far.said = {"service/mcp/a": [QUESTION]}
        assert b"ping" in await hearing

    play(tmp_path, scene)


def test_servers_without_sessions_are_not_listened_to(tmp_path: Path) -> None:
    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> int:
        reply = await streams.answer(asked(a=("", "2026-07-28")))
        await heard(reply, lambda said: bool(said))
        return len(far.asked)

    assert play(tmp_path, scene) == 0


def test_a_server_that_is_back_changes_the_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "LOOK_SECONDS", 0.02)

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> bytes:
        far.said = {"service/mcp/a": 405}
        looking = asyncio.ensure_future(streams.look())
        reply = await streams.answer(asked(a=BOTH["a"]))
        hearing = asyncio.ensure_future(heard(reply, lambda said: b"list_changed" in said))

        async def was_looked_for() -> bool:
            return any(each.headers[names.SERVICE_HEADER].endswith("b") for each in far.asked)

        await until(was_looked_for)
        assert not hearing.done()
        far.said["service/mcp/b"] = 400
        found = await hearing
        looking.cancel()
        return found

    assert b"notifications/prompts/list_changed" in play(tmp_path, scene)


def test_another_configuration_is_told_to_whom_it_changes_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "TOLD_SECONDS", 0.05)
    servers = {name: served(name) for name in "ab"}
    renamed = Listing(("a", "b"), {"tools": 2, "prompts": 1, "resources": 1})

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> tuple[bytes, bool]:
        both = {"": BOTH_LISTED, "other": BOTH_LISTED}
        streams.take(servers, both)
        reply = await streams.answer(asked(a=("", "2026-07-28")))
        elsewhere = await streams.answer(asked(view="other", a=("", "2026-07-28")))
        hearing, other = (
            asyncio.ensure_future(heard(each, lambda said: b"list_changed" in said))
            for each in (reply, elsewhere)
        )
        await asyncio.sleep(0.02)
        streams.take(servers, dict(both))
        streams.take(servers, {**both, "": renamed})
        streams.take(servers, dict(both))  # it was taken back before anybody heard of it
        await asyncio.sleep(0.1)
        assert not hearing.done()
        streams.take(servers, {**both, "": renamed})
        found = await hearing
        is_told = other.done()
        other.cancel()
        return found, is_told

    said, is_other_told = play(tmp_path, scene)
    assert said.count(b"list_changed") == said.count(b"notifications/tools/list_changed") == 1
    assert not is_other_told


def test_a_view_that_is_gone_has_other_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "TOLD_SECONDS", 0.01)

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> bytes:
        reply = await streams.answer(asked())
        hearing = asyncio.ensure_future(heard(reply, lambda said: b"list_changed" in said))
        await asyncio.sleep(0.02)
        streams.take({"a": served("a")}, {})
        return await hearing

    assert play(tmp_path, scene).count(b"list_changed") == 3


def test_a_server_without_streams_is_not_asked_for_each_session(tmp_path: Path) -> None:
    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> None:
        far.said = {"service/mcp/a": 405}

        async def listen(seconds: float) -> int:
            reply = await streams.answer(asked(a=BOTH["a"]))
            hearing = asyncio.ensure_future(heard(reply, lambda said: False))
            await asyncio.sleep(seconds)
            hearing.cancel()
            return len(far.asked)

        assert await listen(1.0) == 1
        assert [await listen(0.05) for _number in range(3)] == [1, 1, 1]
        streams.take({"a": served("a")}, {"": BOTH_LISTED})
        assert await listen(0.5) == 2, "it may be another server by now"

    play(tmp_path, scene)


def test_what_extproc_did_not_say_is_refused(tmp_path: Path) -> None:
    async def scene(_: Far, streams: JoinedStreams, __: WayOut) -> list[int]:
        odd = Request("GET", names.HUB_STREAMS, "", {names.MCP_STREAMS_HEADER: "e30="})
        none = Request("GET", names.HUB_STREAMS, "", {})
        return [(await streams.answer(each)).status for each in (odd, none)]

    assert play(tmp_path, scene) == [400, 400]


def test_a_quiet_stream_is_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "KEEP_ALIVE_SECONDS", 0.01)
    monkeypatch.setattr(joined, "TICK_SECONDS", 0.01)

    async def scene(_: Far, streams: JoinedStreams, __: WayOut) -> bytes:
        keeping = asyncio.ensure_future(streams.keep_alive())
        reply = await streams.answer(asked())
        found = await heard(reply, lambda said: said.count(b"keep-alive") == 2)
        keeping.cancel()
        return found

    assert play(tmp_path, scene).startswith(b": open\n\n")


def test_a_session_that_was_begun_later_is_listened_to(tmp_path: Path) -> None:
    """In the place of one that is over, as well as with a server that was left out."""

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> None:
        far.said = {"service/mcp/a": 404, "service/mcp/b": [NEWS]}
        reply: Any = await streams.answer(asked(a=("a-1", "2025-11-25")))
        reader = Reader(lambda said: b"id: a/7" in said and b"id: b/7" in said)
        reply.body.opened(reader)

        async def was_refused() -> bool:
            return bool(reply.body._listening[0].is_over)

        await until(was_refused)
        far.said["service/mcp/a"] = [NEWS]
        for server, session in (("a", "a-2"), ("b", "b-1")):
            said = renewed.encode(Renewed(NUMBER, server, session, "2025-11-25"))
            for _again in range(2):  # it is told by each worker that uses it
                told = streams.renewed(Request("POST", names.HUB_RENEWED, "", {}, said))
                assert told.status == 204
        others = renewed.encode(Renewed("another's", "a", "a-3", "2025-11-25"))
        streams.renewed(Request("POST", names.HUB_RENEWED, "", {}, others))
        await reader.has_enough.wait()
        sessions = [each.headers["mcp-session-id"] for each in far.asked]
        assert sorted(sessions) == ["a-1", "a-2", "b-1"]
        reply.body.closed()

    play(tmp_path, scene)


def test_whoever_has_agreed_hears_so_and_then_the_server(tmp_path: Path) -> None:
    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> bytes:
        far.said = {"service/mcp/a": 405, "service/mcp/b": [NEWS]}
        readers = [Reader(lambda said: b"list_changed" in said) for _ in range(2)]
        replies: list[Any] = [
            await streams.answer(asked(owner=owner, a=("a-1", "2025-11-25")))
            for owner in ("ann", "bob")
        ]
        for reply, reader in zip(replies, readers, strict=True):
            reply.body.opened(reader)
        said = Connected("ann", "b", NUMBER, "n1", "Bearer t")
        told = Request("POST", names.HUB_CONNECTED, "", {}, json.dumps(asdict(said)).encode())
        assert streams.connected(told).status == 204
        assert streams.connected(replace_body(told, b"no")).status == 400
        await readers[0].has_enough.wait()
        assert b'"notifications/elicitation/complete"' in readers[0].said
        assert b'"elicitationId":"n1"' in readers[0].said
        assert readers[1].said.count(b"data:") == 0
        begun = renewed.encode(Renewed(NUMBER, "b", "b-1", "2025-11-25"))
        streams.renewed(Request("POST", names.HUB_RENEWED, "", {}, begun))

        async def was_asked() -> bool:
            return any(each.headers[names.SERVICE_HEADER].endswith("b") for each in far.asked)

        await until(was_asked)
        for reply in replies:
            reply.body.closed()
        shown = [
            each.headers.get("authorization", "")
            for each in far.asked
            if each.headers[names.SERVICE_HEADER].endswith("b")
        ]
        assert "Bearer t" in shown
        return readers[0].said

    play(tmp_path, scene)


def replace_body(request: Request, body: bytes) -> Request:
    return Request(request.method, request.path, "", {}, body)


def test_the_latest_session_is_known_to_all_workers(tmp_path: Path) -> None:
    async def scene(_: Far, streams: JoinedStreams, __: WayOut) -> None:
        def instead(session: str, server: str = "a") -> Renewed | None:
            lost = renewed.encode(Lost(NUMBER, server, session))
            reply = streams.lost(Request("POST", names.HUB_LOST, "", {}, lost))
            assert isinstance(reply.body, bytes)
            return renewed.decode(reply.body) if reply.status == 200 else None

        assert instead("a-1") is None
        said = Renewed(NUMBER, "a", "a-2", "2025-11-25")
        streams.renewed(Request("POST", names.HUB_RENEWED, "", {}, renewed.encode(said)))
        assert instead("a-1") == said
        assert instead("") == said
        assert instead("a-2") is None  # it is the one that is over
        assert instead("b-1", "b") is None
        for answer, path in ((streams.renewed, names.HUB_RENEWED), (streams.lost, names.HUB_LOST)):
            assert answer(Request("POST", path, "", {}, b"[]")).status == 400

    play(tmp_path, scene)


class Board:
    def __init__(self) -> None:
        self.used: list[int] = []

    def use(self, number: str, now: int, idle_seconds: float) -> bool:
        assert (number, idle_seconds) == (NUMBER, math.inf)
        self.used.append(now)
        return True

    def end(self, number: str, now: int) -> None:
        raise AssertionError


def test_a_session_is_used_while_its_stream_is_open_however_much_is_said_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(joined, "TICK_SECONDS", 0.001)
    board, times = Board(), itertools.count(100, 10)

    class Talkative(Far):
        async def _stream(self, said: list[bytes]) -> AsyncIterator[bytes]:
            while True:
                yield NEWS
                await asyncio.sleep(0.002)

    async def scene() -> bytes:
        far, address = Talkative(), f"unix:{tmp_path / 's'}"
        far.said = {"service/mcp/a": []}
        way = WayOut(address)
        streams = JoinedStreams(way, board, lambda: float(next(times)), far.hear)
        streams.take({"a": served("a")}, {"": Listing(("a",), {})})
        listener = edge.listening(address)
        async with edge.serving(far, 1 << 20, listener), asyncio.timeout(20):
            keeping = asyncio.ensure_future(streams.keep_alive())
            reply = await streams.answer(asked(a=("a-1", "2025-11-25")))
            said = await heard(reply, lambda said: len(board.used) == 3 and said.endswith(b"\n"))
            keeping.cancel()
            way.close()
            return said

    said = asyncio.run(scene())
    assert board.used == [100, 110, 120]
    assert said.count(b"list_changed") > 3


def test_a_far_stream_says_why_there_is_none(tmp_path: Path) -> None:
    async def scene(far: Far, _: JoinedStreams, way: WayOut) -> None:
        with pytest.raises(NoStream) as refused:
            async for _piece in pieces(way, question("service/mcp/a", "/mcp", ())):
                pass
        assert refused.value.status == 503
        with pytest.raises(NoStream) as closed:
            async for _piece in pieces(
                WayOut("unix:/nowhere"), question("service/mcp/a", "/mcp", ())
            ):
                pass
        assert closed.value.status == 0
        far.said = {"service/mcp/a": [QUESTION]}
        assert await status_of(way, "service/mcp/a", "/mcp", 1) == 200
        assert await status_of(way, "service/mcp/b", "/mcp", 1) == 503

    play(tmp_path, scene)


def test_who_asks_without_a_session_hears_both_eras(tmp_path: Path) -> None:
    def listened() -> Request:
        document = {
            "view": "",
            "servers": {"a": BOTH["a"], "b": ("", "2026-07-28")},
            "number": "",
            "listen": 7,
            "notifications": {"toolsListChanged": True},
            "uris": {},
        }
        coded = base64.b64encode(json.dumps(document).encode()).decode()
        return Request("POST", names.HUB_STREAMS, "", {names.MCP_STREAMS_HEADER: coded})

    async def scene(far: Far, streams: JoinedStreams, _: WayOut) -> bytes:
        far.said = {"service/mcp/a": [QUESTION, NEWS], "service/mcp/b": [NEWS]}
        reply = await streams.answer(listened())
        found = await heard(reply, lambda said: said.count(b"tools/list_changed") == 2)
        methods = {each.headers[names.SERVICE_HEADER][-1]: each for each in far.asked}
        assert methods["a"].method == "GET"
        assert far.heard == [("a", "a-1", 5)]
        assert methods["b"].method == "POST"
        assert methods["b"].headers["mcp-method"] == "subscriptions/listen"
        assert json.loads(methods["b"].body)["method"] == "subscriptions/listen"
        assert (await streams.answer(asked(a=BOTH["a"]))).status == 200
        return found

    said = play(tmp_path, scene)
    assert b"acknowledged" in said.split(b"\n")[0]
    assert b"ping" not in said
    assert said.count(b'"io.modelcontextprotocol/subscriptionId":7') == 3
