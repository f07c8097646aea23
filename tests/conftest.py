"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# How long an example takes is no claim. CI tries the same examples for the same code: what new ones
# find is found where somebody works, and not by a change that has nothing to do with it.
settings.register_profile("dragoman", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dragoman")
