"""One child process: started, its lines prefixed, restarted with backoff when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.secret_texts import redact
from xds_server.tether import tied

FIRST_DELAY_SECONDS = 0.05
LAST_DELAY_SECONDS = 5.0
STEADY_SECONDS = 20.0
"""Who ran for so long starts anew with the first delay."""
LAST_LINES_SECONDS = 0.2
"""How long the lines of an ended process are waited for."""
LINE_LIMIT_BYTES = 1 << 16

Print = Callable[[str, str], None]
"""Shows a line of a named process."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run."""

    name: str
    """Stands before its lines: `extproc.0`."""
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    is_shown: Callable[[str], bool] = lambda line: True
    """Which of its lines are worth showing."""


def delay_after(failures: int) -> float:
    """How long to wait after so many quick ends in a row."""
    return float(min(FIRST_DELAY_SECONDS * 2 ** max(0, failures - 1), LAST_DELAY_SECONDS))


@dataclass(slots=True)
class Child:
    """A command that is kept running until it is stopped."""

    command: Command
    show: Print
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None
    _is_stopping: bool = False
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        """Of the running process, if it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def keep(self) -> None:
        """Run the command again and again; returns when it was stopped."""
        failures = 0
        while not self._is_stopping:
            started = time.monotonic()
            code = await self._run()
            if self._is_stopping:
                return
            failures = 1 if time.monotonic() - started >= STEADY_SECONDS else failures + 1
            delay = delay_after(failures)
            self.show(self.command.name, f"ended with {_reason(code)}; again in {delay:.2f} s")
            self.restarts += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _run(self) -> int:
        lines, pipe, write_end = await _open_pipe()
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *tied(os.getpid(), list(self.command.arguments)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                env=dict(self.command.environment),
                # Ctrl-C in the terminal is for us alone: we stop the children in order
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        if self._is_stopping:  # asked for in the moment of starting: nothing is under way yet
            self._signal(signal.SIGKILL)
        async with asyncio.TaskGroup() as tasks:
            showing = tasks.create_task(self._show(lines))
            try:
                return await process.wait()
            finally:
                if process.returncode is None:
                    self._signal(signal.SIGKILL)
                    await process.wait()
                await asyncio.wait({showing}, timeout=LAST_LINES_SECONDS)
                pipe.close()  # a grandchild may hold the other end for ever

    async def _show(self, lines: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await lines.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                line = end.partial
                if not line:
                    return
            except asyncio.LimitOverrunError as excess:
                line = await lines.readexactly(excess.consumed)
            text = redact(line.decode(errors="replace").rstrip())  # Envoy's log is not ours
            if text and self.command.is_shown(text):
                self.show(self.command.name, text)

    async def stop(self, grace_seconds: float) -> None:
        """Ask it to end; kill it when it has not within the time. `keep` then returns."""
        self._is_stopping = True
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), grace_seconds)
        except TimeoutError:
            self.show(self.command.name, f"did not end within {grace_seconds:.1f} s; killed")
            self._signal(signal.SIGKILL)
            await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def _open_pipe() -> tuple[asyncio.StreamReader, asyncio.BaseTransport, int]:
    """What is read, the transport that reads it, and the end to write to."""
    read_end, write_end = os.pipe()
    lines = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(read_end, "rb", buffering=0)
    )
    return lines, pipe, write_end


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
