"""What is answered for several MCP servers by asking them, one after the other, or by their lists:
of a resource that nobody lists, who knows it; which tools are about what is searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec.structs import replace

from extproc.events import Action, Respond
from extproc.facts import McpCall
from extproc.later import later
from extproc.mcp import headers, jsonrpc, messages, requests, rounds, search
from extproc.mcp.catalogue import Catalogue
from extproc.mcp.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS
from extproc.mcp.lists import ListKind
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.mcp.sessions import ServerSession
from extproc.mcp.upward import LEVELS, completed
from extproc.mcp.views import Served
from extproc.mcp_exchange.asked import Answering, Caller, call_of, is_of_prompt, named
from extproc.mcp_exchange.passage import Passage, crosses
from extproc.mcp_serving.federation import Worded
from extproc.mcp_serving.saying import fault, relayed, result, unknown
from extproc.mcp_serving.whose import Whose
from extproc.ports import Asked
from extproc.protocols.json_spans import Path

_EMPTY: Final = b"{}"
Going: TypeAlias = Callable[[Message, Target], Answering]
BY_URI: Final = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})


def place(message: Message) -> Path:
    """Where the name of what is asked for stands."""
    match message.method:
        case "tools/call" | "prompts/get":
            return messages.NAME
        case "completion/complete":
            return messages.REF_NAME if is_of_prompt(message) else messages.REF_URI
        case method if method in BY_URI:
            return messages.URI
    return messages.TASK_ID


def past_guards(
    caller: Caller, message: Message, servers: Sequence[str], then: Callable[[Message], Answering]
) -> Answering:
    """What comes of what is told to all of these, past the guards of each."""
    if not servers or caller.program.mcp_guards is None:
        return then(message)
    call = McpCall(message.method, servers[0], view=caller.view.name)
    return caller.guarded(
        message, call, lambda passed: past_guards(caller, passed, servers[1:], then)
    )


def in_turn(
    caller: Caller, whose: Whose, message: Message, targets: Sequence[Target], go: Going
) -> Answering:
    """One server after the other is asked, of those that rules allow, until one knows: past the
    limits of the first, and past the guards of all, since all may hear of it. `go`: what comes of
    it where one is asked alone, since it asks back."""
    refusal: Respond | None = None
    may: list[tuple[Target, McpCall]] = []
    for target in targets:
        call = call_of(message, target.server, target.name, caller.view.name)
        denied = caller.judged(message, call)
        refusal = refusal or denied
        if denied is None:
            may.append((target, call))
    if not may:
        return refusal or fault(unknown(message))

    def past(passed: Message, left: Sequence[tuple[Target, McpCall]]) -> Answering:
        if not left:
            return _asked(caller, whose, passed, [each for each, _ in may], go)
        return caller.guarded(passed, left[0][1], lambda each: past(each, left[1:]))

    if rounds.is_ours(message):  # it waits in the hub, and has been counted
        return past(message, may)
    return caller.admitted(message, may[0][1], lambda passed: past(passed, may[1:]))


def _asked(
    caller: Caller, whose: Whose, message: Message, targets: Sequence[Target], go: Going
) -> Answering:
    overseen = caller.overseen((target.server for target in targets), message)

    def answered(found: tuple[requests.Answer, Served | None]) -> Answering:
        said, server = found
        target = next((each for each in targets if server and each.server == server.name), None)
        if target is not None and said.is_question:
            return go(message, target)
        if target is not None and said.result is not None:
            if not whose.is_sessionless and _wants_input(said.result):
                return go(message, target)
            named_result = said.result
            if whose.is_sessionless:
                named_result = rounds.bound(completed(named_result, message.method), target.server)
            body = jsonrpc.result(message.raw_id, named_result)
        elif said.error is not None:
            body = b'{"jsonrpc":"2.0","id":%s,"error":%s}' % (message.raw_id, said.error)
        else:
            return fault(message.fault(INTERNAL_ERROR, said.why, 502))
        return relayed(body) if overseen is None else later(overseen.whole(body), relayed)

    asked = [
        (caller.view.servers[each.server], _worded(caller, whose, message, each))
        for each in targets
    ]
    return later(caller.serving.federation.ask_in_turn(whose, asked), answered)


def _wants_input(result: bytes) -> bool:
    """Whether a server of 2026-07-28 asks for something, as no client with a session is told."""
    return rounds.wanted(jsonrpc.result(jsonrpc.NO_ID, result)) is not None


def _worded(caller: Caller, whose: Whose, message: Message, target: Target) -> Worded:
    """As it is said to one of them. One of sessions that may ask a client without is asked through
    the hub, which knows what to do with its question."""
    served = caller.view.servers[target.server]
    name = target.name if message.method in headers.SOURCES else ""
    changes = {place(message): messages.text(target.name)}

    def worded(session: ServerSession) -> tuple[Served, Asked]:
        if whose.is_sessionless and crosses(message, whose, session):
            passage = Passage(caller, whose, served, session, message, target.name, changes)
            return passage.worded(served, session, caller.tokens.get(served.name, ""))
        params = messages.params(messages.rewritten(message.body, changes))
        asked = requests.asked(served, session, message.method, params, whose.client, name)
        return served, replace(asked, is_clients=True)

    return worded


def searched(caller: Caller, whose: Whose, message: Message) -> Answering:
    """The tools that somebody looks for, and may call."""
    call = call_of(message, "", search.SEARCH, caller.view.name)
    denied = caller.judged(message, call)
    if denied is not None:
        return denied

    def told(found: Catalogue | str) -> Action:
        if isinstance(found, str):
            return fault(message.fault(INTERNAL_ERROR, found, 502))
        is_allowed = caller.shows(ListKind.TOOLS)
        said = search.searched(found.index, message, is_allowed, whose.is_sessionless)
        return result(message, said)

    kinds = (ListKind.TOOLS,)
    listing = caller.serving.federation.catalogue(caller.view, whose, kinds, is_routing=True)
    return later(listing, told)


def level_set(caller: Caller, whose: Whose, message: Message) -> Answering:
    """From which level on all servers log ("Logging", "Error Handling")."""
    if (level := message.text("level")) not in LEVELS:
        text = f"invalid params: no level {level!r}; known: {', '.join(LEVELS)}"
        return fault(message.fault(INVALID_PARAMS, text, 200))
    params = messages.params(message.body) or _EMPTY
    asking = caller.serving.federation.ask_all(caller.view, whose, message.method, params)

    def told(answers: Mapping[str, requests.Answer]) -> Action:
        if any(each.result is not None for each in answers.values()):
            return result(message, _EMPTY)
        codes = [each.code for each in answers.values() if each.code]
        code = codes[0] if codes else INTERNAL_ERROR
        text = "no server takes this level" if code == INVALID_PARAMS else "no server logs"
        return fault(message.fault(code, text, 200))

    return later(asking, told)


def found_by_name(catalogue: Catalogue, message: Message) -> tuple[Target, ...]:
    """Whose a tool or a prompt is, by the lists."""
    find = catalogue.tool if message.method == "tools/call" else catalogue.prompt
    found = find(named(message))
    return () if found is None else (found,)


def found_by_uri(catalogue: Catalogue, message: Message) -> tuple[Target, ...]:
    """Whose a resource or a template can be."""
    is_template = message.method == "completion/complete"
    return catalogue.template(named(message)) if is_template else catalogue.resource(named(message))
