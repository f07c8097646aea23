"""Names are read off the compiled tree: strings, comments and local names do not mislead."""

from __future__ import annotations

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional

from gateway.cel_syntax import Kind, dotted_name, keys_read, read_checked, read_parsed

STRINGS = cel.Type("map<string, string>")


@pytest.fixture(scope="module")
def environment() -> cel.Env:
    return cel.NewEnv(
        variables={
            "a": cel.Type.DYN,
            "a.b": cel.Type.STRING,
            "a.b.c": cel.Type.DYN,
            "n": cel.Type.INT,
            "m.h": STRINGS,
        },
        extensions=[ext_bindings.ExtBindings(), ext_optional.ExtOptional()],
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('a.b == "x"', {"a.b"}),
        ("a.b.c == 1", {"a.b.c"}),
        ("a.c == 1", {"a"}),
        ('"a.b" == "n"', set()),
        ('r"a.b" == """n\n"a.b" """', set()),
        ('"\\"" + a.b + "\\" + n" == ""', {"a.b"}),
        ("true // a.b == n", set()),
        ("n == 1 // a.b\n || n == 2", {"n"}),
        ("a . b // here\n == 'x'", {"a.b"}),
        ("a.`b` == 'x'", {"a.b"}),
        (".n == 1", {"n"}),
        ("[1].exists(n, n == 1)", set()),
        ("[1].exists(n, .n == 1)", {"n"}),
        ("[n].exists(n, n == 1)", {"n"}),
        ("[1].exists(n, n == 1) && n == 2", {"n"}),
        ("[1].exists(x, [2].exists(n, n == x) || n == x)", {"n"}),
        ("[{'b': 1}].exists(a, a.b == 1)", set()),
        ("[1].map(n, n > 0, n) == [n]", {"n"}),
        ("cel.bind(n, a.b, n == 'x')", {"a.b"}),
        ("cel.bind(n, n, n == 1)", {"n"}),
        ("{a.b: n} == {'x': 1}", {"a.b", "n"}),
        ("google.protobuf.Int64Value{value: n} == 1", {"n"}),
        ("n > 1 ? a.b == 'x' : a.c == 1", {"n", "a.b", "a"}),
        ("optional.of(n).hasValue()", {"n"}),
        ("m.h['a.b'] == 'n'", {"m.h"}),
        ("n == 1 && -1.5 < 2.0 && 3u == 3u && b'x' == b'y' && a != null", {"n", "a"}),
    ],
)
def test_the_variables_are_those_that_the_checker_resolved(
    environment: cel.Env, text: str, names: set[str]
) -> None:
    syntax = read_checked(environment.compile(text).serialize())
    assert set(syntax.variables.values()) == names


def test_what_is_read_is_what_must_be_given(environment: cel.Env) -> None:
    """An evaluation without one of the names fails, and with exactly them it does not."""
    values = {"a": {"c": 1}, "a.b": "x", "n": 1}
    for text in (
        "n == 1 && a.b == 'x'",
        "[1].exists(n, .n == n)",
        "[n].exists(n, n == 1)",
        "cel.bind(n, a.b, n == 'x')",
        "a.c == 1",
    ):
        expression = environment.compile(text)
        names = set(read_checked(expression.serialize()).variables.values())
        assert expression.eval(data={name: values[name] for name in names}).value() is True
        for absent in names:
            given = {name: values[name] for name in names if name != absent}
            assert expression.eval(data=given).type() == cel.Type.ERROR


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("m.h['x'] == ''", {"x"}),
        ("m.h.x == ''", {"x"}),
        ("'x' in m.h", {"x"}),
        ("has(m.h.x)", {"x"}),
        ("m.h[?'x'].hasValue()", {"x"}),
        ("m.h.?x.hasValue()", {"x"}),
        ("m.h['x'] == m.h['y']", {"x", "y"}),
        ("m.h[a.b] == ''", {None}),
        ("m.h['x' + 'y'] == ''", {None}),
        ("m.h.exists(k, k == 'x')", {None}),
        ("m.h == {'x': 'y'}", {None}),
        ("m.h['x'] == '' && size(m.h) > 1", {"x", None}),
        ("a.b == 'm.h[\"x\"]'", set()),
        ("cel.bind(m, {'h': {'x': 'y'}}, m.h['x'] == 'y')", set()),
        ("m.h[m.h['x']] == ''", {None, "x"}),
    ],
)
def test_the_keys_of_a_map_are_known_when_they_are_constants(
    environment: cel.Env, text: str, keys: set[str | None]
) -> None:
    syntax = read_checked(environment.compile(text).serialize())
    assert {key for _, key in keys_read(syntax, "m.h")} == keys


def test_a_parsed_tree_keeps_presence_tests_as_written(environment: cel.Env) -> None:
    parsed = read_parsed(environment.compile("has(a.b)", disable_check=True).serialize())
    assert parsed.root.kind is Kind.SELECT
    assert parsed.root.is_presence_test
    assert dotted_name(parsed.root) == "a.b"


def test_a_call_has_no_dotted_name(environment: cel.Env) -> None:
    parsed = read_parsed(environment.compile("f(a).b", disable_check=True).serialize())
    assert dotted_name(parsed.root) is None


def test_offsets_count_code_points(environment: cel.Env) -> None:
    text = "'é😀' == a.b"
    syntax = read_checked(environment.compile(text).serialize())
    (node,) = (node for node in syntax.root.walk() if node.id in syntax.variables)
    assert syntax.offsets[node.id] == text.index(".b")
