"""What can be written in a file of policy tests, and in a sample request.

Docs: docs/policy-tests.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from msgspec import structs
from pydantic import Field, ValidationError, field_validator, model_validator

from extproc.audits import Audited
from extproc.facts import A2aCall, Facts, McpCall
from gateway.config.block import Block, refusal
from gateway.config.described import Described
from gateway.config.document import Document, read
from gateway.config.finding import dotted
from gateway.config.reading import read_whole
from gateway.config.scalars import Text
from gateway.problem import Problem, did_you_mean

_NOON = "2026-01-01T12:00:00Z"
_CHAT = "/v1/chat/completions"
_ASKING = frozenset({"a2a", "body", "mcp", "model", "path", "route"})
"""What says what is asked for."""

Written = TypeVar("Written", bound=Block)


class PrincipalBlock(Block):
    """A caller, whatever would prove it."""

    name: Text
    """The name of the caller."""
    user: str = ""
    """The user."""
    team: str = ""
    """The team."""
    groups: tuple[str, ...] = ()
    """The groups."""
    tags: dict[str, str] = Field(default_factory=dict)
    """The tags."""
    claims: dict[str, Any] | None = None
    """Those of a token, where it is one that proves it."""


class McpCallBlock(Block):
    """What is asked of an MCP server: a tool, a prompt, or a resource."""

    server: Text
    """Its name."""
    tool: Text | None = None
    """As its server calls it; so are the others."""
    prompt: Text | None = None
    """A prompt."""
    resource: Text | None = None
    """A URI."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Of the tool or the prompt."""

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> McpCallBlock:
        if sum(each is not None for each in (self.tool, self.prompt, self.resource)) != 1:
            raise refusal("needs exactly one of tool, prompt and resource")
        return self

    @property
    def call(self) -> McpCall:
        """As policies see it."""
        if self.tool is not None:
            return McpCall("tools/call", self.server, tool=self.tool, arguments=self.arguments)
        if self.prompt is not None:
            return McpCall("prompts/get", self.server, prompt=self.prompt, arguments=self.arguments)
        return McpCall("resources/read", self.server, resource=self.resource or "")


class A2aCallBlock(Block):
    """What is asked of an A2A agent."""

    agent: Text
    """Its name."""
    method: Text = "SendMessage"
    """The operation, as revision 1.0 calls it."""
    skill: str = ""
    """What the message says that it is for."""
    parts: tuple[dict[str, Any], ...] = ()
    """Of the message: `[{text: hello}]`."""
    task_id: str = ""
    """The task that it is about."""
    context_id: str = ""
    """The same of a context."""
    chain: tuple[Text, ...] = ()
    """The agents that asked each other before."""
    group: str = ""
    """Which the client asks, of those that the agent is in."""

    @property
    def call(self) -> A2aCall:
        """As policies see it."""
        return A2aCall(
            self.method,
            self.agent,
            self.task_id,
            self.context_id,
            self.skill,
            self.parts,
            self.chain,
            self.group,
        )


class RequestBlock(Block):
    """One request, as Envoy would show it."""

    method: Text | None = None
    """Default: POST with a body, else GET."""
    path: Text | None = None
    """With the query. Default: that of chat completions, where there is a `model`, else `/`."""
    headers: dict[str, str] = Field(default_factory=dict)
    """By any case; credentials in them count as always."""
    body: Any = None
    """A block or list is sent as JSON, text as it is."""
    model: Text | None = None
    """Instead of a body: a chat completion of this model."""
    prompt: str = "hello"
    """What the user says in it."""
    max_tokens: int | None = None
    """Its `max_tokens`."""
    stream: bool = False
    """Its `stream`."""
    mcp: McpCallBlock | None = None
    """Instead of all that: a call of an MCP server."""
    a2a: A2aCallBlock | None = None
    """The same of an A2A agent."""
    route: Text | None = None
    """The plain route that Envoy would take; without it, it is for the LLM API."""
    source: Text = "127.0.0.1"
    """The client's IP address."""
    time: str = _NOON
    """When it comes, RFC 3339."""
    key: Text | None = None
    """The name of the API key that it shows."""
    principal: PrincipalBlock | None = None
    """Who calls, instead of a key."""

    @field_validator("time")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise refusal("must be a time such as 2026-01-01T12:00:00Z")
        return value

    @model_validator(mode="after")
    def _says_each_once(self) -> RequestBlock:
        if self.model is not None and self.body is not None:
            raise refusal("either body or model")
        others = (self.model, self.body, self.route)
        if self.mcp is not None and (*others, self.a2a) != (None, None, None, None):
            raise refusal("either mcp, or a2a, model, body or route")
        if self.a2a is not None and others != (None, None, None):
            raise refusal("either a2a, or model, body or route")
        if self.key is not None and self.principal is not None:
            raise refusal("either key or principal")
        return self

    @property
    def now(self) -> datetime:
        """When it comes."""
        return datetime.fromisoformat(self.time).astimezone(UTC)

    @property
    def content(self) -> bytes:
        """Its body."""
        if self.model is not None:
            asked: dict[str, object] = {
                "model": self.model,
                "messages": [{"role": "user", "content": self.prompt}],
            }
            if self.max_tokens is not None:
                asked["max_tokens"] = self.max_tokens
            if self.stream:
                asked["stream"] = True
            return json.dumps(asked).encode()
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else _json(self.body)

    @property
    def all_headers(self) -> Mapping[str, str]:
        """Pseudo-headers, too."""
        target = self.path or (_CHAT if self.model is not None else "/")
        content = self.content
        lowered = {name.lower(): value for name, value in self.headers.items()}
        return {
            ":method": self.method or ("POST" if content else "GET"),
            ":path": target,
            ":authority": lowered.get("host", "localhost"),
            **lowered,
        }


