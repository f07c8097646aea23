"""What several servers say of themselves, as one: at the start of a session, and to clients without
sessions. https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from extproc.events import Action
from extproc.facts import McpCall
from extproc.later import later
from extproc.mcp import headers, merging, messages, requests
from extproc.mcp.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS
from extproc.mcp.merging import Hello
from extproc.mcp.messages import Message
from extproc.mcp.sessions import Session, bounded
from extproc.mcp_exchange import consenting
from extproc.mcp_exchange.asked import Answering, Caller
from extproc.mcp_serving.federation import Joined
from extproc.mcp_serving.saying import fault, result
from extproc.mcp_serving.whose import Whose

_SERVER_INFO: Final = msgspec.json.encode(requests.SERVER_INFO)
_EMPTY: Final = b"{}"


def begun(caller: Caller, message: Message) -> Answering:
    """`initialize`: a session with all of them, whose id holds theirs."""
    denied = caller.judged(message, McpCall("initialize", view=caller.view.name))
    if denied is not None:
        return denied
    if (wrong := _wrong(message.params)) is not None:
        return fault(message.fault(INVALID_PARAMS, f"invalid params: {wrong}", 200))
    params = messages.params(message.body) or _EMPTY

    def opened(found: Mapping[str, Joined] | str) -> Answering:
        if isinstance(found, str):
            return fault(message.fault(INTERNAL_ERROR, found, 502))
        return _told(caller, found, lambda hellos: _begun(caller, message, found, hellos))

    return later(caller.serving.federation.open(caller.view, params), opened)


def _wrong(params: Mapping[str, object]) -> str | None:
    """What of a client's greeting no server would take; None: nothing."""
    if not isinstance(params.get("protocolVersion"), str):
        return "'protocolVersion' is no text"
    names = ("capabilities", "clientInfo")
    odd = next((name for name in names if not isinstance(params.get(name, {}), dict)), None)
    return None if odd is None else f"{odd!r} is no object"


def discovered(caller: Caller, whose: Whose, message: Message) -> Answering:
    """`server/discover`, of a client without a session."""

    def known(found: Mapping[str, Joined] | str) -> Answering:
        if isinstance(found, str):
            return fault(message.fault(INTERNAL_ERROR, found, 502))
        return _told(caller, found, said)

    def said(hellos: Mapping[str, Hello]) -> Action:
        return result(message, merging.discover(merging.MODERN_REVISIONS, hellos, _SERVER_INFO))

    return later(caller.serving.federation.discover(caller.view, whose), known)


def _begun(
    caller: Caller, message: Message, found: Mapping[str, Joined], hellos: Mapping[str, Hello]
) -> Action:
    asked = message.text("protocolVersion")
    session = Session(
        caller.view.name,
        {name: each.session for name, each in found.items()},
        merging.agreed(asked),
        bounded(messages.params(message.body) or _EMPTY),
        int(caller.facts.now.timestamp()),
        secrets.token_hex(8),
    )
    said = merging.initialize(asked, hellos, _SERVER_INFO, is_changing=True)
    sealed = caller.serving.views.sealer.seal(session, caller.binding)
    return result(message, said, ((headers.SESSION_ID, sealed),))


def _told(
    caller: Caller, found: Mapping[str, Joined], then: Callable[[Mapping[str, Hello]], Answering]
) -> Answering:
    """What comes of it, past the guards that read what servers say of themselves."""
    said, screen = consenting.hellos(caller, found), caller.screen()
    return then(said) if screen is None else later(screen.hellos(said), then)
