"""Reads files whose paths somebody else has written: never for long, and never without end.

A path may lead to a pipe that nobody writes to, or to a device that never ends.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path

MAX_BYTES = 64 << 20
"""More than any configuration has; what is longer is something else."""
PIPE_SECONDS = 10.0
"""How long all of a pipe may take, such as a shell's `<(…)`."""
_CHUNK_BYTES = 1 << 20


def read_whole(path: Path, limit_bytes: int = MAX_BYTES, seconds: float = PIPE_SECONDS) -> bytes:
    """What a file or a pipe holds. `OSError` when it is something else, too long or too late."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise OSError(errno.EINVAL, "neither a file nor a pipe")
        return _read(descriptor, limit_bytes, time.monotonic() + seconds)
    finally:
        os.close(descriptor)


def _read(descriptor: int, limit_bytes: int, until: float) -> bytes:
    data = bytearray()
    while True:
        try:
            part = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:  # a pipe, whose writer has not written yet
            if not select.select([descriptor], [], [], max(until - time.monotonic(), 0.0))[0]:
                raise TimeoutError(errno.ETIMEDOUT, "nothing came from the pipe in time") from None
            continue
        if not part:
            return bytes(data)
        data += part
        if len(data) > limit_bytes:
            raise OSError(errno.EFBIG, f"longer than {limit_bytes >> 20} MiB")
        if time.monotonic() > until:
            raise TimeoutError(errno.ETIMEDOUT, "its reading takes too long")
