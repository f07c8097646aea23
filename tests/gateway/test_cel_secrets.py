"""Secrets are read by who says so, and by nobody else."""

from __future__ import annotations

import pytest

from gateway.cel import EVERY_HEADER, CelError, Expression, compile_expression
from gateway.cel_secrets import SECRET_HEADERS, UNCOVERED, covered

VALUES = {
    "request.headers": {"authorization": "[redacted]", "x-a": "1"},
    "request.secrets": {"authorization": "Bearer k-1", "x-a": "1"},
    "apiKey.key": "k-1",
    "jwt": {"header": "authorization"},
}


def compiled(text: str) -> Expression:
    found = compile_expression(text)
    assert isinstance(found, Expression), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        'request.headers["authorization"].unredacted() == "Bearer k-1"',
        '.request . headers.authorization.unredacted() == "Bearer k-1"',
        'request.headers[?"authorization"].orValue("").unredacted() == "Bearer k-1"',
        'request.headers[?"cookie"].orValue("").unredacted() == ""',
        'request.headers[jwt.header].unredacted() == "Bearer k-1"',
        'apiKey.key.unredacted() == "k-1" && hash.equal(apiKey.key.unredacted(), "k-1")',
        '["authorization"].exists(name, request.headers[name].unredacted() == "Bearer k-1")',
        '"authorization" in request.headers && has(request.headers.authorization)',
        '!("cookie" in request.headers) && !has(request.headers.cookie)',
        '["authorization"].all(name, request.headers[name] == "[redacted]")',
        '["authorization"].all(n, request.headers[n] == "[redacted]") &&'
        ' request.headers["authorization"].unredacted() == "Bearer k-1"',
        'request.headers["x-a"].unredacted() == "1"',
        '"ü" != "" && request.headers["authorization"].unredacted() == "Bearer k-1"',
        'request.headers.all(name, request.headers[name].unredacted() != "[redacted]")',
    ],
)
def test_what_is_unredacted_is_read_and_nothing_else(text: str) -> None:
    assert compiled(text).evaluate(VALUES) is True


def test_the_headers_are_known_however_they_are_read() -> None:
    assert compiled('request.headers["cookie"].unredacted() == ""').headers == {"cookie"}
    every = compiled('request.headers[jwt.header].unredacted() == ""')
    assert (every.headers, every.names) == ({EVERY_HEADER}, {"jwt", "request.secrets"})
    answered = compiled('response.headers["set-cookie"].unredacted() == ""')
    assert answered.answer_headers == {"set-cookie"}


def test_why_an_expression_errs_shows_no_secret() -> None:
    found = compiled('int(apiKey.key.unredacted()) > 3 || apiKey.key.unredacted() < ""')
    assert found.evaluate(VALUES) == CelError("it reads a secret, so why it errs is not told")
    told = compiled('int(request.headers["x-a"]) > 3').evaluate({"request.headers": {"x-a": "q"}})
    assert isinstance(told, CelError)
    assert told != found.evaluate(VALUES)


def test_what_holds_no_secret_is_seen() -> None:
    assert covered({"cookie": "a=b", "x-a": "1"}) == {"cookie": "[redacted]", "x-a": "1"}
    assert all(name == name.lower() for name in SECRET_HEADERS)
    assert all(len(name) == len(other) for name, other in UNCOVERED.items())
