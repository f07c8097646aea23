"""A server that is a child process, and speaks on its standard streams, a message on each line.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from extproc.hub import envelope
from extproc.hub.keeping import Keeping
from extproc.hub.launch import launching
from extproc.hub.links import CannotConnect, Congested, Ears

logger = logging.getLogger(__name__)

INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
STDERR_LINE_BYTES = 4096
STDERR_LINES_PER_SECOND = 20
LAST_LINES = 5
LAST_WORDS_SECONDS = 1.0
"""How long what a server has said before it ended is waited for."""
UNREAD_BYTES = 64 << 20
"""What may wait for a server that does not read."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server that is to stop may take for each step."""

    closed_seconds: float = 2.0
    """After its standard input was closed."""
    terminated_seconds: float = 2.0
    """After SIGTERM; then it is killed."""


@dataclass(frozen=True, slots=True)
class Child:
    """What to start, and how."""

    name: str
    """The server's, for the log."""
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path | None
    message_bytes: int
    """The largest message that it may say."""
    silent_seconds: float = 2.0
    """How long it may go on when it has closed its output."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """As `launch.py` takes them."""


def environment_of(written: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """What a server gets to see: little of ours, and what is written for it."""
    return {**{name: ours[name] for name in INHERITED if name in ours}, **written}


@dataclass(frozen=True, slots=True)
class _Pipes:
    """A process, and the ends of its pipes that are ours.

    asyncio's own way to start one is not taken: uvloop forks, and then whatever has threads here
    (gRPC) is asked to put itself in order in the child, which has been seen to crash. `Popen` uses
    vfork.
    """

    process: subprocess.Popen[bytes]
    stdin: asyncio.WriteTransport
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    transports: tuple[asyncio.BaseTransport, ...]

    @classmethod
    async def of(cls, process: subprocess.Popen[bytes], limit: int) -> _Pipes:
        loop = asyncio.get_running_loop()
        assert process.stdin is not None
        stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        stdout, said = await _reader(process.stdout, limit)
        stderr, complained = await _reader(process.stderr, limit)
        return cls(process, stdin, stdout, stderr, (stdin, said, complained))

    def close(self) -> None:
        for each in self.transports:
            each.close()


async def _reader(
    pipe: IO[bytes] | None, limit: int
) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    assert pipe is not None
    reader = asyncio.StreamReader(limit=limit)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader, transport


class ServerProcess:
    """A running one: a `Link`."""

    def __init__(self, child: Child, pipes: _Pipes, ears: Ears, keeping: Keeping) -> None:
        self._child = child
        self._pipes = pipes
        self._ears = ears
        self._keeping = keeping
        self._is_closing = False
        self._broken: str | None = None
        self._lines = _Lines(child.name, pipes.process.pid)
        self._work = asyncio.ensure_future(self._follow())

    @property
    def pid(self) -> int:
        return self._pipes.process.pid

    def send(self, text: bytes) -> None:
        """Raises `Congested`."""
        stdin = self._pipes.stdin
        if stdin.get_write_buffer_size() > UNREAD_BYTES:
            raise Congested(f"{self._child.name} does not read what it is sent")
        if not stdin.is_closing():
            stdin.write(text + b"\n")

    async def close(self, patience: Patience = Patience()) -> None:
        """Close its input, wait, SIGTERM, wait, SIGKILL; then nothing of it is left."""
        self._is_closing = True
        self._pipes.stdin.close()
        ended = asyncio.shield(self._work)
        for seconds, number in (
            (patience.closed_seconds, signal.SIGTERM),
            (patience.terminated_seconds, signal.SIGKILL),
        ):
            done, _ = await asyncio.wait({ended}, timeout=seconds)
            if done:
                break
            self._kill(number)
        await ended

    def _kill(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def _follow(self) -> None:
        """Until it is gone, and all that it has started."""
        errors = asyncio.ensure_future(self._read_errors())
        reading = asyncio.ensure_future(self._read())
        exit_ = asyncio.ensure_future(exited(self.pid))
        try:
            await asyncio.wait({reading, exit_}, return_when=asyncio.FIRST_COMPLETED)
            silent = 0.0 if self._broken else self._child.silent_seconds
            if not exit_.done() and not self._is_closing:  # of what says no more there is no use
                await asyncio.wait({exit_}, timeout=silent)
            if not exit_.done() and not self._is_closing:
                self._broken = self._broken or "it closed its output"
                self._kill(signal.SIGKILL)
            await exit_
            self._kill(signal.SIGKILL)  # what it has started
            await asyncio.wait({reading, errors}, timeout=LAST_WORDS_SECONDS)
        finally:
            for each in (errors, reading, exit_):
                each.cancel()
            self._pipes.close()  # whoever escaped may hold the other ends for ever
            code = self._pipes.process.wait()
            self._keeping.gone(self.pid)
        self._tell(self._broken or f"it ended with {_said(code)}")

    def _tell(self, reason: str) -> None:
        if self._is_closing:
            return
        last = self._lines.last()
        logger.warning("MCP server %s: %s", self._child.name, reason, extra={"last_lines": last})
        self._ears.ended(f"server {self._child.name}: {reason}")

    async def _read(self) -> None:
        stdout = self._pipes.stdout
        while True:
            try:
                line = await stdout.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                line = end.partial
                if not line:
                    return
            except asyncio.LimitOverrunError:
                self._broken = f"it said more than {self._child.message_bytes} bytes in one message"
                return
            except ConnectionError:
                return
            self._hear(line.strip())
            if not self._is_closing:
                await self._ears.room()

    def _hear(self, line: bytes) -> None:
        if not line or self._is_closing:
            return
        try:
            message = envelope.read(line)
        except envelope.NotAMessage as mistake:
            self._lines.junk(line, str(mistake))
            return
        self._ears.heard(message, line)

    async def _read_errors(self) -> None:
        stderr = self._pipes.stderr
        rest, is_cut = b"", False
        while data := await stderr.read(STDERR_LINE_BYTES):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                if not is_cut:
                    self._lines.say(line)
                is_cut = False
            if len(rest) >= STDERR_LINE_BYTES:  # the end of so long a line is left out
                if not is_cut:
                    self._lines.say(rest)
                rest, is_cut = b"", True
        if rest and not is_cut:
            self._lines.say(rest)


class _Lines:
    """What a server says beside its messages: on to our log, as much as is good for it."""

    def __init__(self, name: str, pid: int) -> None:
        self._name = name
        self._pid = pid
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._second = 0
        self._said = 0
        self._left_out = 0

    def last(self) -> str:
        """The last lines, for who wants to know why it died."""
        return "\n".join(self._last)

    def say(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()[:STDERR_LINE_BYTES]
        if not text:
            return
        self._last.append(text)
        if self._is_time():
            logger.info("%s: %s", self._name, text, extra={"server": self._name, "of": self._pid})

    def junk(self, line: bytes, mistake: str) -> None:
        """What was on standard output and is no message."""
        text = line[:200].decode(errors="replace")
        if self._is_time():
            logger.warning(
                "MCP server %s: what it wrote to standard output is left out: %s: %s",
                *(self._name, mistake, text),
            )

    def _is_time(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            if self._left_out:
                logger.warning("MCP server %s: %d lines left out", self._name, self._left_out)
            self._second, self._said, self._left_out = second, 0, 0
        self._said += 1
        if self._said > STDERR_LINES_PER_SECOND:
            self._left_out += 1
            return False
        return True


async def start(child: Child, ears: Ears, keeping: Keeping) -> ServerProcess:
    """Raises `CannotConnect`."""
    if child.directory is not None and not child.directory.is_dir():
        raise CannotConnect(f"server {child.name}: no directory {child.directory}")
    try:
        process = _started(child)
    except OSError as error:
        raise CannotConnect(f"server {child.name} cannot be started: {error.strerror}") from None
    keeping.there(process.pid)
    return ServerProcess(child, await _Pipes.of(process, child.message_bytes), ears, keeping)


def _started(child: Child) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        launching(child.limits, os.getpid(), child.command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(child.environment),
        cwd=child.directory,
        start_new_session=True,  # a group of its own, which is killed as a whole
    )


async def exited(pid: int) -> None:
    """Until a child has ended, whoever else holds its pipes. It stays to be collected."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    descriptor = os.pidfd_open(pid)
    try:
        loop.add_reader(descriptor, over.set)
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _said(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
