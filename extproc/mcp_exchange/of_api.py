"""One message to a REST API: the worker answers for it, and asks it through Envoy if it must."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from extproc.a2a_serving.listing import listing
from extproc.events import Respond
from extproc.mcp import headers, jsonrpc, messages
from extproc.mcp.jsonrpc import INTERNAL_ERROR, Fault
from extproc.mcp.messages import Message
from extproc.mcp.results import Keeping
from extproc.mcp.views import Served
from extproc.mcp_exchange.asked import Caller
from extproc.mcp_serving import agents
from extproc.mcp_serving.saying import fault
from extproc.mcp_serving.serving import head_of
from extproc.ports import Answered, Asked, ServiceUnavailable
from extproc.protocols.json_spans import Path
from extproc.told import header_values

_JSON = {"content-type": "application/json"}
_PASSED = (headers.PROTOCOL_VERSION, headers.METHOD)
"""What a client says beside the body."""


class ToApi(Struct, frozen=True):
    """What an API's server is told."""

    body: bytes
    """One message or several, in the words of the server."""
    message: Message | None = None
    """The one message, as the client calls what is in it."""
    tool: str = ""
    """The one that is called, as the server knows it; empty: none."""
    revision: str = ""
    """Of its session; empty: as the client says."""


def to_api(message: Message, tool: str, revision: str, changes: Mapping[Path, bytes]) -> ToApi:
    """A message, in which something is called as the server knows it."""
    body = messages.rewritten(message.body, changes) if changes else message.body
    return ToApi(body, message, tool, revision)


async def answered(
    caller: Caller, served: Served, told: ToApi, keeping: Keeping | None = None
) -> Respond:
    """What it answers, past the guards that read it; `keeping`: a result is kept."""
    said = caller.facts.headers
    head = [(name, said[name]) for name in _PASSED if name in said and not told.revision]
    if told.revision:
        head.append((headers.PROTOCOL_VERSION, told.revision))
    head += head_of(caller.serving.terms_of(served.name, told.tool))
    asked = Asked("POST", served.path, tuple(head), told.body)
    try:
        found = await _of_agents(caller, served, asked)
        if found is None:
            found = await caller.serving.federation.relay(served, asked)
    except ServiceUnavailable as error:
        text = f"the server '{served.name}' gives no answer: {error}"
        raw_id = jsonrpc.NO_ID if told.message is None else told.message.raw_id
        return fault(Fault(INTERNAL_ERROR, text, raw_id, 502))
    body, kind = found.body, found.headers.get("content-type", "")
    if keeping is not None and keeping.begins(found.status, kind):
        keeping.feed(body, is_end=True)
    if told.message is not None and body:
        overseen = caller.overseen((served.name,), told.message)
        body = body if overseen is None else await overseen.whole(body)
    of_body = (("content-type", kind),) if kind else ()
    limits = header_values(caller.admission.told) if caller.admission.told else ()
    return Respond(found.status, (*of_body, *limits), body, "dragoman_mcp")


async def _of_agents(caller: Caller, served: Served, asked: Asked) -> Answered | None:
    """The answer to a call of the list of agents, which depends on who calls; None: it is none."""
    if not served.is_agents or caller.program.a2a is None:
        return None
    message = messages.read(asked.body)
    if not isinstance(message, Message) or message.method != "tools/call":
        return None
    if message.name != agents.TOOL:
        return None
    rules, patience = caller.program.rules.of_entries, served.timeout_seconds
    registry, view = await listing(caller.program.a2a, rules, caller.facts, patience)
    revision = headers.revision(dict(asked.headers), message)
    return Answered(200, _JSON, agents.called(message, revision, registry, view))
