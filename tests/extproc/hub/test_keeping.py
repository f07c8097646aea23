"""The keeper, started and told."""

from __future__ import annotations

import asyncio
import signal

from extproc.hub.keeping import Keeping
from tests.kit.in_a_loop import in_a_loop


@in_a_loop
async def test_what_is_left_when_we_stop_is_killed_and_what_is_not_ours_any_more_is_not() -> None:
    ours, gone = [
        await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
        for _ in range(2)
    ]
    keeping = Keeping()
    keeping.there(ours.pid)
    keeping.there(gone.pid)
    keeping.gone(gone.pid)
    await keeping.stop()
    assert await asyncio.wait_for(ours.wait(), 10) == -signal.SIGKILL
    assert gone.returncode is None
    gone.kill()
    await gone.wait()
