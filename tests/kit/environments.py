"""Python environments with what others wrote, beside the one that tests run in: made once."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.kit.conformance import HOME


def environment(name: str, *packages: str) -> Path:
    """The interpreter of one that has these packages, of these versions."""
    HOME.mkdir(parents=True, exist_ok=True)
    home = HOME / name
    python = home / "bin" / "python"
    stamp = home / " ".join(packages)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", *packages]
            subprocess.run(pip, check=True, timeout=300)
            stamp.touch()
    return python
