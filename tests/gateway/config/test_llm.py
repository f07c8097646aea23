from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("{}", ": needs exactly one of provider, failover and weighted"),
        (
            "{provider: p, failover: [p/a]}",
            ": needs exactly one of provider, failover and weighted",
        ),
        ("{model: a, failover: [p/a]}", ": has a model without a provider"),
        ("{failover: []}", ".failover: must not be empty"),
        ("{weighted: {}}", ".weighted: must not be empty"),
        ("{weighted: {p/a: 0}}", ".weighted.p/a: must be from 1 to 1000000, not '0'"),
        ("{provider: p, model: a*b*c}", ".model: may contain one '*', not 'a*b*c'"),
        ("3", ": must be a block of keys and values"),
    ],
)
def test_what_no_model_can_be_is_refused(block: str, complaint: str) -> None:
    text = f"llm: {{providers: {{p: {{type: openai}}}}, models: {{m: {block}}}}}"
    assert complaints(text) == [f"llm.models.m{complaint}"]
