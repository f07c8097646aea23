"""The whole configuration, as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field, PrivateAttr

from gateway.config.block import Block
from gateway.config.finding import Path
from gateway.config.gateways import AdminBlock, GatewayBlock
from gateway.config.identity import IdentityBlock
from gateway.config.llm import LlmBlock
from gateway.config.policies import BudgetBlock, GuardBlock, RuleBlock
from gateway.config.routes import RouteBlock
from gateway.config.scalars import Name


@dataclass(frozen=True, slots=True)
class Source:
    """Where a Config was written; no part of what it says, so all are equal."""

    file: str = field(default="", compare=False)
    lines: Mapping[Path, int] = field(default_factory=dict, compare=False)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


class Config(Block):
    """A gateway's configuration. Every block is optional."""

    gateways: dict[Name, GatewayBlock] = Field(
        default={"default": GatewayBlock(port=8080)}, min_length=1
    )
    """Where clients connect, by a name of your choice. Default: `default: {port: 8080}`."""
    identity: IdentityBlock = IdentityBlock()
    """Who is calling."""
    llm: LlmBlock = LlmBlock()
    """LLM providers and models, served under `/v1/` on every gateway."""
    authorize: tuple[RuleBlock, ...] = ()
    """Who may do what."""
    guardrails: tuple[GuardBlock, ...] = ()
    """What may be said to models. Asked in order."""
    budgets: tuple[BudgetBlock, ...] = ()
    """How much may be spent on models. All that apply must have enough left."""
    routes: tuple[RouteBlock, ...] = ()
    """Plain HTTP routes, in order of precedence."""
    admin: AdminBlock = AdminBlock()
    """The operator's own endpoint."""

    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """Where it was written."""
        return self._source

    def written_in(self, source: Source) -> Config:
        """The same, knowing where it was written."""
        self._source = source
        return self
