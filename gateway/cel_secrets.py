"""Secrets in expressions: which variables and headers hold them, and who says that he wants one.

A secret is read by `.unredacted()` alone: `request.headers["authorization"].unredacted()`. What
reads it so is compiled to read another variable, of which nobody else can: so that of one request,
expressions that go through its headers see no secrets, and others do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.cel_syntax import Kind, Node, Syntax, dotted_name, keys_read
from gateway.names import CREDENTIAL_HEADERS
from gateway.secret_texts import REDACTED

UNREDACTED = "unredacted"
SECRET_HEADERS = frozenset(
    (
        *CREDENTIAL_HEADERS,
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-amz-security-token",
    )
)
"""Of requests and of answers, lower case."""
UNCOVERED: Mapping[str, str] = MappingProxyType(
    {"request.headers": "request.secrets", "response.headers": "response.secrets"}
)
"""What is read in the place of a variable by who says so. Both names are of one length, so that
what is found in an expression is found where its author wrote it."""
SECRETS = frozenset(("apiKey.key", *UNCOVERED.values()))
"""Variables that expressions read no other way."""
_NO_SECRET = (
    f"nothing here is a secret: {UNREDACTED}() is for what reads request.headers, response.headers"
    " or apiKey.key"
)
_WRITTEN = {name: re.compile(r"\.?\s*" + r"\s*\.\s*".join(name.split("."))) for name in UNCOVERED}


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with an expression, and the node where it is."""

    node: Node
    message: str


def covered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as expressions see them that say nothing of secrets."""
    return {name: REDACTED if name in SECRET_HEADERS else value for name, value in headers.items()}


def uncovering(text: str, parsed: Syntax) -> str | Mistake:
    """The expression as it is compiled."""
    for node in parsed.root.walk():
        name = dotted_name(node) if node.kind is Kind.SELECT else None
        if name is not None and name.removeprefix(".") in UNCOVERED.values():
            return Mistake(node, f"unknown variable '{name}'")
    places: dict[Node, str] = {}
    for call in parsed.root.walk():
        if call.kind is Kind.CALL and call.name == UNREDACTED and call.children:
            found = dict(_secrets_below(call.children[0]))
            if not found:
                return Mistake(call.children[0], _NO_SECRET)
            places |= found
    for node, name in places.items():
        if name in UNCOVERED:
            renamed = _renamed(text, parsed.offsets.get(node.id, 0), name)
            if renamed is None:
                return Mistake(node, f"write {name} with nothing in between")
            text = renamed
    return text


def plain_readings(syntax: Syntax) -> Iterator[tuple[Node, str]]:
    """Where a secret is read by who does not say so, and what is wrong with that."""
    yield from _bare(syntax.root, syntax)
    for variable in UNCOVERED:
        for node, key in keys_read(syntax, variable):
            if key in SECRET_HEADERS and not _asks_for_presence(node):
                read = f'{variable}["{key}"]'
                yield node, f"{read} is a secret: write {read}.{UNREDACTED}()"


def _bare(node: Node, syntax: Syntax) -> Iterator[tuple[Node, str]]:
    name = syntax.variables.get(node.id)
    if name in SECRETS and name not in UNCOVERED.values():
        yield node, f"{name} is a secret: write {name}.{UNREDACTED}()"
    elif node.kind is not Kind.CALL or node.name != UNREDACTED:
        for child in node.children:
            yield from _bare(child, syntax)


def _secrets_below(node: Node) -> Iterator[tuple[Node, str]]:
    """The first names of what holds secrets, and which variable it is."""
    for each in node.walk():
        name = (dotted_name(each) or "").removeprefix(".") if each.kind is Kind.SELECT else ""
        if name in UNCOVERED or name in SECRETS:
            yield next(one for one in each.walk() if one.kind is Kind.IDENTIFIER), name


def _renamed(text: str, offset: int, name: str) -> str | None:
    """None: there is a comment in the name."""
    found = _WRITTEN[name].match(text, offset)
    if found is None:
        return None
    field, other = name.partition(".")[2], UNCOVERED[name].partition(".")[2]
    return f"{text[: found.end() - len(field)]}{other}{text[found.end() :]}"


def _asks_for_presence(node: Node) -> bool:
    return node.is_presence_test or (node.kind is Kind.CALL and node.name == "@in")
