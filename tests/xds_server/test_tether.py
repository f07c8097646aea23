"""A tied command dies with its parent."""

from __future__ import annotations

import os
import subprocess
import sys

from xds_server.tether import tied

PARENT = """
import os, subprocess, sys
from xds_server.tether import tied
child = subprocess.Popen(
    tied(os.getpid(), ["sh", "-c", "echo started; exec sleep 60"]), start_new_session=True
)
sys.stdin.read()
"""


def test_the_command_runs_with_its_arguments() -> None:
    said = subprocess.check_output(tied(os.getpid(), ["echo", "one", "two words"]), text=True)
    assert said == "one two words\n"


def test_a_killed_parent_takes_its_child_with_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        parent.kill()
        # the child holds the other end of this pipe: it ends when the child does
        assert parent.stdout.read() == b""


def test_a_parent_that_is_already_gone_gets_no_child() -> None:
    ended = subprocess.run(tied(1 << 22, ["echo", "alive"]), capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
