"""What an expression can make of what it reads is bounded before it is asked."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cel import CelError, ValueExpression, bind, compile_value
from gateway.cel_growth import MOST_CHARACTERS, MOST_TIMES


def doubled(times: int) -> str:
    """`cel.bind(a1, a0 + a0, cel.bind(a2, a1 + a1, … size(a…)))`."""
    text = f"size(a{times})"
    for number in range(times, 0, -1):
        text = f"cel.bind(a{number}, a{number - 1} + a{number - 1}, {text})"
    return f"cel.bind(a0, llm.prompt, {text})"


@pytest.mark.parametrize(
    "text",
    [
        doubled(7),
        "llm.prompt" + ".replace('a', 'aaaaaaaaaa')" * 2,
        "llm.prompt.replace('a', principal.name)",
        "regex.replace(llm.prompt, '(.*)', principal.name)",
        "principal.groups.map(g, llm.prompt + g)",
        "principal.groups.map(g, llm.prompt).join('')",
        "[1, 2].map(x, llm.prompt).join('')",
        "[1, 2].map(x, ['" + "a" * 200 + "']).flatten()",
        "llm.prompt.format([1])",
    ],
)
def test_what_could_grow_beyond_all_bounds_is_refused(text: str) -> None:
    said = compile_value(text)
    assert isinstance(said, str)
    assert "more than 100 times what" in said or "more than 1000000 characters" in said


@pytest.mark.parametrize(
    "text",
    [
        doubled(6),
        "llm.prompt.replace('a', 'aaaaaaaaaa')",
        "principal.groups.map(g, '/teams/' + g + '/').join(', ')",
        "principal.groups.exists(g, request.path.startsWith('/' + g))",
        "principal.groups.exists(g, request.path == '/' + principal.name + '/' + g)",
        "principal.groups.exists(g, llm.prompt.matches(g) || size(llm.prompt) > 9)",
        "jwt.limits.all(l, l + llm.max_output_tokens < 9000)",
        "principal.groups.filter(g, llm.prompt.contains(g)).size() > 1",
        "jwt.a.map(x, x.map(y, y + y))",
        "request.headers[?'x-a'].optMap(v, v + v).orValue('')",
        "'%s: %d'.format([llm.prompt, 3])",
        "json.encode({'a': llm.prompt})",
        "llm.is_stream ? llm.prompt + llm.prompt : principal.name",
    ],
)
def test_what_operators_write_is_not(text: str) -> None:
    assert isinstance(compile_value(text), ValueExpression)


@pytest.mark.parametrize(
    "text",
    [
        "principal.groups.exists(g, llm.prompt.lowerAscii().contains(g))",
        "llm.prompt.split(' ').exists(w, (llm.prompt + w) == 'x')",
        "jwt.a.map(x, jwt.b.map(y, x + y))",
        "jwt.a.exists(x, jwt.b.exists(y, x + y == 'ab'))",
        "principal.groups.exists(g, regex.replace(llm.prompt, g, '') == '')",
    ],
)
def test_what_is_made_again_and_again_is_refused(text: str) -> None:
    said = compile_value(text)
    assert isinstance(said, str)
    assert said.startswith("1:1: what is made in a loop could be more than 100 times what is read")
    assert said.endswith("(make it before the loop: cel.bind(name, value, expression))")


def test_what_is_made_before_the_loop_is_not() -> None:
    text = "cel.bind(p, llm.prompt.lowerAscii(), principal.groups.exists(g, p.contains(g)))"
    assert isinstance(compile_value(text), ValueExpression)


def test_loops_stand_in_loops_three_deep() -> None:
    text = "true"
    for name in "abc":
        text = f"principal.groups.all({name}, {text})"
    assert isinstance(compile_value(text), ValueExpression)
    assert compile_value(f"principal.groups.all(d, {text})") == (
        "1:1: 4 loops stand one within another, more than 3"
    )


PIECES = st.recursive(
    st.sampled_from(["jwt.text", "jwt.items.join(',')", "'abc'"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]} + {two[1]})"),
        inner.map(lambda one: f"{one}.replace('a', 'bbb')"),
        inner.map(lambda one: f"cel.bind(x, {one}, x + x)"),
        inner.map(lambda one: f"jwt.items.map(i, i + {one}).join('-')"),
        inner.map(lambda one: f"jwt.items.map(i, i.replace('', '{'c' * 9}')).join({one})"),
        inner.map(lambda one: f"json.encode([{one}])"),
        inner.map(lambda one: f"regex.replace({one}, '', '\\\\0ab')"),
        st.tuples(inner, inner).map(lambda two: f"(jwt.yes ? {two[0]} : {two[1]})"),
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(PIECES)
def test_what_is_let_through_stays_within_the_bound(text: str) -> None:
    compiled = compile_value(text)
    if isinstance(compiled, str):
        return
    given_ = {"text": "a" * 500, "items": ["a" * 5] * 100, "yes": True}
    begun = time.monotonic()
    found = compiled.evaluate_bound(bind({"jwt": given_}))
    assert time.monotonic() - begun < 5
    assert isinstance(found, str | CelError)
    size = 1200  # of what is read
    assert len(str(found)) <= MOST_TIMES * size + MOST_CHARACTERS


def test_what_was_made_before_a_loop_is_whole_in_each_of_its_steps() -> None:
    text = "cel.bind(l, jwt.a.map(x, 'abc'), jwt.b.map(y, l.join('')).join(''))"
    assert "more than 1000000 characters" in str(compile_value(text))
