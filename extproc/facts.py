"""What is known about one request so far: filled in by the exchange, read by policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from extproc.principal import Principal
from extproc.rewording import Reword
from extproc.tokens import Tokens
from gateway.usage import Usage

NO_DEMANDS = Usage(0, 0)
NO_MEMBERS: Mapping[str, Any] = MappingProxyType({})
"""One for all: a struct makes a new one of each default that could change."""


class McpCall(Struct, frozen=True):
    """What is asked of MCP servers: by a request, or about one entry of a list."""

    method: str
    """The JSON-RPC method."""
    server: str = ""
    """Empty: it is none's, as `initialize` and `ping` are."""
    tool: str = ""
    """As its server calls it; so are the rest."""
    prompt: str = ""
    resource: str = ""
    """Its URI, or that of a template."""
    task: str = ""
    arguments: Mapping[str, object] = NO_MEMBERS
    """Of a tool or a prompt."""
    view: str = ""
    """Where the client asks; empty: where all servers are one."""
    definition: bytes = b""
    """Of the tool, as its server lists it; empty: nobody has asked, or there is none."""
    result: Mapping[str, object] | None = None
    """What came of it; None: it has no result, or none yet."""

    @property
    def name(self) -> str:
        """Of what is asked for; empty: nothing that has one."""
        return self.tool or self.prompt or self.resource or self.task


class A2aCall(Struct, frozen=True):
    """What is asked of an A2A agent."""

    method: str
    """The operation, as revision 1.0 calls it, whatever the client speaks: `SendMessage`."""
    agent: str
    task: str = ""
    """The task that it is about; empty: none."""
    context: str = ""
    skill: str = ""
    """What the message says that it is for, in its metadata."""
    parts: tuple[Mapping[str, object], ...] = ()
    """Of the message, as its revision writes them."""
    chain: tuple[str, ...] = ()
    """The agents that asked each other before, through the gateway, as the request says."""
    group: str = ""
    """Which the client asks, of those that the agent is in; empty: the agent itself."""
    task_state: str = ""
    """Of the answer, in 1.0's words; empty: there is none yet, or nothing says it."""


class Facts(Struct):
    """Grows as the request is read; a policy finds set what its phase promises."""

    now: datetime
    """When the request came, UTC, aware."""
    method: str = ""
    path: str = ""
    """With the query."""
    headers: Mapping[str, str] = NO_MEMBERS
    """Lower-case names; only those that Envoy was told to forward."""
    source_address: str = ""
    source_identity: str = ""
    """The name in the client's certificate, which Envoy has checked; empty: there is none."""
    source_subject: str = ""
    external: Mapping[str, object] | None = None
    """What an external service said of it; None: nothing."""
    length_bytes: int | None = None
    """Of the body, as far as the headers say it."""
    principal: Principal | None = None
    """None: anonymous."""
    credential_headers: tuple[str, ...] = ()
    """Where the credential came from; ours to read, and no upstream's."""
    shown_headers: tuple[tuple[str, str], ...] = ()
    """What the backend of a plain route is shown of who calls."""
    route: str = ""
    """The plain route's name; empty for LLM traffic."""
    model: str = ""
    """As the client asked; empty when this is not an LLM call."""
    provider: str = ""
    """The first provider of the plan."""
    is_stream: bool = False
    max_output_tokens: int | None = None
    """The client's own limit, for each of its choices."""
    choices: int = 1
    """How many answers the client asked for."""
    estimated_input_tokens: int = 0
    demands: Usage = NO_DEMANDS
    """What is asked for beside tokens, as far as the request says it: images, characters to be
    spoken, milliseconds of sound, and the service tier."""
    body: bytes = b""
    texts: tuple[str, ...] = ()
    """All that a model would read of the request, in order."""
    document: Mapping[str, object] = NO_MEMBERS
    """The decoded body; decoded once, duplicate keys refused."""
    tokens: Tokens | None = None
    """What stands for values that the provider may not see; None: no guard tokenises."""
    conversation: Callable[[], object] | None = None
    """Reads the body as a conversation (`llm.request.Request`, or a Deny); None: it is none, or
    nobody asks."""
    reword: Reword | None = None
    """Changes the texts of the body; None: nobody can."""
    mcp: McpCall | None = None
    """None: this is no MCP request."""
    a2a: A2aCall | None = None
    """None: this is no A2A request."""
    status: int = 0
    """Of the answer; 0: there is none yet."""
    answer_headers: Mapping[str, str] = {}
    """Its headers, as `headers`."""
    answered_by: str = ""
    """The provider that answered; empty on plain routes."""