class ResponseBlock(Block):
    """What the upstream answers, for rules of responses, and guards of plain routes."""

    status: Annotated[int, Field(ge=100, le=599)] = 200
    """Its status."""
    headers: dict[str, str] = Field(default_factory=dict)
    """By any case."""
    body: Any = None
    """Of a plain route, for its guards: text as it is, anything else as JSON."""
    result: dict[str, Any] | None = None
    """Of a call of an MCP server: `{content: [{type: text, text: x}]}`. Without it, it is an error
    of JSON-RPC, about which no rule is asked."""
    task_state: str | None = None
    """Of an agent, as revision 1.0 calls it: `TASK_STATE_COMPLETED`; empty, where it answers with a
    message. Without it, it is an error, about which no rule is asked."""

    def answered(self, facts: Facts) -> Facts:
        """What is known when it has come."""
        call, asked = facts.mcp, facts.a2a
        state = self.task_state or ""
        return structs.replace(
            facts,
            mcp=None if call is None else structs.replace(call, result=self.result),
            a2a=None if asked is None else structs.replace(asked, task_state=state),
            status=self.status,
            answer_headers=self.all_headers,
        )

    @property
    def content(self) -> bytes:
        """Its body."""
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else _json(self.body)

    @property
    def all_headers(self) -> Mapping[str, str]:
        """Pseudo-headers, too."""
        lowered = {name.lower(): value for name, value in self.headers.items()}
        return {":status": str(self.status), **lowered}


class ExpectBlock(Block):
    """What is to become of the request; what is not written may be anything."""

    verdict: Literal["pass", "deny"] | None = None
    """Whether it goes on. Default: `deny` where a status, code, rule or reason is written."""
    status: int | None = None
    """Of the refusal: 403."""
    code: Text | None = None
    """Of the refusal: `permission_denied`."""
    rule: Text | None = None
    """The name of the rule, guard or budget that refuses."""
    reason: Text | None = None
    """A part of what the client is told."""
    provider: Text | None = None
    """The provider that is asked first."""
    model: Text | None = None
    """The model that it is asked for, as it calls it."""
    tries: tuple[Text, ...] | None = None
    """All that would be tried, in order: `provider/model`."""
    audit: dict[str, Audited] = Field(default_factory=dict)
    """What policies in `audit` would have done, by name: `pass`, `deny`, `error`, `allow`."""

    @property
    def is_denied(self) -> bool | None:
        """None: either will do."""
        if self.verdict is not None:
            return self.verdict == "deny"
        said = (self.status, self.code, self.rule, self.reason)
        if any(each is not None for each in said):
            return True
        planned = (self.provider, self.model, self.tries)
        return False if any(each is not None for each in planned) else None

    @model_validator(mode="after")
    def _expects_one_thing(self) -> ExpectBlock:
        said = {name for name in type(self).model_fields if getattr(self, name)}
        of_refusals, of_plans = {"status", "code", "rule", "reason"}, {"provider", "model", "tries"}
        if not said:
            raise refusal("expects nothing")
        if said & of_refusals and (said & of_plans or self.verdict == "pass"):
            raise refusal("what is refused goes nowhere", "expect one of both")
        if said & of_plans and self.verdict == "deny":
            raise refusal("what is refused goes nowhere", "expect one of both")
        return self


