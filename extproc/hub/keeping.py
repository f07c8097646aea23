"""Tells the keeper which process groups there are."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

from extproc.hub import keeper


class Keeping:
    """A running keeper; see `keeper.py`. It reads at once, so that nobody waits for it."""

    def __init__(self) -> None:
        """It has a session of its own: what ends the hub does not end it."""
        self._process = subprocess.Popen(
            (sys.executable, "-I", "-S", keeper.__file__),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def there(self, group: int) -> None:
        """To be killed when we are gone."""
        self._tell(f"+{group}\n")

    def gone(self, group: int) -> None:
        """Nothing is left of it."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # it was killed, or we are stopping
            stdin.write(line.encode())
            stdin.flush()

    async def stop(self) -> None:
        """It kills what is left, and ends."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        await asyncio.to_thread(self._process.wait)
