"""The reference page of CEL variables, made from their table."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.cel_variables import Variable

_HEAD = """\
# CEL in rules

<!-- Generated from the table of variables; REWRITE=1 make test writes it anew. -->

A rule's expression is written in [CEL](https://cel.dev) and answers true or false. Beside the
language's own functions and macros there are the extensions for strings (`lowerAscii`, `split`,
`replace`, …), `math`, optional values (`request.headers[?"x-team"].orValue("")`) and `cel.bind`.

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
* Patterns of `matches` are RE2, and are checked when the file is loaded.
* An expression has at most 10,000 characters and 32 levels of nesting.

"""


def reference_page(variables: Sequence[Variable]) -> str:
    """The whole page, in Markdown."""
    rows = "".join(
        f"| `{variable.name}` | `{variable.type}` | {'body' if variable.needs_body else 'headers'}"
        f" | {variable.doc} |\n"
        for variable in variables
    )
    return f"{_HEAD}| Variable | Type | Known with the | |\n|---|---|---|---|\n{rows}"
