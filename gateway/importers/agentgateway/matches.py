"""Which requests a route of theirs takes, and before which others.

Theirs chooses by the closest hostname, then exact paths before all others, then the longest text of
a prefix or a pattern (`RouteSet` in its types/agent.rs), then by method, number of headers and of
query parameters. Ours takes the first that matches, so the order says it.
https://gateway-api.sigs.k8s.io/reference/spec/#httproutematch
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import get_args

from gateway.config.routes import Method, UrlPath
from gateway.config.scalars import Header, Text
from gateway.importers.agentgateway import traffic_keys
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node

_EXACT, _PREFIX, _REGEX = 3, 2, 2
_NO_PATTERNS = "ours matches no patterns: name the values, a route for each"
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_OPTIONAL = ("?", "*", "{")
"""What may take back the character before it."""
_ENDS = frozenset({"", "(/.*)?", "(?:/.*)?", "(/|/.*)?", "(?:/|/.*)?", "(/.+)?", "(?:/.+)?"})
"""After these, everything is the path that was written, or below it."""
EVERYTHING = "/"


@dataclass(frozen=True, slots=True)
class Match:
    """Requests, by what ours can ask."""

    path: str = EVERYTHING
    is_exact: bool = False
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    precision: tuple[int, ...] = (_PREFIX, 1, 0, 0, 0)
    """Greater goes first: kind of path, its length, method, headers, query parameters.

    Of a route in a group, they follow those of the route that leads there, which is chosen first.
    """
    lost: tuple[str, ...] = field(default=(), compare=False)
    """What else theirs asks. Without it, more requests match."""

    def block(self, hostnames: tuple[str, ...]) -> dict[str, object]:
        """As ours writes it."""
        found: dict[str, object] = {}
        if hostnames:
            found["hostnames"] = list(hostnames)
        if self.is_exact:
            found["path"] = {"exact": self.path}
        elif self.path != EVERYTHING:
            found["path"] = {"prefix": self.path}
        if self.methods:
            found["methods"] = list(self.methods)
        if self.headers:
            found["headers"] = dict(self.headers)
        return found


def read_matches(node: Node) -> tuple[Match, ...]:
    """The alternatives of a route; one that takes everything when none is written."""
    if not node.is_written or node.value is None:
        return (Match(),)
    return tuple(_match(item) for item in node.items() if item.block())


def both(outer: Match, inner: Match) -> Match | None:
    """Requests that both take; None: there are none."""
    path = _narrower(outer, inner)
    headers = dict(outer.headers)
    methods = outer.methods or inner.methods
    if outer.methods and inner.methods:
        methods = tuple(each for each in outer.methods if each in inner.methods)
    is_possible = path is not None and bool(methods or not (outer.methods or inner.methods))
    if not is_possible or any(headers.get(name, text) != text for name, text in inner.headers):
        return None
    assert path is not None
    return replace(
        path,
        methods=methods,
        headers=tuple({**headers, **dict(inner.headers)}.items()),
        precision=(*outer.precision, *inner.precision),
        lost=(*outer.lost, *inner.lost),
    )


def overlap(one: Match, other: Match) -> bool:
    """Whether some request could match both."""
    return both(one, other) is not None


def _narrower(one: Match, other: Match) -> Match | None:
    for wide, narrow in ((one, other), (other, one)):
        if wide.is_exact:
            if narrow.is_exact and wide.path == narrow.path:
                return narrow
        elif _is_below(narrow.path, wide.path):
            return narrow
    return None


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


def _match(node: Node) -> Match:
    settle(node, traffic_keys.MATCH)
    match = _path(node.take("path"))
    method = node.take("method")
    if isinstance(method.value, dict):  # as their documentation writes it, too
        method = method.take("method")
    text = method.text()
    lost = list(match.lost)
    if text in get_args(Method):
        method.exact("routes.match.methods")
    elif text is not None:
        method.unsupported(f"'{text}' is no method that ours can ask for")
        lost.append("method")
    methods = (text,) if text in get_args(Method) else ()
    headers, pseudo, lost_headers = _headers(node.take("headers"))
    query = list(node.take("query").items())
    for item in query:
        item.unsupported("ours does not ask for query parameters: use another path or a header")
    counts = (int(text is not None), len(headers) + len(pseudo) + len(lost_headers), len(query))
    return replace(
        match,
        methods=tuple(each for each in (*methods, *pseudo) if each is not None),
        headers=headers,
        precision=(*match.precision[:2], *counts),
        lost=(*lost, *lost_headers, *("query" for _ in query[:1])),
    )


def _path(node: Node) -> Match:
    settle(node, traffic_keys.PATH)
    exact, prefix, regex = (node.take(each) for each in ("exact", "pathPrefix", "regex"))
    text = exact.text()
    if text is not None:
        if fits(UrlPath, text):
            exact.exact("routes.match.path.exact")
            return Match(text, True, precision=(_EXACT, len(text)))
        exact.unsupported("no path that ours can ask for")
        return Match(precision=(_EXACT, len(text)), lost=("path",))
    pattern = regex.text()
    if pattern is not None:
        regex.unsupported(_NO_PATTERNS)
        return Match(_literal(pattern), precision=(_REGEX, len(pattern)), lost=("path",))
    text = prefix.text()
    if text is None:
        if isinstance(node.value, str):
            node.unsupported("it matches nothing")
            return Match(lost=("path",))
        return Match()
    plain = text.rstrip("/") or "/"
    if fits(UrlPath, plain):
        prefix.exact("routes.match.path.prefix")
        return Match(plain, precision=(_PREFIX, len(text)))
    prefix.unsupported("no path that ours can ask for")
    return Match(precision=(_PREFIX, len(text)), lost=("path",))


def _literal(pattern: str) -> str:
    """The path at or above everything that a pattern matches, as far as it is written out."""
    plain = pattern.removeprefix("^").removesuffix("$")
    literal = _SPECIAL.split(plain)[0]
    rest = plain[len(literal) :]
    if rest in _ENDS:
        above = literal.rstrip("/")
    elif "|" in pattern:  # at the top, it begins another path
        return EVERYTHING
    else:
        literal = literal[:-1] if rest.startswith(_OPTIONAL) else literal
        above = literal[: literal.rfind("/")] if "/" in literal else ""
    return above if above and fits(UrlPath, above) else EVERYTHING


def _headers(
    node: Node,
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]:
    """Headers with their values, methods that were written as headers, and what is lost."""
    headers: dict[str, str] = {}
    methods: list[str] = []
    lost: list[str] = []
    for item in node.items():
        settle(item, traffic_keys.HEADER)
        value = item.take("value")
        settle(value, traffic_keys.VALUE)
        name, text = (item.take("name").text() or "").lower(), value.take("exact").text()
        if name == ":method" and text in get_args(Method):
            item.exact("routes.match.methods")
            methods.append(str(text))
        elif text is None:
            item.unsupported(_NO_PATTERNS)
            lost.append("headers")
        elif name in headers or not fits(Header, name) or not fits(Text, text):
            item.unsupported("no header and value that ours can ask for")
            lost.append("headers")
        else:
            item.exact(f"routes.match.headers.{name}")
            headers[name] = text
    return tuple(headers.items()), tuple(methods), tuple(dict.fromkeys(lost))


def closest(hostnames: Iterable[str]) -> tuple[int, int]:
    """Greater goes first: a full name, a longer wildcard, a shorter one, none."""
    found = [(2, 0) if not name.startswith("*") else (1, len(name)) for name in hostnames]
    return max(found, default=(0, 0))
