"""The reference page of CEL in rules, made from the tables of variables and functions."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.cel_functions import Function
from gateway.cel_secrets import SECRET_HEADERS
from gateway.cel_variables import Variable

_HEAD = """\
# CEL in rules

<!-- Generated from the tables of variables and functions; REWRITE=1 make test writes it anew. -->

A rule's expression is written in [CEL](https://cel.dev) and answers true or false. Beside the
language's own operators, functions and macros (`has`, `all`, `exists`, `exists_one`, `map`,
`filter`) there are `cel.bind(name, value, expression)`, optional values
(`request.headers[?"x-team"].orValue("")`), and the [functions](#functions) below.

* Variables are flat: `principal.groups` is one name, and `principal` alone is none. A name that is
  not in the table below is an error when the file is loaded.
* A variable may be absent, as `mcp.tool` is outside of MCP. Asking for an absent one, for a missing
  key or header, or dividing by zero is an error, unless `&&`, `||` or `?:` decides without it. **An
  error never lets a request through**: a `deny` that errs denies; a `require` or `allow` that errs
  is not true.
* The condition of a branch of a model (`when`) is such an expression too; one that errs does not
  hold. `sticky` may be one that yields a text; one that errs sticks to nothing. Both are asked
  before there is a provider: they cannot read `llm.provider` and `resource.namespace`.
* A text with a NUL character, or a value nested more than 64 deep, counts as absent.
* Header names are lower case. `has(request.headers.foo)` and `"x-foo" in request.headers` ask
  whether there is one; `has()` cannot ask for a variable itself.
* Patterns are RE2. Patterns, addresses, blocks and time zones that are written out are checked when
  the file is loaded.
* A rule or condition that is always or never true is an error when the file is loaded, unless
  it says `true` or `false`: `request.method != "GET" || request.method != "POST"`,
  `resource.kind == "llms"`, `context.request_time.getHours() > 24`. What cannot be told without
  the request is let pass.
* What is known with the response is there for rules of `phase: response` alone. To read it anywhere
  else is an error when the file is loaded.
* A [secret](#secrets) is read by `.unredacted()` alone.

## What an expression may cost

Checked when the file is loaded: at most 10,000 characters, 32 levels of nesting, 3 loops (macros)
one within another; and no value that it makes may be larger than 100 times what it reads, or have
more than 1,000,000 characters beside that (`replace`, `join`, and `+` in `cel.bind` and in loops
multiply). What is made in a loop counts 10,000 times, so large values are made before it:
`cel.bind(p, llm.prompt.lowerAscii(), principal.groups.exists(g, p.contains(g)))`.

For each request: 10,000 steps of all loops together, values nested 64 deep, and lists and maps of
10,000 items where a function below is given one. What is above that is an error, so it never lets
anybody through. Patterns are linear in the text, whatever they are. Only what an expression names
is read of a request, and requests themselves are bounded (`max_request_bytes`).

## Secrets

`apiKey.key`, and the headers HEADERS hold credentials.
`request.headers["authorization"].unredacted()` reads one; to read it otherwise is an error when the
file is loaded, so nobody shows a secret without meaning to.
`"authorization" in request.headers` and `has(request.headers.cookie)` only ask whether it is there.
What goes through all headers (`request.headers.exists(…)`, a name that is made) finds `[redacted]`,
unless that is unredacted: `request.headers[jwt.header].unredacted()`,
`request.headers[?"cookie"].orValue("").unredacted()`.

Compare secrets with `hash.equal`. Where a budget or a limit counts `by` a secret, it is counted
under its hash. Why an expression errs that reads one is not told. `dragoman cel` shows the result,
and `[redacted]` for what it is made of. Tokens (JWT) and passwords have no variable; as headers
they can be read where Envoy has not taken them away. What an expression writes into a body is
written.

## Variables

"""
_FUNCTIONS = """
## Functions

Each example is true. What is wrong with a value that a function is given (no JSON, no address, no
number) is an error, as above.
"""


def reference_page(
    variables: Sequence[Variable], groups: Sequence[tuple[str, Sequence[Function]]]
) -> str:
    """The whole page, in Markdown."""
    rows = "".join(
        f"| `{variable.name}` | `{variable.type}` | {_known_with(variable)} | {variable.doc} |\n"
        for variable in variables
    )
    table = f"| Variable | Type | Known with the | |\n|---|---|---|---|\n{rows}"
    headers = ", ".join(f"`{name}`" for name in sorted(SECRET_HEADERS))
    head = _HEAD.replace("HEADERS", headers)
    return f"{head}{table}{_FUNCTIONS}{''.join(_group(*group) for group in groups)}"


def _known_with(variable: Variable) -> str:
    if variable.needs_answer:
        return "response"
    return "body" if variable.needs_body else "headers"


def _group(title: str, functions: Sequence[Function]) -> str:
    rows = "".join(
        f"| `{each.signature}` | {each.doc} | {_code(each.example)} |\n" for each in functions
    )
    return f"\n### {title}\n\n| | | Example |\n|---|---|---|\n{rows}"


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"
