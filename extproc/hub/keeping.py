"""Tells the keeper which process groups there are."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from extproc.hub import keeper


class Keeping:
    """A running keeper; see `keeper.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Keeping:
        """It has a session of its own: what ends the hub does not end it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", keeper.__file__),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return cls(process)

    def there(self, group: int) -> None:
        """To be killed when we are gone."""
        self._tell(f"+{group}\n")

    def gone(self, group: int) -> None:
        """Nothing is left of it."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(line.encode())

    async def stop(self) -> None:
        """It kills what is left, and ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await self._process.stdin.wait_closed()
        await self._process.wait()
