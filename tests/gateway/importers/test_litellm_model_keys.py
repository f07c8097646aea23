from __future__ import annotations

import pytest

from gateway.imported import Outcome
from gateway.importers.litellm_model_keys import INFO, PARAMS


@pytest.mark.parametrize(
    "key", ["temperature", "vertex_project", "aws_region_name", "input_cost_per_query", "tags"]
)
def test_what_a_call_of_ours_cannot_have_is_named(key: str) -> None:
    row = PARAMS.find(key)
    assert row is not None
    assert row.outcome is Outcome.UNSUPPORTED


def test_the_prices_that_we_know_are_no_family() -> None:
    for key in ("input_cost_per_token", "output_cost_per_token"):
        for block in (PARAMS, INFO):
            row = block.find(key)
            assert row is not None
            assert row.is_read
