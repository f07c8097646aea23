"""What is wrong with an expression is said in one line, with its place."""

from __future__ import annotations

import pytest

from gateway.cel import Expression, compile_expression


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('llm.modle == "x"', "1:4: unknown variable 'llm.modle' (did you mean 'llm.model'?)"),
        ('true &&\n  llm.modle == ""', "2:6: unknown variable 'llm.modle' (did you mean"),
        ("context == 1", "1:1: unknown variable 'context' (known: context.request_time)"),
        ("mcp.zzzzzzzz == 1", "1:4: unknown variable 'mcp.zzzzzzzz' (known: mcp.arguments, mcp.m"),
        ("x == 1", "1:1: unknown variable 'x'"),
        ("frob(1)", "1:5: unknown function 'frob'"),
        ("[3].shuffle() == [3]", "1:12: unknown function 'shuffle'"),
        ("mcp.tool == 3", "1:10: found no matching overload for '_==_' applied to '(string, int)'"),
        ('"a" ==', "1:7: syntax error: mismatched input '<EOF>'"),
        ("llm.model", "1:1: the expression must be a bool, and is: string"),
        ("jwt.admin", "1:1: the expression must be a bool, and is: dyn (compare it: … == true)"),
        ("", "1:1: the expression is empty"),
        (" \n ", "1:1: the expression is empty"),
        ("true\0 && false", "1:5: not a character of any text: '\\x00'"),
        ("'\ud800' == ''", "1:2: not a character of any text: '\\ud800'"),
        ("(" * 40 + "true" + ")" * 40, "1:1: expression recursion limit exceeded. limit: 32"),
        ("1" + " + 1" * 60 + " == 1", "1:1: exceeded max recursion depth of 32 when parsing"),
        ("true || " * 2000 + "true", "1:1: the expression has 16004 characters, more than 10000"),
        ('request.headers["X-Team"] == ""', "1:16: header names are lower case: 'x-team', not"),
        ('"Server" in response.headers', "1:10: header names are lower case: 'server', not"),
        ("response == 1", "1:1: unknown variable 'response' (known: response.status, response.he"),
        ("has(request.headers.Team)", "1:4: header names are lower case: 'team', not 'Team'"),
        (
            'request.headers["cookie"] == "a"',
            '1:16: request.headers["cookie"] is a secret: write request.headers["cookie"].unredact',
        ),
        ('request.headers[?"api-key"].orValue("") == "a"', '1:16: request.headers["api-key"] is a'),
        ('response.headers["set-cookie"] == ""', '1:17: response.headers["set-cookie"] is a secr'),
        ('apiKey.key == "k"', "1:7: apiKey.key is a secret: write apiKey.key.unredacted()"),
        ('apiKey.name.unredacted() == "k"', "1:7: nothing here is a secret: unredacted() is for"),
        ('unredacted(apiKey.key) == "k"', "1:11: unknown function 'unredacted'"),
        ('request.secrets["cookie"] == "a"', "1:8: unknown variable 'request.secrets'"),
        ("has(request.secrets.cookie)", "1:12: unknown variable 'request.secrets'"),
        (
            'request//\n.headers["cookie"].unredacted() == "a"',
            "1:1: write request.headers with nothing in between",
        ),
        ("has(llm.is_stream)", "1:4: has() cannot ask for the variable 'llm.is_stream'"),
        ("has(llm.model) && true", "1:4: has() cannot ask for the variable 'llm.model'"),
        ('llm.prompt.matches("(")', "1:20: invalid regular expression: missing ): ("),
        ('regex.extract(llm.prompt, "(") == ""', "1:27: invalid regular expression: ("),
        ('regex.replace(llm.prompt, "(", "") == ""', "1:27: invalid regular expression: ("),
        ('cidr("10.0.0.0/33") == ""', "1:6: not a CIDR block, as 10.0.0.0/8 is: 10.0.0.0/33"),
        ('"10.0.0.1/8".containsIP(source.address)', "1:1: not a CIDR block, as 10.0.0.0/8 is: "),
        ('cidr(source.address).containsIP("x")', "1:33: not an IP address: x"),
        (
            'context.request_time.getHours("Europe/Brlin") < 3',
            "1:31: unknown time zone 'Europe/Brl",
        ),
        ("llm.prompt.replace('a', llm.model) == ''", "1:1: it could make a value of more than 100"),
    ],
)
def test_a_mistake_is_named(text: str, problem: str) -> None:
    said = compile_expression(text)
    assert isinstance(said, str)
    assert said.startswith(problem)
    assert "\n" not in said


@pytest.mark.parametrize(
    "text",
    [
        "has(jwt.sub)",
        "has(request.headers.team)",
        "[jwt].exists(llm, has(llm.model))",
        'llm.prompt.matches("(?i)secret")',
        'llm.prompt.matches(llm.model + "(")',
        'context.request_time.getHours("Europe/Berlin") < 3',
        'context.request_time.getDayOfWeek("-03:30") < 3',
    ],
)
def test_what_only_looks_like_a_mistake_is_none(text: str) -> None:
    assert isinstance(compile_expression(text), Expression)
