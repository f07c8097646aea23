"""What is said of the tools of MCP servers: what they are called, and which are listed."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.scalars import Dollars, Duration, Flag, Globs, Retries, Text
from gateway.mcp import OWN_TOOLS, CacheFor, PinMode, PinTerms

_LONGEST_CACHE = 24 * 3600.0
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def _tool(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refusal(
            "must be the name of a tool", "letters, digits, '_', '-' and '.', at most 128"
        )
    if value in OWN_TOOLS:
        raise refusal("is the name of a tool of the gateway's own")
    return value


ToolName: TypeAlias = Annotated[str, AfterValidator(_tool), WithJsonSchema({"type": "string"})]


class McpToolBlock(Block):
    """What clients are told of a tool instead of what its server says, and on which terms it is
    called. The terms of the tool `*` are those of all that say none."""

    name: ToolName | None = None
    """What clients call it, without any prefix. By its server's name it is then unknown; rules see
    that as before."""
    description: Text | None = None
    """What it does."""
    price: Dollars | None = None
    """What a call costs, in USD: it is counted in budgets of money. Default: nothing."""
    timeout: Duration | None = None
    """How long a call may take until its answer has begun and ended; then it is answered with 504.
    Default: as long as it likes."""
    retries: Retries = 0
    """How often a call that its server did not answer, or answered with 502, 503 or 504, is made
    again; of tools that may be called twice."""

    cache: Duration | None = None
    """How long a result is kept, and told to who asks the same again, at most `24h`; of tools that
    only read. Default: not at all."""
    cache_for: CacheFor = CacheFor.CALLER
    """Who gets it: the `caller` who asked before (a session, where callers are not known), or
    `everybody` who may call the tool."""
    read_only: Flag = False
    """It only reads. Default: as its server says it (`readOnlyHint`)."""

    @model_validator(mode="after")
    def _is_kept(self) -> McpToolBlock:
        if self.cache is not None and not 0 < self.cache <= _LONGEST_CACHE:
            raise refusal("has a cache that must be more than 0 and at most 24h", is_shown=False)
        if self.cache is None and ("cache_for" in self.model_fields_set or self.read_only):
            hint = "cache: 60s, or leave it out"
            raise refusal("says whose results are kept, and not for how long", hint, is_shown=False)
        return self

    @property
    def changes(self) -> bool:
        """Whether clients see it otherwise than it is."""
        return self.name is not None or self.description is not None


class McpPinningBlock(Block):
    """Definitions of tools are known from when they are first listed: name, title, description,
    schemas, annotations. One that changes has to be approved (`dragoman mcp approve`)."""

    mode: PinMode = PinMode.QUARANTINE
    """`quarantine`: a tool that has changed is neither listed nor called until it is approved;
    `warn`: it is logged, and shown by `dragoman mcp tools`; `none`: nobody looks."""
    new_tools: Literal["allow", "quarantine"] = "allow"
    """Tools that a server has later than others: they are known at once, or have to be approved."""

    @property
    def meaning(self) -> PinTerms | None:
        """None: nobody looks."""
        if self.mode is PinMode.NONE:
            return None
        return PinTerms(self.mode, self.new_tools == "quarantine")


class McpSearchBlock(Block):
    """Tools are searched for: instead of all of them, `search_tools` is listed, which finds tools
    by words, and `call_tool`, for clients that call only what is listed."""

    pinned: Globs = ()
    """Tools that are listed all the same, by the names that clients know: `github__search_*`."""
