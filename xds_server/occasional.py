"""A child process that runs while it is wanted, and is stopped when it is not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from xds_server.child import Child, Command, Print

GRACE_SECONDS = 5.0


@dataclass(slots=True)
class Occasional:
    """Starts a command, and stops it, as often as the configuration changes its mind."""

    command: Command
    show: Print
    _child: Child | None = None
    _is_wanted: bool = False
    _is_stopping: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def children(self) -> tuple[Child, ...]:
        """It, while it is wanted."""
        return () if self._child is None else (self._child,)

    def want(self, is_wanted: bool) -> None:
        """From now on it is to run, or not."""
        if is_wanted != self._is_wanted:
            self._is_wanted = is_wanted
            self._news.set()

    async def keep(self) -> None:
        """Do so until it was stopped."""
        async with asyncio.TaskGroup() as tasks:
            while not self._is_stopping:
                self._news.clear()
                if self._is_wanted and self._child is None:
                    self._child = Child(self.command, self.show)
                    tasks.create_task(self._child.keep())
                elif not self._is_wanted and self._child is not None:
                    child, self._child = self._child, None
                    await child.stop(GRACE_SECONDS)
                await self._news.wait()

    async def stop(self, grace_seconds: float) -> None:
        """`keep` then returns."""
        self._is_stopping = True
        if self._child is not None:
            await self._child.stop(grace_seconds)
        self._news.set()
