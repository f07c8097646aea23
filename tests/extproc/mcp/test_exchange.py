"""Tokens for tokens: what is asked, and what was said."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import pytest

from extproc.mcp.exchange import ASSERTION, Granted, Refused, Unusable, assertion, exchange, read
from extproc.ports import Answered, Asked
from gateway.identity import ClientAuth
from gateway.mcp import TokenEndpoint, TokenExchange

SUBJECT = "urn:ietf:params:oauth:token-type:access_token"
BASIC = TokenEndpoint("/token", "us:1", "s/2", ClientAuth.BASIC)


def form(asked: Asked) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(asked.body.decode()).items()}


def said(status: int = 200, **members: object) -> Answered:
    return Answered(status, {}, json.dumps(members).encode())


def test_a_token_is_asked_for_with_the_callers() -> None:
    asked = exchange(TokenExchange(BASIC, SUBJECT), "the&token")
    assert (asked.method, asked.path) == ("POST", "/token")
    shown = base64.b64decode(dict(asked.headers)["authorization"].removeprefix("Basic "))
    assert shown == b"us%3A1:s%2F2"
    assert form(asked) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "the&token",
        "subject_token_type": SUBJECT,
    }


def test_all_that_is_written_is_said() -> None:
    post = TokenEndpoint("/t", "us", "s", ClientAuth.POST, ("a", "b"), "https://r")
    asked = exchange(TokenExchange(post, SUBJECT, "aud", BASIC), "x")
    found = form(asked)
    assert found["requested_token_type"] == ASSERTION
    assert (found["audience"], found["scope"], found["resource"]) == ("aud", "a b", "https://r")
    assert (found["client_id"], found["client_secret"]) == ("us", "s")
    assert "authorization" not in dict(asked.headers)
    public = exchange(TokenExchange(TokenEndpoint("/t", "us"), SUBJECT), "x")
    assert form(public)["client_id"] == "us"
    assert "client_secret" not in form(public)


def test_an_assertion_is_shown_where_it_is_made_for() -> None:
    assert form(assertion(BASIC, "jag")) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": "jag",
    }


@pytest.mark.parametrize(
    ("expires_in", "seconds"), [(60, 60), (1.5, 1.5), ("60", 60), (None, 300), ("x", 300), (-1, 0)]
)
def test_a_token_is_good_for_as_long_as_it_says(expires_in: object, seconds: float) -> None:
    answer = said(access_token="t", token_type="Bearer", expires_in=expires_in)
    assert read(answer) == Granted("t", seconds)


@pytest.mark.parametrize(
    "answer",
    [
        said(500),
        said(302),
        said(201, access_token="t", token_type="Bearer"),
        Answered(200, {}, b"no json"),
        said(access_token="", token_type="Bearer"),
        said(access_token="t", token_type="mac"),
        said(access_token="t\r\nx: y", token_type="Bearer"),
        said(access_token="a b", token_type="Bearer"),
        said(access_token="é", token_type="Bearer"),
        said(access_token=7, token_type="Bearer"),
    ],
)
def test_what_is_no_token_is_not_used(answer: Answered) -> None:
    with pytest.raises(Unusable):
        read(answer)


def test_an_assertion_is_one_and_no_token() -> None:
    given = said(access_token="t", token_type="N_A", issued_token_type=ASSERTION)
    assert read(given, is_assertion=True).token == "t"
    for other in ({}, {"issued_token_type": SUBJECT}):
        with pytest.raises(Unusable, match="no assertion"):
            read(said(access_token="t", token_type="Bearer", **other), is_assertion=True)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_says_its_code_and_nothing_of_what_else_is_there(status: int) -> None:
    with pytest.raises(Refused) as refused:
        read(said(status, error="invalid_grant", error_description="secret"))
    assert str(refused.value) == f"{status} invalid_grant"
    with pytest.raises(Refused, match=f"^{status}$"):
        read(Answered(status, {}, b"<html>"))
    with pytest.raises(Refused, match=f"^{status}$"):
        read(said(status, error="a b <c>"))
