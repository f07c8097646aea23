"""Notices that a file was saved, however editors and Kubernetes do it.

Looks at what the path leads to a few times a second: a write changes its time, a rename or the swap
of a symbolic link anywhere on the way changes its inode. Nothing can be missed, and no watch can be
left on a file that is not there any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of a file from another."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of what the path leads to; `None` when that is nothing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


async def watch(
    path: Path,
    on_change: Callable[[], Awaitable[object]],
    *,
    interval_seconds: float = INTERVAL_SECONDS,
) -> None:
    """Call at once, then after every change of the file, when it has rested for an interval.

    A call may last: the next change does not wait for it, so `on_change` must bear company.
    """
    seen = handled = stamp_of(path)
    async with asyncio.TaskGroup() as calls:
        calls.create_task(_call(on_change))
        while True:
            await asyncio.sleep(interval_seconds)
            last, seen = seen, stamp_of(path)
            if seen is not None and seen == last and seen != handled:
                handled = seen
                calls.create_task(_call(on_change))


async def _call(on_change: Callable[[], Awaitable[object]]) -> None:
    try:
        await on_change()
    except Exception:  # a mistake of ours in one version of the file must not hide the next
        logger.exception("the change could not be applied")
