"""Where the values of CEL variables come from: one small function each, called only when named.

A getter answers None for what this request does not have; the variable is then absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from extproc.facts import A2aCall, Facts, McpCall
from extproc.principal import Kind
from gateway import names
from gateway.cel import EVERY_HEADER
from gateway.cel_secrets import SECRET_HEADERS, covered

Getter: TypeAlias = Callable[[Facts], object | None]
Sources: TypeAlias = tuple[tuple[str, Getter], ...]

_BEARER = "bearer "
_BEARER_CHARACTERS = len(_BEARER)
ARGUMENTS = "mcp.arguments"
OF_ONE_CALL = frozenset(
    {ARGUMENTS, "a2a.chain", "a2a.parts", "a2a.skill", "a2a.task_id", "a2a.context_id"}
)
"""What no entry of a list has."""
PROMPT = "llm.prompt"
ESTIMATE = "llm.estimated_input_tokens"
PARAMS = "llm.params"
"""What it takes to know these is asked first: each costs a look at all that is said."""
_CONVERSATION = frozenset(
    {
        "content",
        "contents",
        "documents",
        "input",
        "instructions",
        "messages",
        "prompt",
        "query",
        "system",
        "systemInstruction",
        "system_instruction",
    }
)
"""Fields of bodies, in any dialect, that are what the model reads."""


def _tags(facts: Facts) -> dict[str, str]:
    return dict(facts.principal.tags) if facts.principal is not None else {}


def _groups(facts: Facts) -> list[str]:
    return list(facts.principal.groups) if facts.principal is not None else []


def _key(facts: Facts) -> str | None:
    return (facts.principal.key or None) if facts.principal is not None else None


def _api_key(facts: Facts) -> str | None:
    """As it was sent; who is known by something else has none."""
    if facts.principal is None or facts.principal.kind is not Kind.API_KEY:
        return None
    for name in names.CREDENTIAL_HEADERS:
        if sent := facts.headers.get(name):
            is_bearer = sent[:_BEARER_CHARACTERS].lower() == _BEARER
            return (sent[_BEARER_CHARACTERS:] if is_bearer else sent).strip()
    return None


def _claims(facts: Facts) -> Mapping[str, object] | None:
    return facts.principal.claims if facts.principal is not None else None


def _host(facts: Facts) -> str | None:
    host = facts.headers.get(":authority")
    return facts.headers.get("host") if host is None else host


def _if_llm(getter: Getter) -> Getter:
    return lambda facts: getter(facts) if facts.model else None


def _of_mcp(read: Callable[[McpCall], object]) -> Getter:
    """What an MCP request does not ask for is empty, so that a rule about tools says nothing of
    prompts."""
    return lambda facts: read(facts.mcp) if facts.mcp is not None else None


def _of_a2a(read: Callable[[A2aCall], object]) -> Getter:
    """The same of an A2A request."""
    return lambda facts: read(facts.a2a) if facts.a2a is not None else None


def _kind(facts: Facts) -> str:
    if facts.mcp is not None:
        return "mcp"
    if facts.a2a is not None:
        return "a2a"
    return "http" if facts.route else "llm"


def _name(facts: Facts) -> str | None:
    if facts.mcp is not None:
        return facts.mcp.name or None
    if facts.a2a is not None:
        return facts.a2a.agent
    return facts.route or facts.model or None


def _namespace(facts: Facts) -> str | None:
    return (facts.mcp.server if facts.mcp is not None else facts.provider) or None


GETTERS: Mapping[str, Getter] = {
    "request.method": lambda facts: facts.method,
    "request.path": lambda facts: facts.path.partition("?")[0],
    "request.query": lambda facts: facts.path.partition("?")[2],
    "request.host": _host,
    "request.id": lambda facts: facts.headers.get("x-request-id"),
    "source.address": lambda facts: facts.source_address or None,
    "source.identity": lambda facts: facts.source_identity or None,
    "source.subject": lambda facts: facts.source_subject or None,
    "principal.name": lambda facts: facts.principal.name if facts.principal is not None else "",
    "principal.user": lambda facts: facts.principal.user if facts.principal is not None else "",
    "principal.team": lambda facts: facts.principal.team if facts.principal is not None else "",
    "principal.groups": _groups,
    "principal.tags": _tags,
    "principal.kind": lambda facts: facts.principal.kind if facts.principal is not None else "",
    "principal.is_anonymous": lambda facts: facts.principal is None,
    "apiKey.name": _key,
    "apiKey.key": _api_key,
    "jwt": _claims,
    "external": lambda facts: facts.external,
    "context.request_time": lambda facts: facts.now,
    "resource.kind": _kind,
    "resource.name": _name,
    "resource.namespace": _namespace,
    "mcp.method": _of_mcp(lambda call: call.method),
    "mcp.server": _of_mcp(lambda call: call.server),
    "mcp.tool": _of_mcp(lambda call: call.tool),
    "mcp.prompt": _of_mcp(lambda call: call.prompt),
    "mcp.resource": _of_mcp(lambda call: call.resource),
    ARGUMENTS: _of_mcp(lambda call: call.arguments),
    "a2a.method": _of_a2a(lambda call: call.method),
    "a2a.agent": _of_a2a(lambda call: call.agent),
    "a2a.group": _of_a2a(lambda call: call.group),
    "a2a.skill": _of_a2a(lambda call: call.skill),
    "a2a.task_id": _of_a2a(lambda call: call.task),
    "a2a.context_id": _of_a2a(lambda call: call.context),
    "a2a.chain": _of_a2a(lambda call: list(call.chain)),
    "a2a.parts": _of_a2a(lambda call: list(call.parts)),
    "a2a.task_state": _of_a2a(lambda call: call.task_state),
    "mcp.result": _of_mcp(lambda call: call.result),
    "llm.model": lambda facts: facts.model or None,
    "llm.provider": lambda facts: facts.provider or None,
    "llm.is_stream": _if_llm(lambda facts: facts.is_stream),
    "llm.max_output_tokens": lambda facts: facts.max_output_tokens,
    ESTIMATE: _if_llm(lambda facts: facts.estimated_input_tokens),
    PARAMS: _if_llm(lambda facts: params_of(facts.document)),
    PROMPT: _if_llm(lambda facts: "\n".join(facts.texts)),
    "response.status": lambda facts: facts.status or None,
    "response.provider": lambda facts: facts.answered_by or None,
}
"""`request.headers` and `response.headers` are made to measure by `getters`."""


def params_of(document: Mapping[str, object]) -> dict[str, object]:
    """What a request says beside the conversation, which would cost more to be made ready for an
    expression than all the rest."""
    return {name: value for name, value in document.items() if name not in _CONVERSATION}


def getters(
    headers: frozenset[str], answer_headers: frozenset[str] = frozenset()
) -> Mapping[str, Getter]:
    """All of them, for expressions that read these headers."""
    of_answers, read = _read(answer_headers), _read(headers)
    return {
        **GETTERS,
        "request.headers": headers_getter(headers),
        "request.secrets": lambda facts: read(facts.headers),
        "response.headers": lambda facts: (
            covered(of_answers(facts.answer_headers)) if facts.status else None
        ),
        "response.secrets": lambda facts: (
            of_answers(facts.answer_headers) if facts.status else None
        ),
    }


def sources(wanted: Iterable[str], known: Mapping[str, Getter]) -> Sources:
    """Of the variables of these names that can be there."""
    return tuple((name, known[name]) for name in wanted if name in known)


def known_values(found: Sources, facts: Facts) -> dict[str, object]:
    """What the request does not have is left out."""
    read = {name: getter(facts) for name, getter in found}
    return {name: value for name, value in read.items() if value is not None}


def headers_getter(read: frozenset[str]) -> Getter:
    """The headers that some expression reads, and no others: converting them is what costs. What is
    secret in them is not shown."""
    known = _read(read)
    if SECRET_HEADERS.isdisjoint(read) and EVERY_HEADER not in read:
        return lambda facts: known(facts.headers)
    return lambda facts: covered(known(facts.headers))


def _read(read: frozenset[str]) -> Callable[[Mapping[str, str]], dict[str, str]]:
    if EVERY_HEADER in read:
        return dict
    wanted = tuple(sorted(read))

    def named(headers: Mapping[str, str]) -> dict[str, str]:
        return {name: headers[name] for name in wanted if name in headers}

    return named
