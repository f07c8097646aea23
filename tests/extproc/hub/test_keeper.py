"""Who kills the servers when the hub is gone."""

from __future__ import annotations

import signal
import subprocess
import sys

from extproc.hub import keeper


def test_groups_that_were_taken_back_are_not_killed() -> None:
    assert keeper.left(["+5\n", "+6\n", "-5\n", "+7\n", "-9\n", "nonsense\n", "+\n"]) == {6, 7}


def test_at_the_end_of_its_input_it_kills_what_is_left() -> None:
    servers = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2)]
    kept = subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__], stdin=subprocess.PIPE, text=True
    )
    assert kept.stdin is not None
    for each in servers:
        kept.stdin.write(f"+{each.pid}\n")
    kept.stdin.write(f"-{servers[1].pid}\n")
    kept.stdin.flush()
    kept.stdin.close()
    assert kept.wait(10) == 0
    assert servers[0].wait(10) == -signal.SIGKILL
    assert servers[1].poll() is None
    servers[1].kill()
    servers[1].wait(10)
