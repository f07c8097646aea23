"""Calls of tools that are known as they are listed, where guards judge by the tool's own schemas,
or read what servers list: a tool whose definition is withheld is none."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from extproc.facts import McpCall
from extproc.later import later
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.jsonrpc import INTERNAL_ERROR
from extproc.mcp.lists import ListKind, Page
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.mcp_exchange.asked import Answering, Caller
from extproc.mcp_serving.saying import fault
from extproc.mcp_serving.whose import Whose


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
