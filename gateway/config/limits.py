"""How much may be asked in a time."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from gateway.config.block import Block, refusal
from gateway.config.budgets import By
from gateway.config.scalars import ByteRate, CountRate, Name, Text, Weight
from gateway.limits import MOST_HEADERS, Algorithm, CountedBy, Key, asked_with
from gateway.model import Mode

_ADDRESS = "remote_address"
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NOTHING_COUNTED = "needs at least one of requests, tokens, bytes and concurrent"


def _asked_with(value: str) -> str:
    if asked_with(value) is None:
        raise refusal(
            "is nothing that Envoy can ask a service with",
            "a text in quotes, request.method, request.host, request.path, request.headers[…],"
            " source.address",
        )
    return value


def _descriptor_key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise refusal("must be up to 64 letters, digits and signs of '_.-'")
    return value


DescriptorKey: TypeAlias = Annotated[
    str, AfterValidator(_descriptor_key), WithJsonSchema({"type": "string"})
]
DescriptorValue: TypeAlias = Annotated[
    str, AfterValidator(_asked_with), WithJsonSchema({"type": "string"})
]


class LimitScopeBlock(Block):
    """Whose requests are counted. All that is written must hold. With a `*`, each value that
    matches is counted apart."""

    key: Text | None = None
    """The name of the API key."""
    user: Text | None = None
    """The user who calls."""
    team: Text | None = None
    """The team of who calls."""
    model: Text | None = None
    """The model that the client asked for."""
    provider: Text | None = None
    """The provider that is tried first."""
    llm: Text | None = None
    """Requests of an LLM API, by the model asked for; `*` for all of them, each model apart."""
    mcp: Text | None = None
    """Calls of tools, prompts and resources of an MCP server, by the server; `*` for all, each
    server apart."""
    tool: Text | None = None
    """Beside `mcp`: calls of these tools alone, as their server knows them; with a `*`, each tool
    apart."""
    a2a: Text | None = None
    """Messages to an A2A agent, by the agent; `*` for all, each agent apart."""
    route: Text | None = None
    """Plain routes, by name."""


class LimitBlock(Block):
    """How much may be asked in a time. All that is written must have room, of all limits that
    apply; else the request is refused with 429, and counts nowhere."""

    name: Name
    """Named in refusals; unique."""
    scope: LimitScopeBlock = Field(default=LimitScopeBlock(), alias="for")
    """Whose requests; without it, everybody's together."""
    requests: CountRate | None = None
    """Requests: `60/min`, `5/s`, `1k/hour`, `10k/day`."""
    tokens: CountRate | None = None
    """Tokens of models, `100k/min`: input and the most output, as estimated, are taken before a
    call, and corrected by what the answer tells."""
    bytes: ByteRate | None = None
    """Bytes of requests' bodies: `10MB/min`. On routes whose bodies are not read, by their
    content-length, without which a request that has a body is refused."""
    concurrent: Weight | None = None
    """Requests that are open at once, until the last byte of their answers."""
    algorithm: Algorithm = Algorithm.TOKEN_BUCKET
    """`token_bucket`: what was used comes back evenly, and all of it may be used at once.
    `sliding_window`: never more than the amount in any period, whenever it begins."""
    mode: Mode = Mode.ENFORCE
    """`audit`: nobody is refused; who would be is counted and logged."""
    service: Name | None = None
    """One of `limit_services`: Envoy asks it, and it knows how much. Of plain routes, `by` as for
    `counted_by: envoy`. It is asked with the entries `limit`, this name; `route`, where `for` has a
    `*`; and `remote_address`, or the header's name in lower case (`(none)` where there is none)."""
    descriptor: dict[DescriptorKey, DescriptorValue] = Field(default={})
    """Other entries that a `service` is asked with, in their order, in the place of all of these:
    `{tenant: 'request.headers["x-tenant"]', plan: '"gold"'}`. Values are a text in quotes,
    `request.method`, `request.host`, `request.path`, a header, or, as `remote_address`,
    `source.address`."""
    by: By | None = None
    """CEL that yields a text, such as `source.address` or `principal.tags["project"]`: each text is
    counted apart, within `for`. Requests without it are counted together."""
    counted_by: CountedBy = CountedBy.WORKERS
    """`workers`: all that share the `ledger` count together, on a server those of all machines.
    `machine`: those of each machine for themselves, exactly; so are open requests always.
    `envoy`: each Envoy counts for itself and asks nobody, which costs no message. Of plain
    routes, in requests, with a token bucket; `by` nothing, `source.address` or a header:
    `request.headers["x-tenant"]`."""

    @model_validator(mode="after")
    def _asks_with_something(self) -> LimitBlock:
        if not self.descriptor:
            return self
        if self.service is None or self.by is not None:
            raise refusal("has a descriptor, which is for a service, and says by what it counts")
        found = {key: asked_with(value) for key, value in self.descriptor.items()}
        for key, each in found.items():
            if (each is Key.SOURCE) != (key == _ADDRESS):
                raise refusal(f"descriptor: '{_ADDRESS}' is for source.address, and that for it")
        headers = [each for each in found.values() if isinstance(each, str) and each[0] != ":"]
        if len(headers) > MOST_HEADERS:
            raise refusal(f"descriptor: has more than {MOST_HEADERS} headers")
        return self

    @model_validator(mode="after")
    def _counts_something(self) -> LimitBlock:
        counted = (self.requests, self.tokens, self.bytes, self.concurrent)
        if self.service is not None:
            if any(each is not None for each in counted):
                raise refusal("has a service, which knows how much: leave out what is counted")
            return self
        if all(each is None for each in counted):
            raise refusal(NOTHING_COUNTED)
        return self
