"""Calls of tools that are known as they are listed, where guards judge by the tool's own schemas,
or read what servers list: a tool whose definition is withheld is none."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import structs

from extproc.facts import McpCall
from extproc.later import later
from extproc.mcp import headers, requests
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.jsonrpc import INTERNAL_ERROR
from extproc.mcp.lists import ListKind, Page
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.mcp.requests import Answer, Client
from extproc.mcp.sessions import ServerSession, Session
from extproc.mcp_exchange.asked import Answering, Caller
from extproc.mcp_serving.alone import Withheld
from extproc.mcp_serving.saying import fault
from extproc.mcp_serving.whole_lists import why_none
from extproc.mcp_serving.whose import Whose

_NOTHING_SAID = msgspec.Raw(b"{}")


def defined(
    caller: Caller,
    whose: Whose,
    message: Message,
    call: McpCall,
    then: Callable[[McpCall], Answering],
) -> Answering:
    """What comes of a call, known with the definition of its tool where a guard wants it."""
    if not call.tool:
        return then(call)
    if not caller.wants_definition(call):
        return _screened(caller, whose, message, call, then)
    kinds = (ListKind.TOOLS,)
    listing = caller.serving.federation.catalogue(caller.view, whose, kinds, is_routing=True)

    def listed(found: Catalogue | str) -> Answering:
        if isinstance(found, str):
            return fault(message.fault(INTERNAL_ERROR, found, 502))
        definition = found.definition(Target(call.server, call.tool))
        known = structs.replace(call, definition=definition)
        return _screened(caller, whose, message, known, then)

    return later(listing, listed)


def _screened(
    caller: Caller,
    whose: Whose,
    message: Message,
    call: McpCall,
    then: Callable[[McpCall], Answering],
) -> Answering:
    if whose.screen is None or not caller.screens(call.server):
        return then(call)
    federation = caller.serving.federation
    listing = federation.listed(caller.view, whose, call.server, ListKind.TOOLS)

    def listed(found: Page | str | None) -> Answering:
        if isinstance(found, str):
            return fault(message.fault(INTERNAL_ERROR, found, 502))
        deny = None if found is None else found.withheld.get(call.tool)
        return then(call) if deny is None else caller.withheld(message, call, deny)

    return later(listing, listed)


def listed_alone(
    caller: Caller, own_id: str, message: Message, call: McpCall, then: Callable[[], Answering]
) -> Answering:
    """What comes of a call of a server alone, whose list guards read: it is held against that.
    `own_id`: what the server calls the session."""

    def listed(found: Withheld | Answer) -> Answering:
        if isinstance(found, Answer):
            text = f"the server '{call.server}' gives no list of its tools: {why_none(found)}"
            status = found.status if 400 <= found.status < 500 else 502
            return fault(message.fault(INTERNAL_ERROR, text, status))
        deny = found.get(call.tool)
        return then() if deny is None else caller.withheld(message, call, deny)

    lists, scope = caller.serving.alone, _scope_alone(caller, message)
    known = lists.known(caller.view, scope)
    if known is not None:
        return listed(known)
    revision = headers.revision(caller.facts.headers, message)
    is_modern = headers.is_modern(revision)
    client = requests.client_of_meta(message.meta) if is_modern else Client()
    servers = {call.server: ServerSession(own_id, revision)}
    session = Session(caller.view.name, servers, revision, _NOTHING_SAID, 0, "")
    return later(lists.ask(caller.view, Whose(session, scope, client, caller.screen())), listed)


def asks_alone(caller: Caller, message: Message) -> None:
    """The client of a server alone asks for the list itself, and may be told another."""
    if caller.screens(caller.view.only.name):
        caller.serving.alone.forget(caller.view, _scope_alone(caller, message))


def _scope_alone(caller: Caller, message: Message) -> str:
    """Whose the list of a server alone is: the session's, else all that is known of the client."""
    if caller.session_id:
        return caller.session_id
    client = requests.client_of_meta(message.meta)
    return f"sessionless\n{caller.binding}\n{requests.initialize_of(client)!r}"
