from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.document import read
from gateway.config.emission import emit

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        "null",
        "~",
        "true",
        "on",
        "1",
        "0x1",
        "1.5",
        ".inf",
        "2026-01-01",
        "<<",
        "=",
        "- a",
        "a: b",
    ]
)
KEYS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES)
def test_it_writes_what_pyyaml_writes(value: object) -> None:
    theirs = yaml.dump(value, Dumper=Plain, sort_keys=False, allow_unicode=True, width=4096)
    assert emit(value) == theirs


class Plain(yaml.CSafeDumper):
    """Without anchors for what is the same."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def test_what_it_writes_is_read_again() -> None:
    value = {"a": ["1", 1, True, "true", None, "null"], "b": {}, "c": [], "d": "x\ny", "on": "off"}
    assert read(emit(value), {}).value == value


def test_what_is_not_plain_is_refused() -> None:
    with pytest.raises(TypeError, match="not a plain value: object"):
        emit({"a": object()})


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1e22, 1e-7, 0.1, -0.0]))
def test_numbers_with_a_fraction_are_read_as_they_were(value: float) -> None:
    emitted = emit({"n": value})
    read_back = read(emitted, {}).value
    assert isinstance(read_back, dict)
    assert float(read_back["n"]) == value
