"""Every function does what the reference page says of it."""

from __future__ import annotations

import pytest

from gateway.cel import Expression, compile_expression
from gateway.cel_functions import FUNCTIONS, GROUPS, Function


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.signature)
def test_its_example_is_true(function: Function) -> None:
    compiled = compile_expression(function.example)
    assert isinstance(compiled, Expression), compiled
    assert compiled.evaluate({"apiKey.key": "k-ann"}) is True


def test_no_two_have_the_same_name_and_types() -> None:
    ours = [(each.name, each.takes) for each in FUNCTIONS if each.call is not None]
    assert len(set(ours)) == len(ours)
    assert all(each.doc.endswith(".") for each in FUNCTIONS)
    assert len({title for title, _ in GROUPS}) == len(GROUPS)