class CaseBlock(Block):
    """One test."""

    name: Text
    """Told when it fails."""
    request: RequestBlock = RequestBlock()
    """What is asked."""
    response: ResponseBlock | None = None
    """What the provider that is asked first, or the upstream, answers. Without it, rules of
    responses are not asked."""
    expect: ExpectBlock
    """What is to become of it."""


class SuiteBlock(Block):
    """A file of tests."""

    config: Text
    """The configuration that is tested: a file or folder, from where this file is."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables of that configuration, above those of the shell."""
    tests: Annotated[tuple[CaseBlock, ...], Field(min_length=1)]
    """The tests."""


class SampleBlock(RequestBlock):
    """A request for `dragoman cel`."""

    response: ResponseBlock | None = None
    """What is answered; without it, `response.*` is absent."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Variables by name, above what the request says: `mcp.tool: search`."""

    @model_validator(mode="before")
    @classmethod
    def _asks_for_something(cls, data: Any) -> Any:
        """A chat completion, where nothing says what it is."""
        if isinstance(data, dict) and not data.keys() & _ASKING:
            return {**data, "model": "any"}
        return data


@dataclass(frozen=True, slots=True)
class Suite:
    """A file that was understood."""

    file: Path
    block: SuiteBlock
    document: Document

    def line(self, index: int, *inner: str) -> int:
        """Of a test, or of what is inside of it."""
        return self.document.line(("tests", index, *inner))


def load_suite(file: Path, environment: Mapping[str, str]) -> Suite | tuple[Problem, ...]:
    """A file of tests, or everything that is wrong with it."""
    found = _load(file, environment, SuiteBlock)
    return Suite(file, *found) if isinstance(found[0], SuiteBlock) else _problems(found)


def load_sample(file: Path, environment: Mapping[str, str]) -> SampleBlock | tuple[Problem, ...]:
    """A sample request, or everything that is wrong with it."""
    found = _load(file, environment, SampleBlock)
    return found[0] if isinstance(found[0], SampleBlock) else _problems(found)


def json_schema() -> str:
    """Of files of tests, for editors."""
    found = SuiteBlock.model_json_schema(by_alias=True, schema_generator=Described)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **found}, indent=2, ensure_ascii=False) + "\n"


def _load(
    file: Path, environment: Mapping[str, str], kind: type[Written]
) -> tuple[Written, Document] | tuple[Problem, ...]:
    try:
        text = read_whole(file).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not utf-8"
        return (Problem("", (reason or str(error)).lower(), file=str(file)),)
    document = read(text, environment)
    wrong = [
        Problem(
            dotted(each.path),
            each.message,
            each.line or document.line(each.path) or 1,
            str(file),
            each.hint,
        )
        for each in document.findings
    ]
    if not wrong:
        try:
            return kind.model_validate(_exact({} if document.value is None else document.value)), (
                document
            )
        except ValidationError as error:
            wrong = [_problem(each, kind, document, file) for each in error.errors()]
    return tuple(sorted(wrong, key=lambda each: each.line))


def _problems(found: tuple[object, ...]) -> tuple[Problem, ...]:
    return tuple(each for each in found if isinstance(each, Problem))


def _problem(error: Any, kind: type[Block], document: Document, file: Path) -> Problem:
    path = tuple(error["loc"])
    message, hint = str(error["msg"]).lower(), ""
    if error["type"] == "refused":
        message, hint = error["ctx"]["message"], error["ctx"]["hint"]
    elif error["type"] == "missing":
        message = "is required"
    elif error["type"] == "extra_forbidden":
        message = f"unknown key '{path[-1]}'"
        hint = did_you_mean(str(path[-1]), _known(kind))
    return Problem(dotted(path), message, document.line(path) or 1, str(file), hint)


def _known(kind: type[Block]) -> list[str]:
    """Every key that can be written somewhere in such a file."""
    blocks = (
        [kind] if kind is not SuiteBlock else [SuiteBlock, CaseBlock, RequestBlock, ExpectBlock]
    )
    return [
        name
        for block in (*blocks, McpCallBlock, PrincipalBlock, ResponseBlock)
        for name in block.model_fields
    ]


def _exact(value: object) -> object:
    """Fractions as JSON has them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_exact(each) for each in value]
    if isinstance(value, dict):
        return {key: _exact(each) for key, each in value.items()}
    return value


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
