"""Real Redis and PostgreSQL servers for tests, on loopback, in a temporary folder; and a network
that can be cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.kit.stack import descendants

START_SECONDS = 30.0
POSTGRES_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def program(name: str, folders: Sequence[Path] = ()) -> str:
    """Where a server's program is. Without it the test is skipped; on CI it fails."""
    found = next((str(each / name) for each in folders if (each / name).exists()), None)
    found = found or shutil.which(name)
    if found is None:
        why = f"{name} is not installed: make servers"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass(slots=True)
class Server:
    """A process that can be killed, paused, and started again on its data."""

    command: Sequence[str]
    port: int
    folder: Path
    user: int | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self.user,
                start_new_session=True,
            )

    def until(self, question: Sequence[str], answer: bytes = b"") -> None:
        """Wait until a command succeeds, and says so."""
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            asked = subprocess.run(
                question, capture_output=True, check=False, timeout=START_SECONDS
            )
            if asked.returncode == 0 and answer in asked.stdout:
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """As `kill -9` of it and its children, of which PostgreSQL's are groups of their own: while
        one of them has its memory, no other can be started on its data."""
        assert self.process is not None
        children = descendants(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(START_SECONDS)
        for each in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        deadline = time.monotonic() + START_SECONDS
        while any(_lives(each) for each in children):
            assert time.monotonic() < deadline
            time.sleep(0.005)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@contextlib.contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()


@contextlib.contextmanager
def redis(folder: Path, *options: str, port: int | None = None) -> Iterator[Server]:
    """A Redis that writes each command to disk before it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    password = options[options.index("--requirepass") + 1] if "--requirepass" in options else ""
    command = [
        *(program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"),
        *("--dir", str(folder), "--save", "", "--appendonly", "yes", "--appendfsync", "always"),
        *options,
    ]
    with _running(Server(command, port, folder)) as server:
        server.start()
        login = ("-a", password, "--no-auth-warning") if password else ()
        server.until(redis_cli(port, *login, "ping"), b"PONG")
        yield server


def redis_cli(port: int, *words: str) -> list[str]:
    return [program("redis-cli"), "-p", str(port), *words]


@contextlib.contextmanager
def redis_cluster(folder: Path) -> Iterator[Server]:
    """A cluster of one node, which has all slots."""
    bus = ("--cluster-port", str(free_port()))  # else 10,000 above its own, which may be too high
    with redis(folder, "--cluster-enabled", "yes", *bus) as server:
        subprocess.run(redis_cli(server.port, "cluster", "addslotsrange", "0", "16383"), check=True)
        server.until(redis_cli(server.port, "cluster", "info"), b"cluster_state:ok")
        yield server


@contextlib.contextmanager
def sentinel(folder: Path, master_port: int) -> Iterator[Server]:
    """One sentinel, which suffices to make a replica the master."""
    folder.mkdir(parents=True)
    port = free_port()
    (folder / "sentinel.conf").write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor ledger 127.0.0.1 {master_port} 1\n"
        "sentinel down-after-milliseconds ledger 500\nsentinel failover-timeout ledger 2000\n"
    )
    command = [program("redis-server"), str(folder / "sentinel.conf"), "--sentinel"]
    with _running(Server(command, port, folder)) as server:
        server.start()
        server.until(redis_cli(port, "sentinel", "replicas", "ledger"), b"slave")
        yield server


@contextlib.contextmanager
def postgres(_folder: Path) -> Iterator[Server]:
    """A PostgreSQL with a database `ledger` of the user `gateway`; it refuses to run as root.

    Its data is elsewhere: pytest lets nobody else into its folders.
    """
    user = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else None
    tools, port = POSTGRES_FOLDERS, free_port()
    with tempfile.TemporaryDirectory(prefix="dragoman-postgres-") as name:
        data = Path(name) / "data"
        if user is not None:
            os.chown(name, user, -1)
        subprocess.run(
            [program("initdb", tools), "-D", str(data), "-U", "gateway", "-A", "trust", "-N"],
            check=True,
            capture_output=True,
            cwd="/",
            user=user,
        )
        with _serving_postgres(data, port, user) as server:
            yield server


@contextlib.contextmanager
def _serving_postgres(data: Path, port: int, user: int | None) -> Iterator[Server]:
    tools = POSTGRES_FOLDERS
    command = [
        *(program("postgres", tools), "-D", str(data), "-p", str(port)),
        *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data.parent}"),
        *("-c", "shared_buffers=16MB", "-c", "max_connections=40"),
    ]
    with _running(Server(command, port, data.parent, user)) as server:
        server.start()
        ask = [program("psql", tools), "-h", "127.0.0.1", "-p", str(port), "-U", "gateway"]
        server.until([*ask, "-d", "postgres", "-c", "select 1"])
        subprocess.run([*ask, "-d", "postgres", "-qc", "create database ledger"], check=True)
        yield server


@dataclass(slots=True)
class Network:
    """Forwards to a server, until it is cut: then nothing passes, and nobody is told."""

    port: int = 0
    is_cut: bool = False
    _pairs: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        self.is_cut = True

    def mend(self) -> None:
        """What was on its way is lost."""
        self.is_cut = False
        for writer in self._pairs:
            writer.transport.abort()
        self._pairs.clear()


@contextlib.asynccontextmanager
async def network(to_port: int) -> AsyncIterator[Network]:
    """A network between a test's client and a server."""
    made = Network()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if not made.is_cut:
                    writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", to_port)
        except OSError:
            writer.close()
            return
        made._pairs += [writer, back]
        await asyncio.gather(copy(reader, back), copy(there, writer))

    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listening.close()
        made.mend()
        if tasks:
            await asyncio.wait(tasks)
