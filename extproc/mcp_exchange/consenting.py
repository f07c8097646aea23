"""Servers that a caller has not agreed to yet: a tool that connects each, and what is answered
until somebody has opened a link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from extproc.events import Respond
from extproc.mcp import eliciting
from extproc.mcp.eliciting import Link, Returned, Way
from extproc.mcp.lists import Listing, Shown
from extproc.mcp.merging import Hello
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.mcp.rounds import METHODS
from extproc.mcp.tickets import owner_of
from extproc.mcp_exchange.asked import Caller, call_of
from extproc.mcp_serving.connections import NoToken
from extproc.mcp_serving.federation import Joined
from extproc.mcp_serving.saying import JSON, fault, refused, unknown
from extproc.mcp_serving.tokens import showing
from extproc.mcp_serving.whose import Whose
from extproc.verdict import Deny

_CONNECT: Final = "connect_"
"""What the names of tools begin with that connect a server."""
_OWN: Final = Target("", "")
_WAIT_SECONDS: Final = 20.0
"""How long a request waits until somebody is through; within what Envoy waits for."""
_HELLO: Final = Hello(
    "",
    {name: {"listChanged": True} for name in ("tools", "prompts", "resources")},
)
"""What servers that are not connected may turn out to have."""


def connected_by(caller: Caller, name: str) -> str:
    """The server that a tool connects; empty: it is no such tool."""
    server = name.removeprefix(_CONNECT)
    serving = caller.serving
    known = () if serving.connections is None else serving.connections.by_server
    is_one = server != name and server in known
    return server if is_one and server in serving.views.all[caller.view.name].servers else ""


def with_tools(caller: Caller, listing: Listing) -> Listing:
    """A list of tools, with those that connect servers before the others."""
    own = (_tool(server) for server in caller.unconnected)
    return replace(listing, entries=(*own, *listing.entries), is_public=False)


def hellos(caller: Caller, found: Mapping[str, Joined]) -> dict[str, Hello]:
    """What the servers say, with what those may turn out to have that are not connected."""
    said = {name: each.hello for name, each in found.items()}
    return {**said, "": _HELLO} if caller.unconnected else said


def refusal(caller: Caller, message: Message, targets: Sequence[Target]) -> str | Respond:
    """Why nobody knows what is asked for; text: that server would, once it is connected."""
    away = [each for each in targets if each.server in caller.unconnected]
    if not away or message.method not in METHODS:
        return fault(unknown(message))
    call = call_of(message, away[0].server, away[0].name, caller.view.name)
    return caller.judged(message, call) or away[0].server


def called(caller: Caller, whose: Whose, message: Message, server: str) -> Respond | None:
    """The answer of the tool that connects a server; None: the caller has to be asked."""
    denied = caller.judged(message, call_of(message, "", message.name, caller.view.name))
    if denied is not None or server in caller.unconnected:
        return denied
    if server not in caller.view.servers:
        return fault(unknown(message))
    text = f"{server} is connected: list the tools anew, and use them."
    return _said(eliciting.told(message, text, is_modern=whose.is_sessionless))


def _tool(server: str) -> Shown:
    name = f"{_CONNECT}{server}"
    said = {
        "name": name,
        "title": f"Connect {server}",
        "description": f"Asks the user to connect their account at {server}. The tools of {server} "
        "are there once they have.",
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": False, "idempotentHint": True},
    }
    return Shown(_OWN, name, msgspec.json.encode(said))


def asked(caller: Caller, whose: Whose, message: Message, server: str) -> Respond:
    """The answer to a request that waits for a caller to agree."""
    desk, principal = caller.serving.desk, caller.facts.principal
    if desk is None or principal is None:
        return refused(_NOBODY, message.raw_id)
    is_modern = whose.is_sessionless
    revision, capabilities = whose.session.revision, bytes(whose.client.capabilities)
    how = eliciting.way(revision, capabilities, is_modern=is_modern)
    told_later = whose.session.nonce if how is Way.ERROR else ""
    ticket, sealed = desk.link(server, principal, told_later)
    link = Link(server, desk.url_of(sealed), ticket.number, sealed)
    return _said(eliciting.asking(message, how, link, is_modern=is_modern))


async def consented(
    caller: Caller, whose: Whose, back: Returned | None, message: Message, server: str
) -> Respond | None:
    """What is answered to a request for a server that is not connected; None: now it is. `back`:
    the user was asked already."""
    if back is None:
        return asked(caller, whose, message, server)
    desk, connections = caller.serving.desk, caller.serving.connections
    principal = caller.facts.principal
    if desk is None or connections is None or principal is None:
        return refused(_NOBODY, message.raw_id)
    owner, ticket = owner_of(principal), desk.opened(back.sealed)
    if ticket is None or ticket.server != server or ticket.person.owner != owner:
        return asked(caller, whose, message, server)
    if back.is_declined:
        text = f"The user does not allow this gateway to use '{server}' for them."
        return _said(eliciting.failed(message, text, is_modern=whose.is_sessionless))
    try:
        token = await connections.waited(server, owner, _WAIT_SECONDS)
    except NoToken as error:
        return refused(unavailable(server, error), message.raw_id)
    if token is None:
        return _said(eliciting.waiting(message, back.sealed))
    connect(caller, server, token)
    return None


def connect(caller: Caller, server: str, token: str) -> None:
    """From here on the caller's request goes there, too."""
    shown = f"Bearer {token}"
    of_view = caller.serving.views.all[caller.view.name].servers
    there = {**caller.view.servers, server: showing(of_view[server], shown)}
    ordered = {name: there[name] for name in of_view if name in there}
    caller.view = replace(caller.view, servers=ordered)
    caller.tokens = {**caller.tokens, server: shown}
    caller.unconnected = {name: each for name, each in caller.unconnected.items() if name != server}


def unavailable(server: str, error: NoToken) -> Deny:
    """Whether the caller has agreed cannot be said now."""
    return Deny(503, "consent_unavailable", f"there is no token for '{server}' now: {error}")


def _said(body: bytes) -> Respond:
    return Respond(200, JSON, body, f"dragoman_{eliciting.CODE}")


_NOBODY: Final = Deny(401, "missing_credential", "nobody is known whose consent it could be")
