"""What each level can do."""

from __future__ import annotations

import dataclasses
import itertools

from xds_server.audience import Level
from xds_server.resources.features import FEATURES


def test_each_level_is_known_and_has_all_of_those_before_it() -> None:
    assert set(FEATURES) == set(Level)
    ordered = [dataclasses.astuple(FEATURES[level]) for level in Level]
    for before, after in itertools.pairwise(ordered):
        assert all(new or not old for old, new in zip(before, after, strict=True))
