"""Servers as child processes: real ones, as small as they can be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from extproc.hub import process
from extproc.hub.envelope import Message
from extproc.hub.keeping import Keeping
from extproc.hub.links import CannotConnect, Congested
from extproc.hub.process import UNREAD_BYTES, Child, Patience, ServerProcess, environment_of
from tests.kit.in_a_loop import in_a_loop

SECONDS = 10.0
SAY = (
    "import json, os, sys, time\n"
    "def say(**said): print(json.dumps({'jsonrpc': '2.0', **said}), flush=True)\n"
)
ECHO = (
    SAY + "for line in sys.stdin: say(id=json.loads(line)['id'], result={'line': line.rstrip()})\n"
)


class Listener:
    """What a server says."""

    def __init__(self) -> None:
        self.heard_all: list[Any] = []
        self.reason: str | None = None
        self.news = asyncio.Event()
        self.has_room = asyncio.Event()
        self.has_room.set()

    def heard(self, _: Message, text: bytes) -> None:
        self.heard_all.append(json.loads(text))
        self.news.set()

    def ended(self, reason: str) -> None:
        self.reason = reason
        self.news.set()

    async def room(self) -> None:
        await self.has_room.wait()

    async def until(self, count: int) -> list[Any]:
        async with asyncio.timeout(SECONDS):
            while len(self.heard_all) < count:
                self.news.clear()
                await self.news.wait()
        return self.heard_all

    async def end(self) -> str:
        async with asyncio.timeout(SECONDS):
            while self.reason is None:
                self.news.clear()
                await self.news.wait()
        return self.reason


def child(script: str, **changed: Any) -> Child:
    return Child(
        **{
            "name": "one",
            "command": (sys.executable, "-I", "-S", "-c", script),
            "environment": environment_of({}, os.environ),
            "directory": None,
            "message_bytes": 1 << 20,
            **changed,
        }
    )


@contextlib.asynccontextmanager
async def running(script: str, **changed: Any) -> AsyncIterator[tuple[ServerProcess, Listener]]:
    keeping = Keeping()
    listener = Listener()
    server = await process.start(child(script, **changed), listener, keeping)
    try:
        yield server, listener
    finally:
        await server.close(Patience(1.0, 1.0))
        await keeping.stop()


@in_a_loop
async def test_each_line_is_a_message_in_both_directions() -> None:
    async with running(ECHO) as (server, listener):
        server.send(b'{"id":1}')
        server.send(b'{"id":"2"}')
        assert await listener.until(2) == [
            {"jsonrpc": "2.0", "id": 1, "result": {"line": '{"id":1}'}},
            {"jsonrpc": "2.0", "id": "2", "result": {"line": '{"id":"2"}'}},
        ]


@in_a_loop
async def test_what_is_no_message_is_left_out_and_so_is_what_is_on_standard_error() -> None:
    script = SAY + "print('listening'); print(); print('[1]'); print('x', file=sys.stderr)\n"
    async with running(script + "say(id=1, result={})\nsys.stdin.read()") as (_, listener):
        assert await listener.until(1) == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


@in_a_loop
async def test_a_server_sees_little_of_our_environment_and_what_is_written_for_it() -> None:
    ours = {"PATH": "/bin", "HOME": "/root", "OPENAI_API_KEY": "sk-secret", "DRAGOMAN_XDS": "x"}
    seen = environment_of({"KEY": "k", "HOME": "/srv"}, ours)
    assert seen == {"PATH": "/bin", "HOME": "/srv", "KEY": "k"}
    script = SAY + "say(id=1, result={'env': dict(os.environ), 'cwd': os.getcwd()})"
    async with running(script, environment=seen, directory=Path("/")) as (_, listener):
        (told,) = await listener.until(1)
    assert told["result"]["cwd"] == "/"
    assert {key: told["result"]["env"].get(key) for key in ("KEY", "OPENAI_API_KEY")} == {
        "KEY": "k",
        "OPENAI_API_KEY": None,
    }
    assert "KEY" not in repr(child("", environment=seen))


@in_a_loop
async def test_the_end_of_a_server_says_how_it_ended() -> None:
    async with running("import sys; sys.exit(3)") as (_, listener):
        assert await listener.end() == "server one: it ended with status 3"
    async with running("import os; os.kill(os.getpid(), 9)") as (_, listener):
        assert await listener.end() == "server one: it ended with signal SIGKILL"


@in_a_loop
async def test_a_program_that_is_not_there_ends_at_once() -> None:
    async with running("", command=("no-such-program",)) as (_, listener):
        assert await listener.end() == "server one: it ended with status 127"


@in_a_loop
async def test_a_directory_that_is_not_there_is_named() -> None:
    keeping = Keeping()
    with pytest.raises(CannotConnect, match="server one: no directory /no/such"):
        await process.start(child("", directory=Path("/no/such")), Listener(), keeping)
    await keeping.stop()


@in_a_loop
async def test_a_message_that_is_too_large_ends_its_server() -> None:
    script = SAY + "say(id=1, result={'x': 'y' * 3000})\nsys.stdin.read()"
    async with running(script, message_bytes=1000) as (_, listener):
        reason = await listener.end()
    assert reason == "server one: it said more than 1000 bytes in one message"


@in_a_loop
async def test_a_server_that_ends_its_output_alone_is_stopped() -> None:
    script = "import os, time; os.close(1); time.sleep(60)"
    async with running(script, silent_seconds=0.05) as (_, listener):
        assert await listener.end() == "server one: it closed its output"


@in_a_loop
async def test_whoever_does_not_end_is_killed_with_all_that_it_has_started() -> None:
    script = SAY + (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "say(id=1, result={'pid': subprocess.Popen(['sleep', '60']).pid})\n"
        "time.sleep(60)"
    )
    async with running(script) as (server, listener):
        (told,) = await listener.until(1)
        await server.close(Patience(0.05, 0.05))
        assert listener.reason is None  # it was meant to end
        for pid in (server.pid, told["result"]["pid"]):
            await gone(pid)


@in_a_loop
async def test_a_server_that_ends_when_its_input_does_is_not_signalled() -> None:
    script = SAY + (
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(9))\n"
        "say(id=1, result={})\n"
        "sys.stdin.read(); time.sleep(0.1); say(id=2, result={})"
    )
    async with running(script) as (server, listener):
        await listener.until(1)
        await server.close(Patience(5.0, 5.0))


@in_a_loop
async def test_what_a_server_leaves_behind_when_it_ends_by_itself_is_killed() -> None:
    script = SAY + (
        "import subprocess\nsay(id=1, result={'pid': subprocess.Popen(['sleep', '60']).pid})"
    )
    async with running(script) as (_, listener):
        (told,) = await listener.until(1)
        await listener.end()
        await gone(told["result"]["pid"])


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def gone(pid: int) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                state = await asyncio.to_thread(state_of, pid)
            except (FileNotFoundError, ProcessLookupError):
                return
            if state == "Z":  # nobody here waits for it
                return
            await asyncio.sleep(0.02)


@in_a_loop
async def test_a_server_is_read_no_faster_than_its_messages_are_taken() -> None:
    script = SAY + "for n in range(3): say(id=n, result={})\nsys.stdin.read()"
    async with running(script) as (_, listener):
        listener.has_room.clear()
        await listener.until(1)
        await asyncio.sleep(0.1)
        assert len(listener.heard_all) == 1
        listener.has_room.set()
        assert len(await listener.until(3)) == 3


@in_a_loop
async def test_one_that_does_not_read_is_sent_no_more() -> None:
    async with running("import time; time.sleep(60)") as (server, _):
        for _ in range((UNREAD_BYTES >> 20) + 1):
            server.send(b"x" * (1 << 20))
        with pytest.raises(Congested):
            server.send(b"{}")
        await server.close(Patience(0.01, 0.01))
