from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints

ONE_WAY = "needs exactly one of provider, failover, weighted, conditional, cheapest and fastest"


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("{}", f": {ONE_WAY}"),
        ("{provider: p, failover: [p/a]}", f": {ONE_WAY}"),
        ("{cheapest: [p/b], fastest: [p/a]}", f": {ONE_WAY}"),
        ("{conditional: []}", ".conditional: must not be empty"),
        ("{conditional: [{when: llm.is_stream}]}", ".conditional.0.use: is required"),
        (
            "{conditional: [{when: llm.modle == '', use: p/a}]}",
            ".conditional.0.when: in the expression, 1:4: unknown variable 'llm.modle'"
            " (did you mean 'llm.model'?)",
        ),
        ("{provider: p, sticky: user}", ": is sticky without being weighted"),
        (
            "{weighted: {p/a: 1}, sticky: usr}",
            ".sticky: in the expression, 1:1: unknown variable 'usr'",
        ),
        (
            "{weighted: {p/a: 1}, sticky: llm.is_stream}",
            ".sticky: in the expression, 1:1: the expression must be a string, and is: bool",
        ),
        (
            "{weighted: {p/a: 1}, sticky: 'header:x y'}",
            ".sticky: must be the name of a header, not 'header:x y'",
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
