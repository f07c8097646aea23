"""What is between fork and exec of a server: its limits, and the tie to the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from extproc.hub.launch import NOT_FOUND, launching

SHOW = "import resource as r; print(r.getrlimit(r.RLIMIT_DATA)[0], r.getrlimit(r.RLIMIT_NOFILE)[0])"


def run(limits: dict[str, int], *command: str) -> subprocess.CompletedProcess[str]:
    line = launching(limits, os.getpid(), command)
    return subprocess.run(line, capture_output=True, text=True, timeout=20)


def test_a_server_runs_within_its_limits() -> None:
    done = run({"memory": 300 << 20, "files": 77}, sys.executable, "-c", SHOW)
    assert done.stdout.split() == [str(300 << 20), "77"]


def test_one_that_wants_more_memory_does_not_get_it() -> None:
    done = run({"memory": 100 << 20}, sys.executable, "-c", "bytearray(200 << 20)")
    assert done.returncode == 1
    assert "MemoryError" in done.stderr


def test_a_program_that_is_not_there_is_named() -> None:
    done = run({}, "no-such-program-anywhere", "--flag")
    assert done.returncode == NOT_FOUND
    assert done.stderr.strip() == "no-such-program-anywhere: No such file or directory"


def test_a_server_dies_with_its_parent(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    parent = (
        "import os, subprocess, sys, time; from extproc.hub.launch import launching\n"
        f"subprocess.Popen(launching({{}}, os.getpid(), (sys.executable, '-c', {child!r})))\n"
        f"while not (os.path.exists({str(pid)!r}) and open({str(pid)!r}).read()): time.sleep(0.01)"
    )
    subprocess.run([sys.executable, "-c", parent], check=True, timeout=20, cwd=Path.cwd())
    assert gone(int(pid.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends, soon."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        os.sched_yield()
        subprocess.run(["sleep", "0.02"], check=True)
    return False
