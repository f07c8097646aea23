"""Which rules Envoy itself can decide, and how they are said to it.

Envoy has CEL without comprehensions, without what strings can do beyond the specification, and
without functions of ours; it knows the request by other names, and the client's address with its
port. What would not be the same there for every request stays in Python, errors included.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial, reduce

import re2

from gateway import cel_secrets, names
from gateway.cel import syntax_of
from gateway.cel_syntax import Kind, Node, Syntax
from xds_server.resources import expr
from xds_server.resources.client_address import beginning_of, beginnings_with, pattern_of
from xds_server.resources.extension import Json

TOKENS_NAMESPACE = "envoy.filters.http.jwt_authn"
CLAIMS_KEY = "claims"
"""In dynamic metadata of that namespace, where tokens are checked."""

_REMEMBERED = 1000
_LARGEST_PATTERN = 80
"""Instructions. Above 100, Envoy takes no configuration; RE2's versions do not count alike."""
_EXACT = 1 << 53
"""Numbers of claims are doubles in Envoy."""
_REPLACEMENT = "\ufffd"
"""What bytes that are no text are in Python."""
_TEXT = "^[\\x{0}-\\x{d7ff}\\x{e000}-\\x{10ffff}]*$"
"""Every text, and nothing else."""

_HEADERS, _CLAIMS, _ADDRESS = "request.headers", "jwt", "source.address"
_SECRETS = cel_secrets.UNCOVERED[_HEADERS]
"""For Envoy, the same: it shows nobody what it evaluates."""
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "request.method": ("request", "method"),
    "request.path": ("request", "url_path"),
    "request.query": ("request", "query"),
    "request.host": ("request", "host"),
    "request.id": ("request", "id"),
}
"""Texts that both know."""
_OF_CERTIFICATES: Mapping[str, tuple[str, ...]] = {
    "source.identity": ("uri_san_peer_certificate", "dns_san_peer_certificate"),
    "source.subject": ("subject_peer_certificate",),
}
"""Attributes of the connection, of which the first that is there counts."""
_TIME = "context.request_time"
_OF_TIMES = frozenset(
    f"get{part}"
    for part in (
        "FullYear",
        "Month",
        "Date",
        "DayOfMonth",
        "DayOfWeek",
        "DayOfYear",
        "Hours",
        "Minutes",
    )
)
"""In UTC: Envoy may have other rules of time zones, or none."""
_UNLIKE = frozenset({"host"})
"""Headers that Envoy finds under names that Python does not know."""

_LOGIC = frozenset({"_&&_", "_||_", "!_", "_?_:_"})
_ORDER = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
_MEMBERS = frozenset({"startsWith", "endsWith", "contains"})


@dataclass(frozen=True, slots=True)
class InPython:
    """Envoy cannot decide it."""

    reason: str
    """One line, said of the rule: `reads principal.groups`."""


class _Stays(Exception):
    """With the reason."""


@lru_cache(_REMEMBERED)
def said_to_envoy(expression: str, route: str) -> Json | InPython:
    """A rule's expression, which compiles, as Envoy evaluates it on the plain route of this name:
    to the same, and to an error where it errs. Not to be changed."""
    syntax = syntax_of(expression)
    try:
        return _Saying(syntax, route).node(syntax.root)
    except _Stays as why:
        return InPython(str(why))


def claims() -> Json:
    """The claims of the caller's token; an error without one."""
    return expr.select(expr.ident("metadata"), "filter_metadata", TOKENS_NAMESPACE, CLAIMS_KEY)


def has_claims() -> Json:
    """Whether there is a token that Envoy has taken; an error where none was looked for."""
    there = expr.select(expr.ident("metadata"), "filter_metadata", TOKENS_NAMESPACE)
    return expr.has(there, CLAIMS_KEY)


def header(name: str) -> Json:
    """The value of a header; several are one, with commas."""
    return expr.call("_[_]", expr.select(expr.ident("request"), "headers"), expr.const(name))


def has_header(name: str) -> Json:
    return expr.call("@in", expr.const(name), expr.select(expr.ident("request"), "headers"))


