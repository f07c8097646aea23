"""Tokens for tokens: what an authorization server is asked, and what it said.

https://www.rfc-editor.org/rfc/rfc8693, https://www.rfc-editor.org/rfc/rfc7523,
draft-ietf-oauth-identity-assertion-authz-grant.
"""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from extproc.ports import Answered, Asked
from gateway.identity import ClientAuth
from gateway.mcp import TokenEndpoint, TokenExchange

ASSERTION: Final = "urn:ietf:params:oauth:token-type:id-jag"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_BEARER_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_USUAL_SECONDS: Final = 300.0
"""Of a token that does not say when it expires."""


class Granted(Struct, frozen=True):
    """A token."""

    token: str
    seconds: float
    """For how long it is good."""


class Refused(Exception):
    """The server gives no token to this caller. Its text names no secret."""


class Unusable(Exception):
    """The server does not answer as it must."""


class _Said(Struct):
    access_token: str = ""
    token_type: str = ""
    issued_token_type: str = ""
    expires_in: int | float | str | None = None


class _Error(Struct):
    error: str = ""


def exchange(of: TokenExchange, subject: str) -> Asked:
    """A token, or an assertion, for the caller's."""
    form = {
        "grant_type": _EXCHANGE,
        "subject_token": subject,
        "subject_token_type": of.subject_type,
    }
    if of.assertion is not None:
        form["requested_token_type"] = ASSERTION
    if of.audience:
        form["audience"] = of.audience
    return _asked(of.endpoint, form)


def assertion(of: TokenEndpoint, said: str) -> Asked:
    """A token for an assertion."""
    return _asked(of, {"grant_type": _BEARER_GRANT, "assertion": said})


def read(answer: Answered, *, is_assertion: bool = False) -> Granted:
    """What was given. Raises `Refused`, `Unusable`."""
    if answer.status in (400, 401, 403):
        raise Refused(f"{answer.status} {_error(answer.body)}".rstrip())
    if answer.status != 200:
        raise Unusable(f"a {answer.status}")
    try:
        said = msgspec.json.decode(answer.body, type=_Said)
    except msgspec.DecodeError:
        raise Unusable("no token in its answer") from None
    if not said.access_token or not said.access_token.isascii() or " " in said.access_token:
        raise Unusable("no token in its answer")
    if not said.access_token.isprintable():
        raise Unusable("no token in its answer")
    if is_assertion:
        if said.issued_token_type != ASSERTION:
            raise Unusable("what it gives is no assertion")
    elif said.token_type.lower() != "bearer":
        raise Unusable("its token is no bearer token")
    return Granted(said.access_token, _seconds(said.expires_in))


def _asked(of: TokenEndpoint, form: dict[str, str]) -> Asked:
    head = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
    if of.scopes:
        form["scope"] = " ".join(of.scopes)
    if of.resource:
        form["resource"] = of.resource
    if of.client_auth is ClientAuth.BASIC and of.client_secret:
        shown = f"{quote(of.client_id, safe='')}:{quote(of.client_secret, safe='')}"
        head.append(("authorization", f"Basic {base64.b64encode(shown.encode()).decode()}"))
    elif of.client_id:
        form["client_id"] = of.client_id
        if of.client_secret:
            form["client_secret"] = of.client_secret
    return Asked("POST", of.path, tuple(head), urlencode(form).encode())


def _error(body: bytes) -> str:
    try:
        found = msgspec.json.decode(body, type=_Error).error
    except msgspec.DecodeError:
        return ""
    return found if found.isascii() and found.replace("_", "").isalnum() else ""


def _seconds(said: float | str | None) -> float:
    try:
        return max(0.0, float(said)) if said is not None else _USUAL_SECONDS
    except ValueError:
        return _USUAL_SECONDS
