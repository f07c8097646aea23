"""What holds for all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# How long an example takes is no claim. CI tries the same examples for the same code: what new ones
# find is found where somebody works, and not by a change that has nothing to do with it.
settings.register_profile("dragoman", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dragoman")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On CI, what a busy machine may be too slow for is tried again, with a real Envoy twice; the
    summary names it."""
    if os.environ.get("CI"):
        for item in items:
            has_envoy = "e2e" in item.path.parts or item.get_closest_marker("envoy")
            item.add_marker(pytest.mark.flaky(reruns=2 if has_envoy else 1, reruns_delay=1))
