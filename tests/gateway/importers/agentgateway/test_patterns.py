"""Names of models with at most one `*`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cel import compile_expression
from gateway.config import stars
from gateway.importers.agentgateway.patterns import any_of, may_share

short = st.text("ab", max_size=3)
patterns = st.tuples(short, st.sampled_from(("", "*")), short).map("".join)


@given(patterns, patterns, short)
def test_names_that_are_meant_by_both_are_shared(one: str, other: str, name: str) -> None:
    if stars.matches(one, name) and stars.matches(other, name):
        assert may_share(one, other)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a*", "b*"), ("*a", "*b"), ("a*", "b")])
def test_others_are_not(one: str, other: str) -> None:
    assert not may_share(one, other)


@given(st.lists(patterns, min_size=1, max_size=4), short)
def test_cel_says_what_the_names_say(names: list[str], asked: str) -> None:
    expression = compile_expression(any_of(names))
    assert not isinstance(expression, str)
    expected = any(stars.matches(name, asked) for name in names)
    assert expression.evaluate({"llm.model": asked}) is expected


def test_names_are_quoted() -> None:
    expression = compile_expression(any_of(['a"b', 'c"*']))
    assert not isinstance(expression, str)
    assert expression.evaluate({"llm.model": 'a"b'}) is True
    assert any_of([]) == ""
