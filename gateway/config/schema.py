"""The whole configuration, as it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import Field, PrivateAttr

from gateway.config.a2a import A2aBlock
from gateway.config.alerts import AlertsBlock
from gateway.config.audit import AuditBlock
from gateway.config.block import Block
from gateway.config.budgets import BudgetBlock
from gateway.config.external_authz import ExternalAuthzBlock
from gateway.config.finding import Path, Place
from gateway.config.gateways import AdminBlock, GatewayBlock
from gateway.config.identity import IdentityBlock
from gateway.config.ledger import LedgerBlock, SqliteLedgerBlock
from gateway.config.limit_services import LimitServiceBlock
from gateway.config.limits import LimitBlock
from gateway.config.llm import LlmBlock
from gateway.config.mcp import McpBlock
from gateway.config.policies import RuleBlock
from gateway.config.rate_limit_service import RateLimitServiceBlock
from gateway.config.remote_guards import GuardBlock
from gateway.config.routes import RouteBlock
from gateway.config.scalars import FilePattern, Name
from gateway.config.xds import XdsBlock
from gateway.limits import LimitHeaders
from gateway.problem import Problem


def _nowhere(path: Path) -> Place:
    return Place(path=path)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a Config was written; no part of what it says, so all are equal."""

    file: str = field(default="", compare=False)
    """The first file."""
    place: Callable[[Path], Place] = field(default=_nowhere, compare=False)
    """Where a path, or the nearest thing around it, was written."""
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    """What reading the files found that is not wrong, but will surprise."""


class Config(Block):
    """A gateway's configuration. Every block is optional."""

    include: tuple[FilePattern, ...] = ()
    """Other files of this language, or folders of them, relative to the file that says so:
    `conf.d/*.yaml`, `teams/**/*.yaml`. Names may be spread over files, lists follow one another in
    the order of the files, and what is written twice must be the same."""
    gateways: dict[Name, GatewayBlock] = Field(
        default={"default": GatewayBlock(port=8080)}, min_length=1
    )
    """Where clients connect, by a name of your choice. Default: `default: {port: 8080}`."""
    identity: IdentityBlock = IdentityBlock()
    """Who is calling."""
    llm: LlmBlock = LlmBlock()
    """LLM providers and models, served under `/v1/` on every gateway."""
    mcp: McpBlock = McpBlock()
    """MCP servers, served under `/mcp` on every gateway."""
    a2a: A2aBlock = A2aBlock()
    """A2A agents, served under `/a2a` on every gateway."""
    authorize: tuple[RuleBlock, ...] = ()
    """Who may do what."""
    external_authz: dict[Name, ExternalAuthzBlock] = Field(default={})
    """Services of your own that are asked who may do what, by a name of your choice."""
    guardrails: tuple[GuardBlock, ...] = ()
    """What may be said to models. Asked in order."""
    budgets: tuple[BudgetBlock, ...] = ()
    """How much may be spent on models. All that apply must have enough left."""
    alerts: AlertsBlock = AlertsBlock()
    """Who is told what is spent of budgets."""
    ledger: LedgerBlock = SqliteLedgerBlock(type="sqlite")
    """Where it is kept what is spent. Default: `type: sqlite`."""
    limits: tuple[LimitBlock, ...] = ()
    """How much may be asked in a time. All that apply must have room."""
    audit: AuditBlock | None = None
    """A log of what was decided. `{}` keeps one; without this block, there is none."""
    limit_headers: LimitHeaders = LimitHeaders.OPENAI
    """In which headers clients are told where limits stand: `openai`, or `both`: the IETF's
    `RateLimit-Policy` and `RateLimit` as well."""
    limit_services: dict[Name, LimitServiceBlock] = Field(default={})
    """Rate limit services that Envoy asks, by a name of your choice."""
    rate_limit_service: RateLimitServiceBlock = RateLimitServiceBlock()
    """What other Envoys ask by their rate limit filter."""
    routes: tuple[RouteBlock, ...] = ()
    """Plain HTTP routes, in order of precedence."""
    admin: AdminBlock = AdminBlock()
    """The operator's own endpoint."""
    xds: XdsBlock = XdsBlock()
    """The control plane as a server for other machines."""

    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """Where it was written."""
        return self._source

    def written_in(self, source: Source) -> Config:
        """The same, knowing where it was written."""
        self._source = source
        return self
