from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.config.scalars import Secret
from gateway.config.urls import Url
from gateway.importers.litellm_values import (
    can_be_default,
    duration,
    fits_duration,
    flag,
    free_name,
    has_value,
    is_strange_variable,
    is_valid,
    number,
    period,
    rewriting,
    variable,
)
from gateway.importers.walk import walk


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("os.environ/KEY", "${KEY}"),
        ("os.environ/KNOWN", "${KNOWN:-v}"),
        ("os.environ/LINKED", "${LINKED}"),
        ("os.environ/not a name", "os.environ/not a name"),
        ("Bearer os.environ/KEY", "Bearer os.environ/KEY"),
        ("${KEY}", "$${KEY}"),
        ("plain", "plain"),
    ],
)
def test_variables_are_written_as_ours(theirs: str, ours: str) -> None:
    assert rewriting({"KNOWN": "v", "LINKED": "os.environ/OTHER"})(theirs) == ours


def test_what_is_no_name_of_a_variable_is_noticed() -> None:
    assert is_strange_variable("os.environ/a b")
    assert not is_strange_variable(variable("A", {}))


def test_only_some_texts_can_be_defaults() -> None:
    assert [can_be_default(text) for text in ("a b", "a}b", "${A}")] == [True, False, False]
    assert [has_value(value) for value in ("a", 0, None, [], {})] == [True, True] + [False] * 3


@pytest.mark.parametrize(
    ("written", "found"),
    [("1", 1), ("1.5", Decimal("1.5")), ("'2e-07'", Decimal("2e-07")), ("~", None)],
)
def test_a_number_may_be_text(written: str, found: object) -> None:
    theirs = walk(f"a: {written}", "f")
    assert number(theirs.root.take("a")) == found
    assert theirs.problems == ()


@pytest.mark.parametrize(
    "written", ["true", "[1]", "much", ".inf", "'nan'", "1e999999999", "'-1e-99999'"]
)
def test_what_is_no_number_is_a_problem(written: str) -> None:
    theirs = walk(f"a: {written}", "f")
    assert number(theirs.root.take("a")) is None
    assert [problem.path for problem in theirs.problems] == ["a"]


def test_a_number_from_the_environment_is_answered() -> None:
    theirs = walk("a: os.environ/A\nb: os.environ/B", "f", rewriting({}))
    assert number(theirs.root.take("a")) is None
    assert flag(theirs.root.take("b")) is None
    assert theirs.problems == ()
    assert ["environment" in mapping.note for mapping in theirs.finish()] == [True, True]


@pytest.mark.parametrize(("written", "found"), [("true", True), ("yes", True), ("Off", False)])
def test_flags_are_read_as_yaml_1_1_writes_them(written: str, found: bool) -> None:
    assert flag(walk(f"a: {written}", "f").root.take("a")) is found


def test_what_variables_hide_is_not_judged() -> None:
    assert is_valid(Url, "${BASE}/v1")
    assert is_valid(Url, "${BASE:-https://host}/v1")
    assert not is_valid(Url, "${BASE:-host}/v1")
    assert not is_valid(Secret, "a b")


def test_names_are_made_to_fit_and_stay_apart() -> None:
    assert free_name("Größe & more", set()) == "Gr-e-more"
    assert free_name("..", set()) == "unnamed"
    assert free_name("a", {"a", "a-2"}) == "a-3"
    assert len(free_name("x" * 300, {"x" * 60})) <= 64


@pytest.mark.parametrize(
    ("seconds", "written", "fits"),
    [
        ("30", "30s", True),
        ("0.5", "500ms", True),
        ("0.0001", "1ms", False),
        ("100000", "86400s", False),
    ],
)
def test_durations(seconds: str, written: str, fits: bool) -> None:
    assert duration(Decimal(seconds)) == written
    assert fits_duration(Decimal(seconds)) is fits


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("30s", "hour"),
        ("1h", "hour"),
        ("12h", "day"),
        ("1d", "day"),
        ("7d", "week"),
        ("30d", "month"),
        ("1mo", "month"),
        ("60d", "total"),
        ("monthly", None),
        ("0d", None),
    ],
)
def test_a_period_is_never_shorter_than_theirs(written: str, ours: str | None) -> None:
    assert period(written) == ours
