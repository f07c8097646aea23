from __future__ import annotations

from decimal import Decimal
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.document import Document, read


def messages(text: str, **environment: str) -> list[tuple[int, str]]:
    document = read(dedent(text), environment)
    return [(each.line or document.line(each.path), each.message) for each in document.findings]


def test_every_value_has_its_line() -> None:
    document = read("a:\n  b: 1\n  c:\n    - x\n    - y: z\n", {})
    assert document.value == {"a": {"b": 1, "c": ["x", {"y": "z"}]}}
    assert document.lines[("a",)] == 1
    assert document.lines[("a", "b")] == 2
    assert document.lines[("a", "c")] == 3
    assert document.lines[("a", "c", 1, "y")] == 5


def test_a_path_that_was_not_written_has_the_line_around_it() -> None:
    assert read("a:\n  b: 1\n", {}).line(("a", "missing", "deeper")) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1_000", 1000),
        ("0x10", 16),
        ("010", 10),
        ("0.10", Decimal("0.10")),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("null", None),
        ("~", None),
        ("'8080'", "8080"),
        ("", None),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, expected: object) -> None:
    value = read(f"a: {text}", {}).value
    assert value == {"a": expected}
    assert isinstance(value, dict)
    assert type(value["a"]) is type(expected)


def test_keys_are_text() -> None:
    assert read("on: 1\n8080: 2\n", {}).value == {"on": 1, "8080": 2}


def test_a_key_written_twice_is_said_with_both_lines() -> None:
    assert messages("a: 1\nb: 2\na: 3\n") == [(3, "written twice, first on line 1")]


def test_variables_are_read_in_values_and_never_become_structure() -> None:
    document = read("a: ${X}\nb: 'x-${X}'\n", {"X": "[1, {c: d}]\ne: f"})
    assert document.value == {"a": "[1, {c: d}]\ne: f", "b": "x-[1, {c: d}]\ne: f"}


def test_what_was_written_is_kept_beside_what_it_became() -> None:
    assert read("a: ${X}", {"X": "secret"}).written[("a",)] == "${X}"


def test_unset_and_malformed_variables_lose_their_value() -> None:
    document = read("a: ${X}\nb: ${\nc: 1\n", {})
    assert document.lost == {("a",), ("b",)}
    assert [each.message for each in document.findings] == [
        "the environment variable X is not set",
        "'${' starts no variable",
    ]


def test_variables_in_keys_are_refused() -> None:
    assert messages("${X}: 1", X="a") == [(1, "'${X}': variables are not read in keys")]


def test_merge_keys_fill_what_is_not_written() -> None:
    text = """
        base: &base {a: 1, b: 2}
        more: &more {b: 3, c: 4}
        both: {<<: [*base, *more], a: 0}
        """
    value = read(dedent(text), {}).value
    assert isinstance(value, dict)
    assert value["both"] == {"a": 0, "b": 2, "c": 4}


def test_a_merge_key_needs_blocks() -> None:
    assert messages("a: &a [1]\nb: {<<: *a}\n") == [
        (2, "'<<' must be followed by an alias of a block, or a list of them")
    ]


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    document = read("\n".join(lines), {})
    assert not document.is_readable
    assert "once its aliases are followed" in document.findings[0].message


def test_a_bomb_of_merge_keys_is_refused() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    document = read("\n".join(lines), {})
    assert not document.is_readable
    assert "once its aliases are followed" in document.findings[0].message


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "[" * 60 + "]" * 60])
def test_endless_depth_is_refused(text: str) -> None:
    document = read(text, {})
    assert not document.is_readable
    assert document.findings[0].message == "nested more than 50 deep"


def test_a_block_that_merges_itself_ends() -> None:
    assert messages("a: &a {<<: *a, b: 1}\n")[0][1].startswith("'<<' must be followed by")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\nb: 2\n", 2), ("a: *x", 1), ("a: 1\n---\nb: 2\n", 2), ("a: 1\nb: \x01", 2)],
)
def test_what_is_not_yaml_is_said_with_its_line(text: str, line: int) -> None:
    document = read(text, {})
    assert not document.is_readable
    assert document.findings[0].line == line
    assert document.findings[0].message.startswith("not YAML: ")


def test_an_unquoted_variable_between_braces_gets_a_hint() -> None:
    assert "with quotes" in read("a: {b: ${X}}", {}).findings[0].hint


def test_unknown_tags_are_refused() -> None:
    assert messages("a: !!binary aGk=\nb: !x 1\n") == [
        (1, "the tag tag:yaml.org,2002:binary is not understood"),
        (2, "the tag !x is not understood"),
    ]


def test_keys_that_are_blocks_are_refused() -> None:
    assert messages("? [a, b]\n: 1\n") == [(1, "a key must be plain text")]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_document_is_nothing(text: str) -> None:
    document = read(text, {})
    assert document.value is None
    assert document.is_readable


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!<\"'|>#%@`,? \n\t${}0.~")))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert isinstance(read(text, {}), Document)