class _Saying:
    """One expression."""

    def __init__(self, syntax: Syntax, route: str) -> None:
        self._variables = syntax.variables
        self._constants = {"resource.kind": "http", "resource.name": route}

    def node(self, node: Node) -> Json:
        match node.kind:
            case Kind.CONSTANT:
                return self._constant(node)
            case Kind.IDENTIFIER:
                return self._variable(node)
            case Kind.SELECT:
                return self._select(node)
            case Kind.CALL:
                return self._call(node)
            case Kind.COMPREHENSION:
                raise _Stays("goes through a list or a map")
            case Kind.LIST | Kind.STRUCT:
                raise _Stays("makes a list or a map")

    def _constant(self, node: Node) -> Json:
        value = node.value if node.double is None else node.double
        if value is None:
            raise _Stays("has a constant that is no text, bool, int or double")
        if isinstance(value, str) and _REPLACEMENT in value:
            raise _Stays("looks for what stands for bytes that are no text")
        return expr.const(value)

    def _variable(self, node: Node) -> Json:
        name = self._variables.get(node.id, node.name)
        if name in _OF_CERTIFICATES:
            return _of_certificate(name)
        if name == _TIME:
            return expr.select(expr.ident("request"), "time")
        if name in _ATTRIBUTES:
            first, *fields = _ATTRIBUTES[name]
            return expr.select(expr.ident(first), *fields)
        if name in self._constants:
            return expr.const(self._constants[name])
        if name == _ADDRESS:
            raise _Stays(
                f"asks of {name} what Envoy cannot: it compares it, and finds it in CIDR blocks"
            )
        if name in (_HEADERS, _CLAIMS):
            raise _Stays(f"reads {name} as a whole")
        if name == _SECRETS:
            raise _Stays(f"reads {_HEADERS} as a whole")
        raise _Stays(f"reads {name}")

    def _select(self, node: Node) -> Json:
        (of,) = node.children
        if self._is_of_headers(of):
            return (has_header if node.is_presence_test else header)(_named(node.name))
        operand = self._claim(of)
        return (expr.has if node.is_presence_test else expr.select)(operand, node.name)

    def _claim(self, node: Node) -> Json:
        """What can be asked for something within it."""
        if self._is(node, _CLAIMS):
            return claims()
        if not self._is_claim(node):
            raise _Stays("looks into what is neither a header nor a claim")
        return self.node(node)

    def _call(self, node: Node) -> Json:
        name, children = node.name, node.children
        if name in _LOGIC:
            return expr.call(name, *map(self.node, children))
        found = (
            self._of_address(node) if any(self._is(each, _ADDRESS) for each in children) else None
        )
        if found is not None:
            return found
        if name in _ORDER:
            return self._compared(node)
        if name in _MEMBERS:
            target, argument = map(self.node, children)
            return expr.member(target, name, argument)
        if name in _OF_TIMES and len(children) == 1:
            return expr.member(self.node(children[0]), name)
        special = self._special.get(name)
        if special is None:
            raise _Stays(f"calls {_shown(name)}")
        return special(self, *children)

    def _compared(self, node: Node) -> Json:
        one, other = node.children
        for each, against in ((one, other), (other, one)):
            if self._is_claim(each) and not self._is_exact(against):
                raise _Stays(
                    "compares a claim with what may be a number that is not exact in Envoy"
                )
        return expr.call(node.name, self.node(one), self.node(other))

    def _index(self, of: Node, key: Node) -> Json:
        if self._is_of_headers(of):
            return header(_constant_name(key))
        if key.text is None and type(key.value) is not int:
            raise _Stays("looks up in a claim what is neither a text nor a place")
        return expr.call("_[_]", self._claim(of), self.node(key))

    def _in(self, item: Node, of: Node) -> Json:
        if self._is_of_headers(of):
            return has_header(_constant_name(item))
        if of.kind is Kind.LIST:
            # constants alone: an optional element would be lost
            if any(each.kind is not Kind.CONSTANT for each in of.children) or not of.children:
                raise _Stays("makes a list of what are no constants")
            if self._is_claim(item) and not all(map(self._is_exact, of.children)):
                raise _Stays("compares a claim with a number that is not exact in Envoy")
            found = expr.listed([self.node(each) for each in of.children])
            return expr.call("@in", self.node(item), found)
        if not self._is_exact(item):
            raise _Stays("looks for what may be a number that is not exact in Envoy")
        return expr.call("@in", self.node(item), self._claim(of))

    def _size(self, of: Node) -> Json:
        if not self._is_claim(of):
            raise _Stays("asks for the size of what is no claim")
        return expr.call("size", self.node(of))

    def _matches(self, text: Node, pattern: Node) -> Json:
        if pattern.text is None:
            raise _Stays("looks for a pattern that is no constant")
        if not _is_small(pattern.text):
            raise _Stays("looks for a pattern that is too large for Envoy")
        said = self.node(text)
        found = expr.member(said, "matches", self.node(pattern))
        if not self._is_claim(text):
            # bytes that are no text: RE2 reads them otherwise than what stands for them in Python
            is_text = expr.member(said, "matches", expr.const(_TEXT))
            found = expr.call("_?_:_", is_text, found, header(_NEVER_THERE))
        # what is no text ends the whole expression in Envoy, also where that would not matter
        errs_before = expr.member(said, "startsWith", expr.const(""))
        return expr.call("_?_:_", errs_before, found, expr.const(False))

    def _timestamp(self, of: Node) -> Json:
        if of.text is None:
            raise _Stays("makes a time of what is no constant")
        return expr.call("timestamp", self.node(of))

    def _number(self, function: str, of: Node) -> Json:
        if not self._is_header(of):
            raise _Stays("makes a number of what is no header")
        return expr.call(function, self.node(of))

    _special: Mapping[str, Callable[..., Json]] = {
        "_[_]": _index,
        "@in": _in,
        "size": _size,
        "matches": _matches,
        "timestamp": _timestamp,
        "int": lambda self, of: self._number("int", of),
        cel_secrets.UNREDACTED: lambda self, of: self.node(of),
    }

    def _of_address(self, node: Node) -> Json | None:
        """A question about the client's address; None: it cannot be asked in Envoy."""
        asked = [each for each in node.children if not self._is(each, _ADDRESS)]
        if len(asked) != 1:
            return None
        (other,) = asked
        starts = self._is(node.children[0], _ADDRESS)
        match node.name:
            case "_==_" | "_!=_" if other.text is not None:
                found = _any_of((beginning_of(other.text),))
                return found if node.name == "_==_" else expr.call("!_", found)
            case "@in" if starts and other.kind is Kind.LIST and other.children:
                texts = [each.text for each in other.children if each.text is not None]
                if len(texts) == len(other.children):
                    return _any_of(map(beginning_of, texts))
            case "startsWith" if starts and other.text is not None:
                return _any_of(beginnings_with(other.text))
            case "containsIP" if not starts and (block := _block(other)) is not None:
                pattern = pattern_of(block)
                if pattern is None or not _is_small(pattern):
                    raise _Stays(f"looks for {block}, whose addresses have no beginning in common")
                return expr.member(_address(), "matches", expr.const(pattern))
        return None

    def _is(self, node: Node, variable: str) -> bool:
        return self._variables.get(node.id) == variable

    def _is_of_headers(self, node: Node) -> bool:
        return self._variables.get(node.id) in (_HEADERS, _SECRETS)

    def _is_claim(self, node: Node) -> bool:
        """Whether its value comes from a token, so that its type is not known."""
        match node:
            case Node(kind=Kind.SELECT, is_presence_test=False, children=(of,)):
                return self._is(of, _CLAIMS) or self._is_claim(of)
            case Node(kind=Kind.CALL, name="_[_]", children=(of, _)):
                return self._is(of, _CLAIMS) or self._is_claim(of)
            case Node(kind=Kind.CALL, name="_?_:_", children=(_, one, other)):
                return self._is_claim(one) or self._is_claim(other)
        return False

    def _is_header(self, node: Node) -> bool:
        match node:
            case Node(kind=Kind.SELECT, is_presence_test=False, children=(of,)):
                return self._is_of_headers(of)
            case Node(kind=Kind.CALL, name="_[_]", children=(of, _)):
                return self._is_of_headers(of)
            case Node(kind=Kind.CALL, name=cel_secrets.UNREDACTED, children=(of,)):
                return self._is_header(of)
        return False

    def _is_exact(self, node: Node) -> bool:
        """Whether a claim compares with it as it does in Python: a small number, or none."""
        if node.kind is Kind.CONSTANT:
            number = node.value if node.double is None else node.double
            return not isinstance(number, int | float) or abs(number) < _EXACT
        if self._is_header(node) or self._variables.get(node.id) in {
            *_ATTRIBUTES,
            *_OF_CERTIFICATES,
        }:
            return True
        return node.kind is Kind.CALL and node.name == "size"


