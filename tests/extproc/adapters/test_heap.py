"""What a large body costs in pages, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from extproc.adapters.heap import keep_freed_memory

ROUNDS = 50
COPIES = """
import resource, sys
from extproc.adapters.heap import keep_freed_memory
is_kept = keep_freed_memory(dict.fromkeys(sys.argv[2:], "1"))
body = bytes(200_000)
def copied():
    for _ in range(int(sys.argv[1])):
        copies = [body[start:] for start in range(5)]
        del copies
copied()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
copied()
print(is_kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 5 * 200_000 // 4096


def faults(*chosen: str) -> tuple[bool, int]:
    """Whether freed memory was kept, and how often a page had to be asked for."""
    command = [sys.executable, "-c", COPIES, f"{ROUNDS}", *chosen]
    kept, count = subprocess.run(command, capture_output=True, check=True).stdout.split()
    return kept == b"True", int(count)


def test_pages_of_large_bodies_are_asked_for_once() -> None:
    kept, count = faults()
    if not kept:
        pytest.skip("the C library is not glibc")
    assert count < PAGES
    kept, count = faults("MALLOC_TRIM_THRESHOLD_")
    assert not kept
    assert count > PAGES * ROUNDS / 2


@pytest.mark.parametrize("name", ["MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_the_operator_says_holds(name: str) -> None:
    assert not keep_freed_memory({name: "1"})
