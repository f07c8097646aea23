"""How the C library keeps memory that was freed.

glibc gives the end of its heap back to the system as soon as 128 KB of it are free, and a large
body is more than that: then each page of each copy of it is asked for anew, which costs more than
what is done with it. https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
_KEPT_BYTES = 32 << 20
"""What may stay free at the end of the heap."""
_MAPPED_BYTES = 4 << 20
"""What is larger is mapped by itself, and given back at once."""
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory(environment: Mapping[str, str]) -> bool:
    """Have glibc keep it. False: it is another library, or the operator has said how."""
    if any(name in environment for name in _CHOSEN):
        return False
    mallopt = _mallopt()
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES))


def _mallopt() -> Callable[[int, int], int] | None:
    try:
        return ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # it is glibc's alone
        return None
