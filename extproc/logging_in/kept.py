"""What is kept of people who have logged in, as it is sealed: by browsers that are on the way, and
by the store of those who are back."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Struct

from extproc.mcp.vault import Vault
from gateway.identity import Login

WAY_SECONDS: Final = 600
"""How long somebody may take to log in."""


class Way(Struct, frozen=True, array_like=True):
    """A browser that is away to log in."""

    state: str
    nonce: str
    verifier: str
    """Of PKCE."""
    origin: str
    """What the browser calls the gateway."""
    path: str
    """Of the page that was asked for."""
    until: int


class LoginSession(Struct, frozen=True, array_like=True):
    """Somebody who has logged in."""

    claims: str
    """Of the token that counts, as tokens have them."""
    identity: str
    """The ID token."""
    access: str
    refresh: str
    """Empty: there is none."""
    renew: float
    """From when on the tokens are old, in seconds since 1970."""
    subject: str
    issuers_session: str
    """What the issuer calls it (`sid`); empty: it does not say."""
    begun: float
    """When somebody logged in."""
    version: int = 1
    """Grows with each renewal."""


def seal_way(vault: Vault, of: Login, way: Way) -> str:
    """For a cookie."""
    return vault.seal_text(msgspec.msgpack.encode(way), f"way\n{of.name}")


def open_way(vault: Vault, of: Login, text: str, now: float) -> Way | None:
    """None: it is none of ours, or too old."""
    said = vault.open_text(text, f"way\n{of.name}")
    way = None if said is None else _way.decode(said)
    return None if way is None or way.until < now else way


def seal_number(vault: Vault, of: Login, number: str) -> str:
    """For a cookie: nobody else can make one, so nobody is looked for in vain."""
    return vault.seal_text(number.encode(), f"number\n{of.name}")


def open_number(vault: Vault, of: Login, text: str) -> str | None:
    """None: it is none of ours."""
    said = vault.open_text(text, f"number\n{of.name}")
    return None if said is None else said.decode()


def seal_session(vault: Vault, session: LoginSession, number: str) -> bytes:
    """For the store."""
    return vault.seal(msgspec.msgpack.encode(session), f"session\n{number}")


def open_session(vault: Vault, sealed: bytes, number: str) -> LoginSession | None:
    """None: it was sealed with a secret that is gone."""
    said = vault.open(sealed, f"session\n{number}")
    return None if said is None else _session.decode(said)


def name_of(of: Login, *parts: str) -> str:
    """What the store calls something."""
    text = "\n".join(("login", of.issuer.issuer, of.client_id, *parts))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


_way = msgspec.msgpack.Decoder(Way)
_session = msgspec.msgpack.Decoder(LoginSession)
