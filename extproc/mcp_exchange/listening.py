"""What several MCP servers say unasked: the hub joins it, and is told here of whom, for whom.

Clients with a session open a stream by GET; those without ask by `subscriptions/listen`
(https://modelcontextprotocol.io/specification/2026-07-28/basic/utilities/subscriptions).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import msgspec

from extproc.events import Action, Direct
from extproc.facts import McpCall
from extproc.mcp import headers, messages, requests
from extproc.mcp.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS
from extproc.mcp.lists import ListKind
from extproc.mcp.messages import Message
from extproc.mcp.sessions import ServerSession
from extproc.mcp.tickets import owner_of
from extproc.mcp.views import Served
from extproc.mcp_exchange.asked import Caller
from extproc.mcp_serving.overseeing import CODINGS
from extproc.mcp_serving.saying import fault
from extproc.mcp_serving.whose import Whose
from gateway import names

LISTEN: Final = "subscriptions/listen"
_SUBSCRIBE: Final = "resources/subscribe"
_URIS: Final = "resourceSubscriptions"
_OF_URIS: Final = (ListKind.RESOURCES, ListKind.TEMPLATES, ListKind.TOOLS)
_MOST_URIS: Final = 256


def streams(caller: Caller, whose: Whose, *, is_shown: bool) -> Direct:
    """The stream that a GET opens; `is_shown`: guards read it."""
    known = {
        name: session
        for name, served in _speaking(caller).items()
        if (session := caller.serving.federation.known(served, whose)) is not None
    }
    head = _head(caller, whose, known, {})
    removed = (headers.SESSION_ID, CODINGS)
    return Direct(caller.serving.ways.hub, False, head, removed, is_shown=is_shown)


async def listened(caller: Caller, whose: Whose, message: Message) -> Action:
    """The stream that a client without a session asks for."""
    wanted = message.params.get("notifications")
    if not isinstance(wanted, dict):
        return fault(message.fault(INVALID_PARAMS, "invalid params: no 'notifications'"))
    said = wanted.get(_URIS)
    uris = [each for each in said if isinstance(each, str)] if isinstance(said, list) else []
    if len(uris) > _MOST_URIS:
        return fault(message.fault(INVALID_PARAMS, f"more than {_MOST_URIS} resources"))
    owned = await _owned(caller, whose, message, uris) if uris else {}
    if isinstance(owned, str):
        return fault(message.fault(INTERNAL_ERROR, owned, 502))
    sessions = await _sessions(caller, whose, owned)
    more = {
        "listen": msgspec.Raw(message.raw_id),
        "notifications": {name: True for name, value in wanted.items() if value is True},
        "uris": owned,
    }
    removed = (headers.METHOD, headers.NAME, headers.PROTOCOL_VERSION)
    head = _head(caller, whose, sessions, more)
    return Direct(caller.serving.ways.listening, True, head, removed)


async def _owned(
    caller: Caller, whose: Whose, message: Message, uris: list[str]
) -> dict[str, dict[str, str]] | str:
    """By server, its resources among these, and what the client calls them; those that the caller
    may not read are left out. Text: a required server does not say what it has."""
    catalogue = await caller.serving.federation.catalogue(
        caller.view, whose, _OF_URIS, is_routing=True
    )
    if isinstance(catalogue, str):
        return catalogue
    owned: dict[str, dict[str, str]] = {}
    for uri in uris:
        for server, own in catalogue.resource(uri)[:1]:
            call = McpCall(_SUBSCRIBE, server, resource=own, view=caller.view.name)
            if caller.judged(message, call) is None:
                owned.setdefault(server, {})[own] = uri
    return owned


async def _sessions(
    caller: Caller, whose: Whose, owned: Mapping[str, Mapping[str, str]]
) -> dict[str, ServerSession]:
    """With all servers that answer; those that have sessions are told what is subscribed to."""
    federation, found = caller.serving.federation, dict[str, ServerSession]()
    for name, served in _speaking(caller).items():
        session = await federation.session(served, whose)
        if session is None:
            continue
        found[name] = session
        if not headers.is_modern(session.revision):
            for own in owned.get(name, ()):
                params = b'{"uri":%s}' % messages.text(own)
                asked = requests.asked(served, session, _SUBSCRIBE, params, whose.client)
                await federation.replay(served, asked)
    return found


def _speaking(caller: Caller) -> Mapping[str, Served]:
    """REST APIs say nothing unasked."""
    return {name: each for name, each in caller.view.servers.items() if not each.is_api}


def _owner(caller: Caller) -> dict[str, str]:
    """Who is told when a server is connected."""
    principal = caller.facts.principal
    if caller.serving.connections is None or principal is None:
        return {}
    return {"owner": owner_of(principal)}


def _head(
    caller: Caller,
    whose: Whose,
    sessions: Mapping[str, ServerSession],
    more: Mapping[str, object],
) -> tuple[tuple[str, str], ...]:
    document = {
        "view": caller.view.name,
        "servers": {name: (each.id, each.revision) for name, each in sessions.items()},
        "number": whose.session.nonce,
        **({"tokens": dict(caller.tokens)} if caller.tokens else {}),
        **_owner(caller),
        **more,
    }
    coded = base64.b64encode(msgspec.json.encode(document)).decode()
    return ((names.MCP_STREAMS_HEADER, coded),)
