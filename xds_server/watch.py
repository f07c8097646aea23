"""Notices that files were saved, however editors and Kubernetes do it.

Looks at what each path leads to a few times a second: a write changes its time, a rename or the
swap of a symbolic link anywhere on the way changes its inode, and a folder's names tell what came
and went. Nothing can be missed, no watch can be left on a file that is not there any more, and no
clock is asked: times of files are only compared.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gateway.config.files import Watched
from gateway.config.settling import Settling, look

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.15
SHARE = 20
"""At most a twentieth of the time is spent on looking, however many files there are."""


async def watch(
    watched: Callable[[], Watched],
    on_change: Callable[[], Awaitable[object]],
    *,
    interval_seconds: float = INTERVAL_SECONDS,
) -> None:
    """Call at once, then after every change, when all files have rested for an interval.

    `watched`: what the last load read, as it was just before; asked at every look, so that each
    load may change what is watched. A call may last: the next change does not wait for it, so
    `on_change` must bear company.
    """
    async with asyncio.TaskGroup() as calls:
        calls.create_task(_call(on_change))
        settling = Settling(look(watched()))
        pause = interval_seconds
        while True:
            await asyncio.sleep(pause)
            start = time.monotonic()
            read = watched()
            seen = look(read)
            pause = max(interval_seconds, SHARE * (time.monotonic() - start))
            if settling.is_settled(read, seen):
                calls.create_task(_call(on_change))


async def _call(on_change: Callable[[], Awaitable[object]]) -> None:
    try:
        await on_change()
    except Exception:  # a mistake of ours in one version of the file must not hide the next
        logger.exception("the change could not be applied")
