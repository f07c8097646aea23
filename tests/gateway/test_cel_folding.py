"""What is always so, or never, is found; and nothing is found that is not so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cel import Expression, bind, compile_expression


def always(text: str) -> bool | None:
    compiled = compile_expression(text)
    assert isinstance(compiled, Expression), compiled
    return compiled.always


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("!true", False),
        ('request.method != "GET" || request.method != "POST"', True),
        ('request.method == "GET" && request.method == "POST"', False),
        ('request.method == "get"', False),
        ('request.method in ["get", "post"]', False),
        ('request.path == "v1/models"', False),
        ('request.path == "/v1/models?limit=3"', False),
        ('resource.kind == "llms"', False),
        ('resource.kind in ["llm", "mcp", "a2a", "http"]', True),
        ("llm.max_output_tokens > 10 && llm.max_output_tokens < 10", False),
        ("llm.max_output_tokens >= 10 || llm.max_output_tokens <= 10", True),
        ("5 > llm.max_output_tokens && 7 < llm.max_output_tokens", False),
        ("llm.estimated_input_tokens < 0", False),
        ("llm.estimated_input_tokens != -1", True),
        ("context.request_time.getHours() >= 24", False),
        ("context.request_time.getHours() > 8 && context.request_time.getHours() < 8", False),
        ("context.request_time.getDayOfWeek('Europe/Berlin') <= 6", True),
        ("size(principal.groups) >= 0", True),
        ("principal.is_anonymous && !principal.is_anonymous", False),
        ('"a" in principal.groups || !("a" in principal.groups)', True),
        ('llm.is_stream ? principal.team == "a" && principal.team == "b" : false', False),
        ('request.headers["x"] == "a" && request.headers["x"] == "b"', False),
        ('principal.team == "a" && principal.team in ["b", "c"]', False),
        ("response.status >= 600", False),
        ("response.status > 99", True),
    ],
)
def test_what_does_not_depend_on_the_request_is_found(text: str, expected: bool) -> None:
    assert always(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        'request.method == "GET"',
        'request.method == "GET" || request.method == "POST"',
        'request.headers["x"] == "a" && request.headers["y"] == "b"',
        "llm.max_output_tokens > 10 && llm.max_output_tokens < 12",
        "context.request_time.getHours() >= 23",
        "response.status >= 599",
        'context.request_time.getHours("Asia/Tokyo") > 8 && context.request_time.getHours() < 8',
        "(context.request_time - timestamp(0)).getHours() > 23",
        'principal.team != "a" || principal.user != "a"',
        "llm.is_stream",
        'jwt.x == "a" || jwt.x == 3',
        "jwt.x == 3 && jwt.x == 4 || jwt.x == true",
        "principal.groups.exists(g, g == 'a')",
        "llm.max_output_tokens == 5",
        "jwt.x > 3.5 && jwt.x < 3.7",
        "jwt.x > 3 && jwt.x < 4",
        'request.path == ""',
    ],
)
def test_what_depends_on_it_is_left_alone(text: str) -> None:
    assert always(text) is None


def test_too_many_cases_are_not_tried() -> None:
    text = " && ".join(f'"{number}" in principal.groups' for number in range(20))
    assert always(text) is None
    assert always(f"({text}) && false") is None


ATOMS = st.one_of(
    st.tuples(st.sampled_from(["principal.team", "request.method"]), st.sampled_from("=!"),
              st.sampled_from(["A", "B", "c"])).map(lambda a: f'{a[0]} {a[1]}= "{a[2]}"'),
    st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers(-1, 3)).map(
        lambda a: f"llm.max_output_tokens {a[0]} {a[1]}"),
    st.sampled_from(["llm.is_stream", "true", "false", 'principal.team in ["A", "c"]']),
)  # fmt: skip
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]} && {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} || {two[1]})"),
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner, inner).map(lambda all_: "({} ? {} : {})".format(*all_)),
    ),
    max_leaves=6,
)


@given(
    TREES,
    st.sampled_from(["A", "B", "c", "d"]),
    st.sampled_from(["A", "B", "GET"]),
    st.integers(0, 5),
    st.booleans(),
)
def test_no_request_says_otherwise(
    text: str, team: str, method: str, limit: int, is_stream: bool
) -> None:
    compiled = compile_expression(text)
    assert isinstance(compiled, Expression), compiled
    if compiled.always is not None:
        values = {
            "principal.team": team,
            "request.method": method,
            "llm.max_output_tokens": limit,
            "llm.is_stream": is_stream,
        }
        assert compiled.evaluate_bound(bind(values)) is compiled.always
