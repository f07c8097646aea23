"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import pytest
from hypothesis import settings

PATIENCE_SECONDS = 240
"""For a test, and for what stands before and after it: the slowest needs a tenth."""
AGAIN_SECONDS = 10
"""For what is done then to end it, which may wait for ever too."""

# How long an example takes is no claim. CI tries the same examples for the same code: what new ones
# find is found where somebody works, and not by a change that has nothing to do with it.
settings.register_profile("dragoman", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dragoman")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays, in each process: garbage is not looked for among it, which takes
    nearly half of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On CI, what a busy machine may be too slow for is tried again, with a real Envoy twice; the
    summary names it."""
    if os.environ.get("CI"):
        for item in items:
            has_envoy = "e2e" in item.path.parts or item.get_closest_marker("envoy")
            item.add_marker(pytest.mark.flaky(reruns=2 if has_envoy else 1, reruns_delay=1))


@contextmanager
def patience() -> Generator[None]:
    """Fails what waits for ever, and says where: for each try anew, while pytest-timeout bounds all
    tries together, of which the second would then have no bound."""

    def end(_: int, __: FrameType | None) -> NoReturn:
        pytest.fail(f"not over after {PATIENCE_SECONDS} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    with patience():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    with patience():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    with patience():
        return (yield)