_NEVER_THERE = f"{names.OWN_HEADER_PREFIX}never"
"""No client can send it: to ask for it is an error."""


def _of_certificate(variable: str) -> Json:
    """An error where the certificate does not say it, or says nothing."""
    found = header(_NEVER_THERE)
    for field in reversed(_OF_CERTIFICATES[variable]):
        connection = expr.ident("connection")
        value = expr.select(connection, field)
        is_there = expr.call(
            "_&&_", expr.has(connection, field), expr.call("_!=_", value, expr.const(""))
        )
        found = expr.call("_?_:_", is_there, value, found)
    return found


def _any_of(beginnings: Iterable[str]) -> Json:
    """Whether the client's address begins with one of them."""
    asked = [expr.member(_address(), "startsWith", expr.const(each)) for each in beginnings]
    return reduce(partial(expr.call, "_||_"), asked)


def _address() -> Json:
    return expr.select(expr.ident("source"), "address")


def _constant_name(key: Node) -> str:
    if key.text is None:
        raise _Stays("reads a header that the request names")
    return _named(key.text)


def _named(name: str) -> str:
    if name in _UNLIKE or name.startswith((":", names.OWN_HEADER_PREFIX)):
        raise _Stays(f"reads the header {name}")
    return name


def _block(node: Node) -> str | None:
    match node:
        case Node(kind=Kind.CALL, name="cidr", children=(inner,)):
            return inner.text
    return node.text


def _is_small(pattern: str) -> bool:
    return bool(re2.compile(pattern).programsize <= _LARGEST_PATTERN)


def _shown(function: str) -> str:
    """`_+_` as it is written."""
    return function.strip("_@") or function
