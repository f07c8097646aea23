"""A JSON document in which something, somewhere, is not what it should be."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ODD: tuple[object, ...] = (None, True, -1, 0.5, 10**30, "", "odd", [], [7], [None], {}, {"a": 1})


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """The document, with one or two of its values replaced or gone."""
    for _ in range(draw(st.integers(1, 2))):
        document = _changed(draw, document)
    return document


def _changed(draw: st.DrawFn, value: Any) -> Any:
    """A copy that shares what did not change."""
    goes_on = isinstance(value, dict | list) and value and draw(st.integers(0, 5))
    if not goes_on:
        return draw(st.sampled_from(ODD))
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], _changed(draw, value[place]), *value[place + 1 :]]
    name = draw(st.sampled_from(sorted(value)))
    if not draw(st.integers(0, 5)):
        return {key: item for key, item in value.items() if key != name}
    return {**value, name: _changed(draw, value[name])}
