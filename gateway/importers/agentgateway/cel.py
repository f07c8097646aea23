"""AgentGateway's CEL → ours, where the meaning is equal.

Names differ, and what is not known to both is refused: our compiler has the last word. A missing
value is an error in both, and an error never allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.cel import compile_expression, compile_value
from gateway.cel_secrets import SECRET_HEADERS, UNREDACTED
from gateway.importers.walk import has_variable

_TOKEN = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:\"\"\"(?s:.*?)\"\"\"|'''(?s:.*?)'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<comment>//[^\n]*)|(?P<name>[A-Za-z_]\w*)|(?P<space>\s+)
    |(?P<other>[0-9][\w.]*|.)""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_TEXT = re.compile(r"""(["'])([^"'\\\n]*)\1""")

_SAME: Mapping[tuple[str, str], str] = {
    ("request", "method"): "request.method",
    ("request", "path"): "request.path",
    ("source", "address"): "source.address",
}
_OF_MODELS: Mapping[tuple[str, str], str] = {
    ("llm", "requestModel"): "llm.model",
    ("llm", "streaming"): "llm.is_stream",
    ("llmRequest", "model"): "llm.model",
}
_THEIRS = frozenset(
    {"request", "response", "proxy", "env", "jwt", "apiKey", "basicAuth", "llm", "llmRequest"}
    | {"source", "destination", "mcp", "backend", "extauthz", "extproc", "mcpGuardrails"}
    | {"metadata"}
)
_SECRETS = frozenset(
    f"request.headers{written}"
    for name in SECRET_HEADERS
    for written in (f".{name}", f'["{name}"]')
)
_OURS = frozenset({"principal", "resource", "context", "a2a"})
"""Names that their expressions cannot mean."""


@dataclass(frozen=True, slots=True)
class Untranslated:
    """Why an expression cannot be taken over."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def translate(expression: str, *, is_llm: bool, unusable: frozenset[str]) -> str | Untranslated:
    """The expression with our names.

    `is_llm`: it is asked about calls of models alone. `unusable`: what ours would say otherwise,
    `source.address` or `apiKey.NAME`.
    """
    result = _with_our_names(expression, is_llm=is_llm, unusable=unusable)
    return result if isinstance(result, Untranslated) else _compiled(result, compile_expression)


def translate_value(expression: str, *, unusable: frozenset[str]) -> str | Untranslated:
    """The same of an expression that yields a value of a body."""
    result = _with_our_names(expression, is_llm=True, unusable=unusable)
    return result if isinstance(result, Untranslated) else _compiled(result, compile_value)


def _compiled(result: str, compile_it: Callable[[str], object]) -> str | Untranslated:
    compiled = compile_it(result)
    if isinstance(compiled, str):
        return Untranslated(f"our rules cannot say it: {compiled}")
    return result


def _with_our_names(
    expression: str, *, is_llm: bool, unusable: frozenset[str]
) -> str | Untranslated:
    if has_variable(expression):
        return Untranslated("it has a variable of the environment in it")
    tokens = _tokens(expression)
    written: list[str] = []
    position = done = 0
    while position < len(tokens):
        token = tokens[position]
        if token.kind == "comment":
            written.append(expression[done : token.start])
            done = token.end
        elif _is_root(tokens, position):
            chain, end = _chain(tokens, position)
            renamed = _renamed(chain, is_llm, unusable)
            if isinstance(renamed, str) and _is_open_secret(renamed, tokens, position, end):
                renamed = f"{renamed}.{UNREDACTED}()"  # theirs shows headers as they are
            if isinstance(renamed, Untranslated):
                return renamed
            written += [expression[done : token.start], renamed]
            position, done = end - 1, tokens[end - 1].end
        position += 1
    return "".join([*written, expression[done:]]).strip()


def without_prefix(expression: str, prefix: str) -> str | Untranslated:
    """An expression of ours for models that are called `PREFIX...`, which theirs calls `...`."""
    tokens = _tokens(expression)
    written: list[str] = []
    done = 0
    for position, token in enumerate(tokens):
        if not _is_root(tokens, position):
            continue
        chain, end = _chain(tokens, position)
        if _written(chain) == "llm.model":
            bare = f"llm.model.substring({len(prefix)})"
            written += [expression[done : token.start], bare]
            done = tokens[end - 1].end
    result = "".join([*written, expression[done:]])
    compiled = compile_expression(result)
    if isinstance(compiled, str):
        return Untranslated(f"our rules cannot say it of the names that models have: {compiled}")
    return result


def names_of(expression: str) -> frozenset[str]:
    """The variables of an expression of ours."""
    compiled = compile_expression(expression)
    return frozenset() if isinstance(compiled, str) else compiled.names


def _tokens(expression: str) -> list[_Token]:
    found = (
        _Token(match.lastgroup or "", match[0], match.start(), match.end())
        for match in _TOKEN.finditer(expression)
    )
    return [token for token in found if token.kind != "space"]


def _is_root(tokens: list[_Token], position: int) -> bool:
    """Whether a name begins something, and is no function."""
    if tokens[position].kind != "name" or tokens[position].text in ("true", "false", "null", "in"):
        return False
    before = tokens[position - 1].text if position else ""
    after = tokens[position + 1].text if position + 1 < len(tokens) else ""
    return before != "." and after != "("


def _chain(tokens: list[_Token], position: int) -> tuple[list[_Token], int]:
    """`a.b["c"]`: a name and the fields that follow it, as far as they are written out."""
    chain = [tokens[position]]
    position += 1
    while position + 1 < len(tokens):
        mark, field = tokens[position], tokens[position + 1]
        after = tokens[position + 2].text if position + 2 < len(tokens) else ""
        if mark.text == "." and field.kind == "name" and after != "(":
            chain.append(field)
            position += 2
        elif mark.text == "[" and field.kind == "text" and after == "]":
            chain.append(field)
            position += 3
        else:
            break
    return chain, position


def _renamed(chain: list[_Token], is_llm: bool, unusable: frozenset[str]) -> str | Untranslated:
    root = chain[0].text
    if root in _OURS:
        return Untranslated(f"'{root}' is no name of theirs")
    if root not in _THEIRS:
        return _written(chain)  # what a macro binds; if not, the compiler refuses it
    field = _key(chain[1]) if len(chain) > 1 else None
    if field is None:
        return Untranslated(f"'{root}' as a whole is not known to our rules")
    if (root, field) == ("request", "headers") and len(chain) > 2:
        header = _key(chain[2])
        if header is None:
            return Untranslated("the name of a header cannot be read")
        lower = replace(chain[2], text=chain[2].text.lower())
        return "request.headers" + _written([lower, *chain[3:]], is_first_field=True)
    if root == "apiKey" and len(chain) == 2:
        if field == "key":
            return "apiKey.key"
        if f"apiKey.{field}" in unusable:
            return Untranslated(f"'apiKey.{field}' cannot be one of our tags, which are text")
        return "principal.tags" + _written([chain[1]], is_first_field=True)
    known = {**_SAME, **(_OF_MODELS if is_llm else {})}.get((root, field))
    if known is None or len(chain) > 2 or known in unusable:
        return Untranslated(f"'{root}.{field}' is not known to our rules")
    return known


def _is_open_secret(renamed: str, tokens: list[_Token], start: int, end: int) -> bool:
    """Whether it is a header that ours shows to who says so alone, and is read here."""
    if renamed not in _SECRETS:
        return False
    before = [token.text for token in tokens[max(start - 2, 0) : start]]
    after = [token.text for token in tokens[end : end + 2]]
    return before != ["has", "("] and after != [".", UNREDACTED]


def _key(token: _Token) -> str | None:
    if token.kind == "name":
        return token.text
    plain = _PLAIN_TEXT.fullmatch(token.text)
    return plain[2] if plain else None


def _written(chain: list[_Token], *, is_first_field: bool = False) -> str:
    parts = [
        f".{token.text}" if token.kind == "name" else f"[{_quoted(token.text)}]" for token in chain
    ]
    whole = "".join(parts)
    return whole if is_first_field else whole.removeprefix(".")


def _quoted(text: str) -> str:
    plain = _PLAIN_TEXT.fullmatch(text)
    return json.dumps(plain[2]) if plain else text
