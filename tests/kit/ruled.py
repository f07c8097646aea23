"""Rules and requests for both engines: expressions that Envoy can decide, requests as they are
sent, and what Python says of them."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import envoy_api
from hypothesis import strategies as st

from extproc.events import RequestHeaders
from extproc.facts import Facts
from extproc.policies.authorize import Authorize
from extproc.policies.tokens import Tokens
from extproc.principal import Principal
from extproc.verdict import Deny
from extproc.wire import decode
from gateway.cel import compile_expression, is_literal
from gateway.identity import Issuer
from gateway.model import Effect, Rule, Scope

ISSUER = "https://idp.example"
HOST = "api.example"

_TEXTS = ("", "a", "b", "ab", "A", "é", "10", "7", "x/y")
_PATTERNS = ("a", "^a", "b$", "^.$", "(?i)^A", "[0-9]+", "^$", "é", r"\\d", "^(a|b)+$")
_NUMBERS = ("0", "1", "3", "-1", "2.5", "7.0", "9007199254740991")
_ADDRESSES = ("127.0.0.1", "127.0.0.2", "10.0.0.1", "::1", "127")
_BLOCKS = ("127.0.0.0/8", "127.0.0.1/32", "10.0.0.0/9", "126.0.0.0/7", "0.0.0.0/0", "2001:db8::/32")
_VALUES = (
    b"",
    b"a",
    b"b",
    b"ab",
    "é".encode(),
    b"10",
    b"7",
    b"-1",
    b"x/y",
    b"0x7",
    b"+7",
    b"007",
    b"1e3",
    b"9223372036854775808",
    b"a\xff",
)
_CLAIMS: tuple[Any, ...] = (
    *("", "a", "ab", "é", "7", True, False, None, 0, 1, 3, 7, -1, 2.5, 9007199254740993),
    *([], ["a", "b"], ["a", 3], [3, 7.0], {"team": "a"}, {"team": 3}, {"team": {"team": "b"}}),
)
_NAMES = ("x-a", "x-b", "x-c")


def _written(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


_constants = st.sampled_from(_TEXTS).map(_written)
_headers = st.sampled_from(
    [*(f'request.headers["{name}"]' for name in _NAMES), "request.headers.cookie.unredacted()"]
)
_claims = st.sampled_from(
    ["jwt.s", 'jwt["n/s"]', "jwt.org.team", "jwt.org.team.team", "jwt.list[0]", "jwt.list"]
)
_asked = st.sampled_from(
    [
        *("request.method", "request.path", "request.query", "request.host", "request.id"),
        *("resource.name", "resource.kind"),
    ]
)
_known = st.one_of(_headers, _headers, _asked)
_numbers = st.sampled_from(_NUMBERS)
_parts = st.sampled_from(["FullYear", "Month", "Date", "DayOfMonth", "DayOfWeek", "Hours"]).map(
    "{}()".format
)
_few = st.sampled_from(["0", "1", "3", "10", "11", "2026"])
_times = st.sampled_from(["2020-01-01T00:00:00Z", "2100-01-01T00:00:00+01:00"])
_orders = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def _listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=1, max_size=3).map(lambda each: f"[{', '.join(each)}]")


_chosen = st.builds("({} == {} ? {} : {})".format, _headers, _constants, _known, _constants)
_texts = st.one_of(_known, _known, _claims, _chosen)
_atoms = st.one_of(
    st.builds("{} {} {}".format, _texts, _orders, _constants),
    st.builds("{} {} {}".format, _constants, _orders, _texts),
    st.builds("{} {} {}".format, _known, _orders, st.one_of(_known, _claims)),
    st.builds("{} {} {}".format, _claims, _orders, _numbers),
    st.builds(
        "{}.{}({})".format,
        _texts,
        st.sampled_from(["startsWith", "endsWith", "contains"]),
        st.one_of(_constants, _known),
    ),
    st.builds("{}.matches({})".format, _texts, st.sampled_from(_PATTERNS).map("'{}'".format)),
    st.builds("{} in {}".format, _texts, _listed(_constants)),
    st.builds("{} in {}".format, _claims, _listed(st.one_of(_constants, _numbers))),
    st.builds("{} in {}".format, st.one_of(_constants, _known, _numbers), _claims),
    st.builds("{} in jwt".format, _constants),
    st.builds('"{}" in request.headers'.format, st.sampled_from(_NAMES)),
    st.sampled_from(["has(request.headers.cookie)", "has(jwt.s)", "has(jwt.org.team)"]),
    st.builds("int({}) {} {}".format, _headers, _orders, _numbers),
    st.builds("size({}) {} {}".format, _claims, _orders, st.sampled_from(["0", "1", "2"])),
    st.sampled_from(["jwt.flag", "jwt.flag == true", "true", "false"]),
    st.builds("context.request_time.get{} {} {}".format, _parts, _orders, _few),
    st.builds("context.request_time {} timestamp('{}')".format, _orders, _times),
    st.builds("source.address {} {}".format, st.sampled_from(["==", "!="]), _constants),
    st.builds('source.address == "{}"'.format, st.sampled_from(_ADDRESSES)),
    st.builds("source.address in {}".format, _listed(st.sampled_from(_ADDRESSES).map(_written))),
    st.builds('source.address.startsWith("{}")'.format, st.sampled_from(_ADDRESSES)),
    st.builds('cidr("{}").containsIP(source.address)'.format, st.sampled_from(_BLOCKS)),
)


def _is_rule(text: str) -> bool:
    compiled = compile_expression(text)
    return not isinstance(compiled, str) and (compiled.always is None or is_literal(text))


expressions = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("(({}) ? ({}) : ({}))".format, inner, inner, inner),
    ),
    max_leaves=4,
).filter(_is_rule)
"""Of all that Envoy knows; some are of the kind that stays in Python."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request: its method, what follows the route's path, its headers, and a token's claims."""

    method: str
    rest: str
    headers: tuple[tuple[str, bytes], ...]
    claims: Mapping[str, Any] | None

    @property
    def is_text(self) -> bool:
        """Whether the headers are."""
        return all(b"\xff" not in value for _, value in self.headers)

    def bytes(self, path: str, token: str | None) -> bytes:
        """As it is sent to a path."""
        lines = [
            f"{self.method} {path}{self.rest} HTTP/1.1".encode(),
            f"host: {HOST}".encode(),
            b"x-request-id: abc",
            *(name.encode() + b": " + value for name, value in self.headers),
            *([f"authorization: Bearer {token}".encode()] if token else []),
        ]
        return b"\r\n".join([*lines, b"", b""])

    def facts(self, route: str, path: str, source: str = "127.0.0.1") -> Facts:
        """As Python has them, where Envoy asks it."""
        event = decode(self._shown(path))
        assert isinstance(event, RequestHeaders)
        return Facts(
            datetime.now(UTC),
            method=self.method,
            path=path + self.rest,
            headers=event.headers,
            source_address=source,
            principal=self._principal(),
            route=route,
        )

    def _shown(self, path: str) -> bytes:
        request = envoy_api.message("envoy.service.ext_proc.v3.ProcessingRequest")()
        shown = (
            (":method", self.method.encode()),
            (":path", (path + self.rest).encode()),
            (":authority", HOST.encode()),
            ("x-request-id", b"abc"),
            *self.headers,
        )
        for name, value in shown:
            request.request_headers.headers.headers.add(key=name, raw_value=value)
        return bytes(request.SerializeToString())

    def _principal(self) -> Principal | None:
        if self.claims is None:
            return None
        said = base64.urlsafe_b64encode(json.dumps({**self.claims, "iss": ISSUER}).encode())
        return Tokens([Issuer(ISSUER, ())]).principal(said.rstrip(b"=").decode())


requests = st.builds(
    Sent,
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.sampled_from(["", "/ab", "?a", "/x/y?a=1&b=", "?"]),
    st.lists(
        st.tuples(st.sampled_from([*_NAMES, *_NAMES, "cookie"]), st.sampled_from(_VALUES)),
        max_size=4,
    ).map(tuple),
    st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {},
            optional={
                name: st.sampled_from(_CLAIMS)
                for name in ("s", "n/s", "org", "list", "flag", "other")
            },
        ),
    ),
)


def rule(effect: Effect, expression: str, name: str = "rule") -> Rule:
    return Rule(name, Scope(), effect, expression)


def is_let_in(rules: Sequence[Rule], facts: Facts) -> bool:
    """What Python decides."""
    return not isinstance(Authorize(rules).on_request(facts), Deny)


def statuses(port: int, sent: Sequence[bytes], host: str = "127.0.0.1") -> list[int]:
    """Of requests without bodies that are sent on one connection, one after the other."""
    found = []
    with socket.create_connection((host, port), 20) as connection:
        reader = connection.makefile("rb")
        for each in sent:
            connection.sendall(each)
            found.append(int(reader.readline().split()[1]))
            length = 0
            while line := reader.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            reader.read(length)
    return found
