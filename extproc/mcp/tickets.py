"""What leads a person to agree that a server is used for them: the link that a caller is told, and
what is known while their browser is at the authorization server.

A ticket is sealed, so that links need no memory, say nothing of whom they are for, and open
nothing by themselves; whether one was used, a store knows.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Struct

from extproc.mcp.vault import Vault
from extproc.mcp.views import binding_of
from extproc.principal import Principal

TICKET_SECONDS: Final = 600
STATE_PREFIX: Final = "dmc."
"""What a `requestState` of ours begins with, while a person is asked."""
_TICKET: Final = "ticket"
_OWNER_BYTES: Final = 16


class Person(Struct, frozen=True, array_like=True):
    """Who is to agree."""

    owner: str
    """Whose the token will be: a digest of what makes a caller the same."""
    who: str
    """The same for people: kind and name."""
    issuer: str = ""
    """Of their token; empty: they have none."""
    subject: str = ""
    user: str = ""


class Ticket(Struct, frozen=True, array_like=True):
    """One link."""

    person: Person
    server: str
    until: int
    """Seconds since 1970."""
    number: str
    """What no other ticket has; the id of the elicitation."""
    session: str = ""
    """The number of the client's session; empty: it has none."""


class Flow(Struct, frozen=True, array_like=True):
    """A browser that is at an authorization server."""

    ticket: Ticket
    verifier: str
    """Of PKCE."""
    browser: str
    """A digest of the cookie by which it is known again."""


class Connected(Struct, frozen=True):
    """Somebody has agreed."""

    owner: str
    server: str
    session: str = ""
    """The number of the session in which the client was told of the link."""
    number: str = ""
    """Of the ticket."""
    token: str = ""
    """What the server is shown: `Bearer …`."""


def read_connected(body: bytes) -> Connected | None:
    """None: it says nothing of the kind."""
    try:
        return _connected.decode(body)
    except msgspec.DecodeError:
        return None


def person_of(principal: Principal) -> Person:
    """A caller."""
    claims = principal.claims or {}
    issuer, subject = claims.get("iss", ""), claims.get("sub", "")
    return Person(
        owner_of(principal),
        f"{principal.kind} {principal.name}",
        issuer if isinstance(issuer, str) else "",
        subject if isinstance(subject, str) else "",
        principal.user,
    )


def is_same(person: Person, other: Principal) -> bool:
    """Whether somebody who has logged in is the one who is to agree: the same subject of the same
    issuer, or the same user."""
    found = person_of(other)
    is_known = bool(person.issuer) and bool(person.subject)
    if is_known and (person.issuer, person.subject) == (found.issuer, found.subject):
        return True
    return bool(person.user) and person.user == found.user


def owner_of(principal: Principal) -> str:
    """Whose tokens are the caller's."""
    binding = binding_of(principal).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(binding, digest_size=_OWNER_BYTES).hexdigest()


def seal_ticket(vault: Vault, ticket: Ticket) -> str:
    """As a link has it."""
    return vault.seal_text(msgspec.msgpack.encode(ticket), _TICKET)


def open_ticket(vault: Vault, text: str, now: float) -> Ticket | None:
    """None: it is none of ours, or too old."""
    said = vault.open_text(text, _TICKET)
    ticket = None if said is None else _ticket.decode(said)
    return None if ticket is None or ticket.until < now else ticket


def seal_flow(vault: Vault, flow: Flow, state: str) -> bytes:
    """As a store has it: for this state alone."""
    return vault.seal(msgspec.msgpack.encode(flow), f"flow\n{state}")


def open_flow(vault: Vault, sealed: bytes, state: str) -> Flow | None:
    """None: it was sealed with a key that is gone."""
    said = vault.open(sealed, f"flow\n{state}")
    return None if said is None else _flow.decode(said)


def name_of(secret: str) -> str:
    """What a store calls something that only its owner can spell."""
    return hashlib.sha256(secret.encode()).hexdigest()


_connected = msgspec.json.Decoder(Connected)
_ticket = msgspec.msgpack.Decoder(Ticket)
_flow = msgspec.msgpack.Decoder(Flow)
