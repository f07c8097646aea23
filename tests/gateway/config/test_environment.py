from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.environment import Substituted, each_text, escape, substitute

ENVIRONMENT = {"NAME": "value", "EMPTY": "", "TRICKY": "${NAME}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $NAME {NAME}", "plain $NAME {NAME}"),
        ("${NAME}", "value"),
        ("a ${NAME} and ${NAME}", "a value and value"),
        ("${MISSING:-default}", "default"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY}", ""),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$${NAME}"),
        ("${TRICKY}", "${NAME}"),
    ],
)
def test_variables_are_replaced_once(text: str, expected: str) -> None:
    assert substitute(text, ENVIRONMENT) == Substituted(expected)


def test_every_unset_variable_is_named_once() -> None:
    assert substitute("${B} ${A} ${B}", {}).unset == ("B", "A")


@pytest.mark.parametrize("text", ["${", "${1}", "${A-B}", "${}", "x${ A }"])
def test_what_starts_no_variable_is_said(text: str) -> None:
    assert substitute(text, ENVIRONMENT).is_malformed


@settings(deadline=None)
@given(st.text(alphabet="${}AB:-x"))
def test_escaped_text_comes_back(text: str) -> None:
    assert substitute(escape(text), {}) == Substituted(text)


def test_every_text_of_a_document_is_changed_and_nothing_else() -> None:
    document = {"a": ["x", 1, None, {"b": "y"}], "c": True}
    assert each_text(document, str.upper) == {"a": ["X", 1, None, {"b": "Y"}], "c": True}
