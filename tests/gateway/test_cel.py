"""Expressions answer true, false, or an error that is neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import celpy
import pytest
from celpy.celtypes import CELType
from hypothesis import given
from hypothesis import strategies as st

from gateway.cel import (
    EVERY_HEADER,
    VARIABLES,
    CelError,
    Expression,
    TextExpression,
    ValueExpression,
    bind,
    compile_expression,
    compile_text,
    compile_value,
)
from gateway.cel_secrets import SECRETS

FINANCE = (
    '"finance-cleared" in principal.groups && resource.namespace == "finance"'
    " && context.request_time.getHours() >= 9"
)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CLEARED = {
    "principal.groups": ["finance-cleared"],
    "resource.namespace": "finance",
    "context.request_time": NOON,
}


def expression(text: str) -> Expression:
    compiled = compile_expression(text)
    assert isinstance(compiled, Expression), compiled
    return compiled


def test_the_finance_rule_of_the_design_loads_as_it_stands() -> None:
    finance = expression(FINANCE)
    assert finance.names == set(CLEARED)
    assert finance.evaluate(CLEARED) is True
    assert finance.evaluate({**CLEARED, "principal.groups": ["sales"]}) is False
    assert finance.evaluate({**CLEARED, "resource.namespace": "hr"}) is False
    early = {**CLEARED, "context.request_time": NOON - timedelta(hours=4)}
    assert finance.evaluate(early) is False


@pytest.mark.parametrize("absent", sorted(CLEARED))
def test_an_absent_variable_is_an_error_not_false(absent: str) -> None:
    given = {name: value for name, value in CLEARED.items() if name != absent}
    assert expression(FINANCE).evaluate(given) == CelError(f"no usable value for {absent}")


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_every_declared_variable_can_be_named(variable: Any) -> None:
    named = f"{variable.name}.unredacted()" if variable.name in SECRETS else variable.name
    compiled = expression(f"dyn({named}) == null || true")
    assert compiled.names == {variable.name}
    assert compiled.needs_body is variable.needs_body
    everything = {EVERY_HEADER} if variable.name == "request.headers" else set()
    assert compiled.headers == everything | ({variable.header} if variable.header else set())


def test_an_expression_says_which_headers_it_reads() -> None:
    compiled = expression(
        'request.headers["x-team"] == "a" && "x-b" in request.headers && request.host == "h"'
    )
    assert compiled.headers == {"x-team", "x-b", ":authority"}
    assert not compiled.needs_body


@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        ('request.headers["x"] == "1"', {"request.headers": {}}, "key not found in map"),
        ("jwt.n == 1", {"jwt": {}}, "key not found in map"),
        ("jwt.n / 0 == 1", {"jwt": {"n": 1}}, "divide by zero"),
        ("jwt.n < 'x'", {"jwt": {"n": 1}}, "no matching overload"),
        ("llm.model == ''", {"llm.model": 3}, "unexpected value type for 'llm.model': int"),
        ("llm.model == ''", {"llm.model": None}, "unexpected value type for 'llm.model'"),
        ("principal.groups == []", {"principal.groups": ()}, "non-CEL value type"),
        ("llm.max_output_tokens > 1", {"llm.max_output_tokens": 2**63}, "int too big"),
        ("'a'.matches(llm.model)", {"llm.model": "("}, "invalid regular expression"),
        ("timestamp(llm.model) < timestamp(llm.model)", {"llm.model": "x"}, "string to Timestamp"),
        ("llm.model == ''", {"llm.model": "\ud800"}, "basic_string"),
    ],
)
def test_an_evaluation_error_is_a_value(text: str, values: dict[str, object], reason: str) -> None:
    outcome = expression(text).evaluate(values)
    assert isinstance(outcome, CelError)
    assert outcome.reason.startswith(reason)
    assert "\n" not in outcome.reason


def test_an_error_counts_for_nothing_where_the_answer_is_known_without_it() -> None:
    guarded = expression('resource.kind == "mcp" && mcp.tool == "x"')
    assert guarded.evaluate({"resource.kind": "llm"}) is False
    assert isinstance(guarded.evaluate({"resource.kind": "mcp"}), CelError)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('llm.model == "fast"', {"llm.model": "fast\0x"}),
        ('llm.model != "fast"', {"llm.model": "fast\0x"}),
        ('!llm.prompt.contains("secret")', {"llm.prompt": "hello\0secret"}),
        ('"admin" in principal.groups', {"principal.groups": ["admin\0no"]}),
        ('request.headers["x"] == "1"', {"request.headers": {"x": "1\0"}}),
        ('mcp.arguments.a[0].b == "c"', {"mcp.arguments": {"a": [{"b": "c\0"}]}}),
        ("has(mcp.arguments.a)", {"mcp.arguments": {"a\0b": 1}}),
    ],
)
def test_a_text_with_a_nul_is_no_usable_value(text: str, values: dict[str, object]) -> None:
    """The library would end it there, and so let "fast\\0x" pass for "fast"."""
    (name,) = values
    assert expression(text).evaluate(values) == CelError(f"no usable value for {name}")


@pytest.mark.parametrize("depth", [65, 100_000])
def test_a_deep_value_is_no_usable_value(depth: int) -> None:
    value: object = 1
    for _ in range(depth):
        value = [value]
    outcome = expression("mcp.arguments.x == [1]").evaluate({"mcp.arguments": {"x": value}})
    assert outcome == CelError("no usable value for mcp.arguments")


def test_a_runaway_loop_is_stopped() -> None:
    cubic = "jwt.l.all(a, jwt.l.all(b, jwt.l.all(c, a <= 1000 && b + 1 > 0 && c >= 0)))"
    outcome = expression(cubic).evaluate({"jwt": {"l": list(range(1000))}})
    assert outcome == CelError("iteration budget exceeded")


def test_values_are_bound_once_for_many_expressions() -> None:
    bindings = bind({"llm.model": "a", "principal.team": "b"})
    assert expression('llm.model == "a"').evaluate_bound(bindings) is True
    assert expression('principal.team == "a"').evaluate_bound(bindings) is False
    assert isinstance(expression('mcp.tool == "a"').evaluate_bound(bindings), CelError)


@pytest.mark.parametrize(
    "text",
    [
        'llm.model.lowerAscii() == "gpt"',
        'principal.groups.join(",") == "a,b"',
        'llm.model.split("P")[0] == "G"',
        "math.greatest(1, 3, 2) == 3",
        'request.headers[?"x-none"].orValue("none") == "none"',
        'cel.bind(g, principal.groups, g.size() == 2 && "b" in g)',
        'principal.groups.map(g, g + "!") == ["a!", "b!"]',
        '"😀".size() == 1',
    ],
)
def test_the_extensions_are_there(text: str) -> None:
    values = {"llm.model": "GPT", "principal.groups": ["a", "b"], "request.headers": {}}
    assert expression(text).evaluate(values) is True


ORACLE_VALUES: dict[str, object] = {
    "principal.groups": ["a", "b"],
    "principal.team": "red",
    "llm.model": "gpt-5-mini",
    "llm.max_output_tokens": 100,
    "llm.is_stream": True,
    "request.headers": {"x-team": "red", "x-n": "7"},
    "context.request_time": NOON,
}


@pytest.mark.parametrize(
    "text",
    [
        '"a" in principal.groups',
        '"c" in principal.groups',
        '!("c" in principal.groups) && llm.is_stream',
        'principal.groups.exists(g, g.startsWith("b"))',
        'principal.groups.all(g, g < "b")',
        'principal.groups.exists_one(g, g == "a")',
        "size(principal.groups) == 2 && principal.groups[1] == 'b'",
        'principal.groups.filter(g, g != "a") == ["b"]',
        'llm.model.startsWith("gpt-") && llm.model.endsWith("mini")',
        'llm.model.contains("5-m") ? llm.max_output_tokens <= 100 : false',
        'llm.model.matches("^gpt-[0-9]+")',
        "llm.max_output_tokens * 2 - 1 == 199 && llm.max_output_tokens % 7 == 2",
        'request.headers["x-team"] == principal.team',
        'int(request.headers["x-n"]) > 6',
        '"x-team" in request.headers && !("x-none" in request.headers)',
        "context.request_time.getHours() >= 9 && context.request_time.getDayOfWeek() == 3",
        'context.request_time > timestamp("2026-01-01T00:00:00Z")',
        'context.request_time - duration("24h") < timestamp("2026-03-04T00:00:00Z")',
        'llm.model == "x" || principal.team in ["red", "blue"]',
        '{"red": 1, "blue": 2}[principal.team] == 1',
        "'a' + 'b' == \"ab\" && [1] + [2] == [1, 2]",
        "1.5 < 2.0 && 7 / 2 == 3 && -7 / 2 == -3",
    ],
)
def test_an_independent_engine_agrees(text: str) -> None:
    assert expression(text).evaluate(ORACLE_VALUES) is oracle(text)


def oracle(text: str) -> bool:
    """The answer of celpy, which knows nested variables only."""
    nested: dict[str, dict[str, object]] = {}
    for name, value in ORACLE_VALUES.items():
        family, member = name.split(".")
        nested.setdefault(family, {})[member] = value
    context: dict[str, CELType] = {
        family: celpy.json_to_cel(members) if family != "context" else _timestamps(members)
        for family, members in nested.items()
    }
    environment = celpy.Environment()
    return bool(environment.program(environment.compile(text)).evaluate(context))


def _timestamps(members: dict[str, object]) -> CELType:
    return celpy.celtypes.MapType(
        {
            celpy.celtypes.StringType(name): celpy.celtypes.TimestampType(value)
            for name, value in members.items()
        }
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "values", "outcome"),
    [
        ("principal.user", {"principal.user": "ann"}, "ann"),
        ('principal.user + "/" + llm.model', {"principal.user": "a", "llm.model": "m"}, "a/m"),
        ("jwt.sub", {"jwt": {"sub": "s"}}, "s"),
        ("jwt.sub", {"jwt": {"sub": 3}}, CelError("not a string: int")),
        ("jwt.sub", {"jwt": {}}, CelError('key not found in map : "sub"')),
        ("principal.user", {}, CelError("no usable value for principal.user")),
    ],
)
def test_a_text_is_made_of_what_is_known(
    text: str, values: dict[str, object], outcome: str | CelError
) -> None:
    compiled = compile_text(text)
    assert isinstance(compiled, TextExpression)
    assert compiled.evaluate(values) == outcome


def test_what_makes_no_text_is_refused() -> None:
    assert compile_text("1") == "1:1: the expression must be a string, and is: int"
    assert isinstance(compile_text("nope"), str)
    read = compile_text('request.headers["x-a"] + llm.model')
    assert isinstance(read, TextExpression)
    assert (read.headers, read.needs_body) == ({"x-a"}, True)


@given(arguments=st.dictionaries(st.text(), JSON), prompt=st.text(st.characters()))
def test_no_value_of_a_request_raises(arguments: dict[str, object], prompt: str) -> None:
    compiled = expression('mcp.arguments == {"a": [1]} || llm.prompt.contains("x")')
    outcome = compiled.evaluate({"mcp.arguments": arguments, "llm.prompt": prompt})
    assert outcome is True or outcome is False or isinstance(outcome, CelError)


@given(text=st.text(st.characters(), max_size=80))
def test_no_text_of_an_operator_raises(text: str) -> None:
    assert isinstance(compile_expression(text), str | Expression)


@given(text=st.lists(st.sampled_from([*(v.name for v in VARIABLES), *"()[]{}.,?:!&|=<>+-*/%'\" "])))
def test_no_jumble_of_tokens_raises(text: list[str]) -> None:
    assert isinstance(compile_expression("".join(text)), str | Expression)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"ann"', "ann"),
        ("null", None),
        ("1u + 2u", 3),
        ("[1, 2.5, true]", [1, 2.5, True]),
        ('{"b": principal.groups, "a": {"c": null}}', {"a": {"c": None}, "b": ["finance-cleared"]}),
        ('principal.groups.map(x, {"name": x})', [{"name": "finance-cleared"}]),
    ],
)
def test_a_value_may_be_any_that_json_has(text: str, value: object) -> None:
    compiled = compile_value(text)
    assert isinstance(compiled, ValueExpression), compiled
    assert compiled.evaluate_bound(bind(CLEARED)) == value


@pytest.mark.parametrize(
    "text",
    [
        "principal.team",
        "[principal.team]",
        "context.request_time",
        "[context.request_time]",
        'b"x"',
        "{1: 2}",
        "1.0 / 0.0",
        "1 / 0",
        'duration("1s")',
        "optional.of(1)",
        "type(1)",
    ],
)
def test_what_json_does_not_have_is_an_error(text: str) -> None:
    compiled = compile_value(text)
    assert isinstance(compiled, ValueExpression), compiled
    assert isinstance(compiled.evaluate_bound(bind(CLEARED)), CelError)


def test_a_value_says_what_it_reads() -> None:
    compiled = compile_value('{"a": request.headers["x-team"], "b": llm.model}')
    assert isinstance(compiled, ValueExpression), compiled
    assert compiled.headers == {"x-team"}
    assert compiled.names == {"request.headers", "llm.model"}
    assert compiled.needs_body
    assert "princpal" in str(compile_value("princpal.name"))
