"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("dragoman", deadline=None)  # how long an example takes is no claim
settings.load_profile("dragoman")
