"""The variables that a CEL expression may name: one row each, and what each costs to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable. Flat: `principal.groups` is one name, not a field of `principal`."""

    name: str
    type: str
    """A CEL type: `string`, `list<string>`, `map<string, dyn>`."""
    doc: str
    """One sentence for the reference page."""
    header: str = ""
    """The request header that it is read from, which Envoy must then forward."""
    needs_body: bool = False
    """True when it is known only after the request's body was read."""
    needs_answer: bool = False
    """True when it is known only when the answer has begun."""


_STRINGS = "map<string, string>"
_DYNAMIC = "map<string, dyn>"

VARIABLES: tuple[Variable, ...] = (
    Variable("request.method", "string", "The HTTP method, in capitals: `POST`."),
    Variable("request.path", "string", "The path, without the query: `/v1/chat/completions`."),
    Variable("request.query", "string", "What follows the `?`; empty when nothing does."),
    Variable(
        "request.host", "string", "The authority that the client asked for.", header=":authority"
    ),
    Variable(
        "request.headers",
        _STRINGS,
        'The request\'s headers, by lower-case name: `request.headers["x-team"]`. Those that hold'
        " [secrets](#secrets) are `[redacted]`.",
    ),
    Variable(
        "request.id", "string", "The request's id, as in Envoy's logs.", header="x-request-id"
    ),
    Variable("source.address", "string", "The client's IP address."),
    Variable(
        "source.identity",
        "string",
        "The first URI name of the client's certificate (a SPIFFE ID), else its first DNS name;"
        " absent without a certificate that the gateway has asked for and checked.",
    ),
    Variable(
        "source.subject",
        "string",
        "The subject of that certificate: `CN=agent,O=example`; absent without one.",
    ),
    Variable(
        "principal.name",
        "string",
        "The name of the caller's key, the subject of the token, or the user; empty when"
        " anonymous.",
    ),
    Variable("principal.user", "string", "The user; empty when nobody knows."),
    Variable("principal.team", "string", "The user's team; empty when nobody knows."),
    Variable("principal.groups", "list<string>", "The caller's groups; empty when anonymous."),
    Variable("principal.tags", _STRINGS, "The caller's tags; empty when anonymous."),
    Variable(
        "principal.kind",
        "string",
        "What proved who is calling: `api_key`, `jwt`, `introspection`, `login`, `certificate` or"
        " `basic`; empty when anonymous.",
    ),
    Variable("principal.is_anonymous", "bool", "True when the request carried no credential."),
    Variable("apiKey.name", "string", "The name of the API key; absent without one."),
    Variable(
        "apiKey.key",
        "string",
        "The key itself, a [secret](#secrets): `apiKey.key.unredacted()`; absent without one.",
    ),
    Variable(
        "jwt",
        _DYNAMIC,
        "The claims of the caller's token, or what the server says that was asked about it:"
        " `jwt.email`; absent without one.",
    ),
    Variable(
        "external",
        _DYNAMIC,
        "What the service says that was asked about the request (`external_authz`):"
        ' `external["x-tier"]`; absent where it says nothing, or none was asked.',
    ),
    Variable("context.request_time", "timestamp", "When the request came, in UTC."),
    Variable("resource.kind", "string", "What is asked for: `llm`, `mcp`, `a2a` or `http`."),
    Variable(
        "resource.name",
        "string",
        "Its name: the model, the tool, the agent or the route.",
        needs_body=True,
    ),
    Variable(
        "resource.namespace",
        "string",
        "Whose it is: the model's provider or the tool's server; absent on plain routes.",
        needs_body=True,
    ),
    Variable("llm.model", "string", "The model, as the client asked for it.", needs_body=True),
    Variable(
        "llm.provider",
        "string",
        "The provider that is to be asked first; another may answer after a failure.",
        needs_body=True,
    ),
    Variable("llm.is_stream", "bool", "True when the client wants a stream.", needs_body=True),
    Variable(
        "llm.max_output_tokens",
        "int",
        "The client's own limit on the answer; absent when it set none.",
        needs_body=True,
    ),
    Variable(
        "llm.estimated_input_tokens",
        "int",
        "How many tokens the request is thought to have.",
        needs_body=True,
    ),
    Variable(
        "llm.params",
        _DYNAMIC,
        "What the body says beside the conversation, as the client's API calls it:"
        " `llm.params.temperature`, `llm.params.generationConfig.topK`.",
        needs_body=True,
    ),
    Variable(
        "llm.prompt",
        "string",
        "All text that the model would read, one part per line.",
        needs_body=True,
    ),
    Variable("mcp.method", "string", "The JSON-RPC method: `tools/call`.", needs_body=True),
    Variable(
        "mcp.server",
        "string",
        "The MCP server whose tool, prompt or resource is asked for, or stands in a list; empty of"
        " what is none's, such as `initialize`.",
        needs_body=True,
    ),
    Variable(
        "mcp.tool",
        "string",
        "The tool that is called, or stands in a list, as its server calls it; empty where it is no"
        " tool.",
        needs_body=True,
    ),
    Variable("mcp.prompt", "string", "The same of a prompt.", needs_body=True),
    Variable(
        "mcp.resource",
        "string",
        "The URI of a resource, or of a template; empty where it is none.",
        needs_body=True,
    ),
    Variable(
        "mcp.arguments",
        _DYNAMIC,
        "The arguments of the call of a tool or a prompt; empty where there are none.",
        needs_body=True,
    ),
    Variable(
        "a2a.method",
        "string",
        "The operation of an A2A request, as revision 1.0 calls it, whatever the client speaks:"
        " `SendMessage`, `GetTask`.",
        needs_body=True,
    ),
    Variable("a2a.agent", "string", "The agent that is asked.", needs_body=True),
    Variable(
        "a2a.group",
        "string",
        "The group that the client asks, where the agent is chosen in it; empty where the agent, or"
        " a group, is asked itself.",
        needs_body=True,
    ),
    Variable(
        "a2a.skill",
        "string",
        "The skill that the message names in its metadata (`skill` or `skillId`); empty where it"
        " names none.",
        needs_body=True,
    ),
    Variable(
        "a2a.task_id",
        "string",
        "The task that the request is about; empty where it is none.",
        needs_body=True,
    ),
    Variable("a2a.context_id", "string", "The same of a context.", needs_body=True),
    Variable(
        "a2a.chain",
        "list<string>",
        "The agents that asked each other before, through the gateway, as the request's `baggage`"
        " says: no proof of anything.",
        needs_body=True,
    ),
    Variable(
        "a2a.parts",
        "list<map<string, dyn>>",
        "The parts of the message: `a2a.parts.all(part, has(part.text))`; empty where there is"
        " none.",
        needs_body=True,
    ),
    Variable(
        "a2a.task_state",
        "string",
        "The state of the task that an agent answers, or an event of its stream, tells of, as"
        " revision 1.0 calls it: `TASK_STATE_COMPLETED`; empty where it tells of none. For rules of"
        " `phase: response` alone, which are asked about each answer and event, and not about"
        " errors.",
        needs_answer=True,
    ),
    Variable(
        "mcp.result",
        _DYNAMIC,
        "What a call of MCP comes to: `mcp.result.isError`, `mcp.result.structuredContent.total`."
        " For rules of `phase: response` alone, which are not asked about errors of JSON-RPC.",
        needs_answer=True,
    ),
    Variable(
        "response.status",
        "int",
        "The status of the answer: `200`. Like all of the answer, for rules of `phase: response`"
        " alone.",
        needs_answer=True,
    ),
    Variable(
        "response.headers",
        _STRINGS,
        "Its headers, by lower-case name, before any of the answer is translated:"
        ' `response.headers["content-type"]`.',
        needs_answer=True,
    ),
    Variable(
        "response.provider",
        "string",
        "The provider that answered, after whatever failures; absent on plain routes.",
        needs_answer=True,
    ),
)

HIDDEN: tuple[Variable, ...] = (
    Variable("request.secrets", _STRINGS, "`request.headers`, with what is secret in it."),
    Variable(
        "response.secrets",
        _STRINGS,
        "`response.headers`, with what is secret in it.",
        needs_answer=True,
    ),
)
"""What no expression names: what is read where one says `unredacted()`."""

OF_ANSWERS = frozenset(variable.name for variable in (*VARIABLES, *HIDDEN) if variable.needs_answer)
"""What rules of answers alone may read."""

OF_CERTIFICATES = frozenset({"source.identity", "source.subject"})
"""What Envoy has to tell of the client's certificate for."""
