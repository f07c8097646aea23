"""Calls of tools that only read, answered by what was answered before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from extproc.later import later
from extproc.mcp import jsonrpc
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.lists import ListKind
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.mcp.results import Keeping, is_read_only, key_of, may_be_kept
from extproc.mcp_exchange.asked import Answering, Caller
from extproc.mcp_serving.saying import relayed
from extproc.mcp_serving.whose import Whose
from gateway.mcp import CacheFor, ToolTerms

Going: TypeAlias = Callable[[Keeping | None], Answering]
"""Asks the server; what it answers is kept, unless there is None."""


def remembered(
    caller: Caller, whose: Whose, message: Message, target: Target, going: Going
) -> Answering:
    """What comes of a call: the result that is kept, past the guards that read it, or the
    server's."""
    is_call = message.method == "tools/call"
    terms = caller.serving.terms_of(target.server, target.name) if is_call else None
    if terms is None or not terms.cache_seconds or not may_be_kept(message):
        return going(None)
    if terms.is_read_only:
        return _found(caller, whose, message, target, terms, going)
    kinds = (ListKind.TOOLS,)
    listing = caller.serving.federation.catalogue(caller.view, whose, kinds, is_routing=True)

    def listed(catalogue: Catalogue | str) -> Answering:
        if isinstance(catalogue, str) or not _says_so(catalogue, target):
            return going(None)
        return _found(caller, whose, message, target, terms, going)

    return later(listing, listed)


def _found(
    caller: Caller,
    whose: Whose,
    message: Message,
    target: Target,
    terms: ToolTerms,
    going: Going,
) -> Answering:
    is_everybodys = terms.cache_for is CacheFor.EVERYBODY
    owner = "" if is_everybodys else caller.binding or f"session\n{whose.scope}"
    key = key_of(message, target.server, target.name, owner, is_modern=whose.is_sessionless)
    results = caller.serving.results
    said = results.get(key)
    if said is None:
        return going(Keeping(results, key, terms.cache_seconds))
    body = jsonrpc.result(message.raw_id, said)
    overseen = caller.overseen((target.server,), message)
    return relayed(body) if overseen is None else later(overseen.whole(body), relayed)


def _says_so(catalogue: Catalogue, target: Target) -> bool:
    """The tool's own annotation."""
    definition = catalogue.definition(target)
    return bool(definition) and is_read_only(definition)
