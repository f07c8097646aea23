"""Calls of tools that guards judge by the tool's own schemas: they are known as they are listed."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from extproc.facts import McpCall
from extproc.later import later
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.jsonrpc import INTERNAL_ERROR
from extproc.mcp.lists import ListKind
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.mcp_exchange.asked import Answering, Caller
from extproc.mcp_serving.federation import Whose
from extproc.mcp_serving.saying import fault


def defined(
    caller: Caller,
    whose: Whose,
    message: Message,
    call: McpCall,
    then: Callable[[McpCall], Answering],
) -> Answering:
    """What comes of a call, known with the definition of its tool where a guard wants it."""
    if not call.tool or not caller.wants_definition(call):
        return then(call)
    kinds = (ListKind.TOOLS,)
    listing = caller.serving.federation.catalogue(caller.view, whose, kinds, is_routing=True)

    def listed(found: Catalogue | str) -> Answering:
        if isinstance(found, str):
            return fault(message.fault(INTERNAL_ERROR, found, 502))
        definition = found.definition(Target(call.server, call.tool))
        return then(structs.replace(call, definition=definition))

    return later(listing, listed)
