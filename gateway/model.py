"""What the configuration means: names assigned, references followed, defaults filled in.

`resolve` builds these from a `Config`; two compilers read them and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from gateway.a2a import A2a as A2a
from gateway.alerts import AlertsTo as AlertsTo
from gateway.apis import DEFAULT_PREFIXES, Family
from gateway.audit_log.terms import AuditTerms
from gateway.betas import Betas
from gateway.choice import Choice
from gateway.choice import Target as Target
from gateway.credentials import Credential
from gateway.external_authz import ExternalAuthz
from gateway.failover import Failover
from gateway.guards import NOTHING_GUARDED, Guarded
from gateway.guards import DetectionAction as DetectionAction
from gateway.guards import DetectionGuard as DetectionGuard
from gateway.guards import Guard as Guard
from gateway.guards import GuardAction as GuardAction
from gateway.guards import GuardTerms as GuardTerms
from gateway.guards import InjectionGuard as InjectionGuard
from gateway.guards import KeywordGuard as KeywordGuard
from gateway.guards import LengthGuard as LengthGuard
from gateway.guards import Mask as Mask
from gateway.guards import MaskStyle as MaskStyle
from gateway.guards import Phase as Phase
from gateway.guards import RegexGuard as RegexGuard
from gateway.guards import RemoteGuard as RemoteGuard
from gateway.guards import SchemaGuard as SchemaGuard
from gateway.guards import SchemaSubject as SchemaSubject
from gateway.guards import TextScope as TextScope
from gateway.identity import Accepts
from gateway.identity import ApiKey as ApiKey
from gateway.identity import Identity as Identity
from gateway.ledger_place import LedgerPlace
from gateway.limits import Limit as Limit
from gateway.limits import LimitHeaders, LimitService, RateLimitService
from gateway.mcp import Mcp as Mcp
from gateway.operations import Operation
from gateway.periods import Period as Period
from gateway.periods import Span as Span
from gateway.periods import Unit as Unit
from gateway.price import Price
from gateway.scopes import Mode as Mode
from gateway.scopes import Scope as Scope
from gateway.shaping import NO_FIELDS, NO_SHAPING, CacheMarks, Fields, Mirror, Shaping


class Dialect(StrEnum):
    """A wire format that a client or a provider speaks."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    BEDROCK = "bedrock"


CHAT_DIALECTS: Mapping[Operation, Dialect] = MappingProxyType(
    {
        Operation.CHAT: Dialect.OPENAI_CHAT,
        Operation.RESPONSES: Dialect.OPENAI_RESPONSES,
        Operation.MESSAGES: Dialect.ANTHROPIC,
        Operation.MESSAGES_STREAM: Dialect.ANTHROPIC,
        Operation.GENERATE: Dialect.GEMINI,
        Operation.GENERATE_STREAM: Dialect.GEMINI,
        Operation.CONVERSE: Dialect.BEDROCK,
        Operation.CONVERSE_STREAM: Dialect.BEDROCK,
    }
)
"""The operations that are a turn of a conversation, which can be translated into one another."""


def dialect_of(operation: Operation) -> Dialect | None:
    """The wire format of a turn of a conversation; None: the operation is something else."""
    return CHAT_DIALECTS.get(operation)


class BodyForm(StrEnum):
    """How a request of Anthropic's Messages API is said where others serve it."""

    PLAIN = "plain"
    """As Anthropic takes it: the model is in the body."""
    VERTEX_CLAUDE = "vertex-claude"
    """The model is in the path alone; the body has `anthropic_version: vertex-2023-10-16`."""
    BEDROCK_CLAUDE = "bedrock-claude"
    """The model is in the path, `stream` too; the body has `anthropic_version:
    bedrock-2023-05-31`, betas are `anthropic_beta` in it."""


HAVE_OWN_TERMS = frozenset(
    {"cohere", "deepseek", "huggingface", "mistral", "nvidia-nim", "perplexity", "sambanova"}
)
"""Vendors whose servers call some fields of OpenAI's chat dialect otherwise, and refuse OpenAI's
name."""


class Lossiness(StrEnum):
    """What of a request may be lost when a provider speaks another dialect than the client."""

    NONE = "none"
    """Nothing: such requests are refused."""
    HINTS = "hints"
    """What leaves the question what it was: a seed, a penalty, a cache mark."""
    ALL = "all"
    """Whatever cannot be expressed."""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server shows to those who connect, and whom it lets in. PEM texts, not paths."""

    certificate: str
    """The chain, the server's own first."""
    key: str = field(repr=False)
    client_ca: str | None = None
    """Clients must show a certificate that one of these authorities signed (mTLS)."""
    is_client_required: bool = True
    """False: they may show none; one that nobody of these has signed is refused all the same."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where clients connect."""

    name: str
    address: str
    port: int
    max_request_bytes: int
    """Bodies above it are refused with 413."""
    tls: ServerTls | None = None
    """None: plain HTTP."""
    compresses: bool = False
    """Answers are compressed for clients that accept it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address to connect to."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """A set of equal addresses."""

    endpoints: tuple[Endpoint, ...]
    authority: str
    """What the Host header says, and the SNI when `is_tls`."""
    is_tls: bool
    connect_timeout_seconds: float
    ca: str | None = field(default=None, repr=False)
    """PEM of the authorities that its certificate is checked against; None: the system's."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An LLM provider: an upstream that offers operations."""

    name: str
    vendor: str
    """The row in the table of vendors, and the prefix of catalog prices: `openai`."""
    upstream: Upstream
    base_path: str
    """What stands before the paths of its operations; no trailing slash: `/v1`."""
    offers: tuple[tuple[Operation, str], ...]
    """Operations and their paths after `base_path`, those of conversations in the order in which
    they are preferred. `{model}` is the percent-encoded model; there may be a query."""
    silence_seconds: float
    """An attempt that sends nothing for so long is given up (Envoy: per_try_idle_timeout)."""
    forward_headers: frozenset[str] = frozenset()
    """Headers kept although the wipe would take them: `x-request-id`."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent where the client has sent none of that name: `anthropic-version`."""
    body_form: BodyForm = BodyForm.PLAIN
    credential: Credential | None = None
    first_byte_seconds: float | None = None
    """A streamed answer that has not begun by then is given up; None: after `silence_seconds`."""
    fields: Fields = NO_FIELDS
    """Of bodies in its own dialect."""
    betas: Betas | None = None
    """Those of Anthropic's that it takes; None: whatever the client asks for."""

    def path_of(self, operation: Operation) -> str | None:
        """The template of its path after `base_path`; None: the provider has no such operation."""
        return next((path for offered, path in self.offers if offered is operation), None)


@dataclass(frozen=True, slots=True)
class Service:
    """Whom extproc asks, through Envoy, about what it decides: the service of a guard."""

    name: str
    """`guard/NAME`."""
    upstream: Upstream
    credential: Credential | None = None
    """How the service knows who asks; it is added by Envoy."""
    is_grpc: bool = False
    """It speaks HTTP/2 alone."""


@dataclass(frozen=True, slots=True)
class Model:
    """A name that clients ask for, and where it is served."""

    name: str
    """Exact, or with one `*`: `local/*`."""
    tiers: tuple[tuple[Target, ...], ...]
    """Tried in order; in a tier, one is chosen by weight. With a `choice`: what may be at each."""
    is_listed: bool = True
    """Shown by `/v1/models`."""
    choice: Choice | None = None
    """Who is tried in which order, where the tiers do not say it all."""
    is_internal: bool = False
    """Only other models lead to it: clients are told that it does not exist."""
    shaping: Shaping = NO_SHAPING
    """Of requests that ask for it."""
    cache_marks: CacheMarks | None = None
    mirror: Mirror | None = None


@dataclass(frozen=True, slots=True)
class Llm:
    """The LLM APIs, as clients see them."""

    prefixes: Mapping[Family, tuple[str, ...]] = field(default_factory=lambda: DEFAULT_PREFIXES)
    """Where each vendor's paths begin (`gateway.apis.Paths`)."""
    pass_unknown_to: str | None = None
    """The provider that gets requests at paths which are none of an API; None: they are refused."""
    lossiness: Lossiness = Lossiness.HINTS
    failover: Failover = field(default_factory=Failover)
    stored_at: tuple[str, ...] = ()
    """The providers that may be asked for what they keep: files, batches, stored responses."""
    external: str = ""
    """The external service that is asked about requests; empty: none is."""


class Effect(StrEnum):
    """What a rule does when its expression is true."""

    ALLOW = "allow"
    DENY = "deny"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True)
class Rule:
    """One authorization rule. A deny wins, every require must hold, then some allow must hold."""

    name: str
    scope: Scope
    effect: Effect
    expression: str
    """CEL over the variables of `gateway.cel`."""
    mode: Mode = Mode.ENFORCE
    phase: Phase = Phase.REQUEST
    """Whether it is asked about the request or, before its first byte goes on, its response."""


@dataclass(frozen=True, slots=True)
class WhenLow:
    """Another model in the place of the one asked for, when less than a share is left."""

    below_permille: int
    route_to: str


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent, by whom, in which period; a `*` in the scope counts values apart."""

    name: str
    scope: Scope
    unit: Unit
    limit: int
    """In `unit`."""
    span: Span
    by: str = ""
    """CEL that yields a text: each is counted apart. Empty: nothing more is."""
    is_soft: bool = False
    """It counts, and refuses nobody."""
    when_low: WhenLow | None = None
    alerts: tuple[int, ...] = ()
    """Shares of the limit in thousandths, ascending: when each is spent, somebody is told."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a plain route takes."""

    hostnames: tuple[str, ...]
    """Empty: all. `*.example.com` is allowed."""
    prefix: str | None
    exact: str | None
    methods: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RouteBackend:
    """One weighted upstream of a plain route."""

    upstream: Upstream
    weight: int


@dataclass(frozen=True, slots=True)
class Route:
    """A plain HTTP route: bytes to an upstream, under header policy, and guards of requests."""

    name: str
    listeners: tuple[str, ...]
    match: Match
    backends: tuple[RouteBackend, ...]
    replace_prefix: str | None
    """What takes the place of the matched prefix."""
    timeout_seconds: float
    """Whole response; 0: none, for streams."""
    retries: int
    needs_identity: bool
    """True when extproc must see the headers: a key is asked for, or a rule applies."""
    is_caller_required: bool = False
    """Anonymous requests are refused here, even where the identity block lets them in."""
    accepts: Accepts = Accepts.ANY
    """Which credentials count."""
    login: str = ""
    """Where people with browsers log in; empty: nowhere."""
    passes_tokens: bool = False
    """There are issuers, and here tokens are somebody else's: nobody looks at them."""
    is_open: bool = False
    """Nobody is asked who they are: a key is not looked at."""
    external: str = ""
    """The external service that is asked about its requests; empty: none is."""
    is_limited: bool = False
    """True when extproc must see the headers, since a limit applies."""
    is_told: bool = False
    """True when the answer has headers that say where limits stand."""
    limit_headers: LimitHeaders = LimitHeaders.OPENAI
    """In which headers."""
    takes_stored_keys: bool = False
    """True when whoever calls may have limits of their own."""
    holds_places: bool = False
    """True when extproc must know when a request is over."""
    is_answer_judged: bool = False
    """True when extproc must see the headers of the answer, since a rule applies to them."""
    guarded: Guarded = NOTHING_GUARDED
    """What extproc must see, since a guard may be for it."""
    envoys_limits: tuple[Limit, ...] = ()
    """Those that Envoy counts."""
    asked_limits: tuple[Limit, ...] = ()
    """Those that Envoy asks services about."""


@dataclass(frozen=True, slots=True)
class RawResource:
    """An xDS resource that the operator wrote as it is to be sent."""

    type_url: str
    name: str
    json: str = field(repr=False)
    """The JSON form of the message, without `@type`. May hold a secret."""
    path: str
    """Where it was written, dotted; for Problems."""
    ttl_seconds: float | None = None
    """The client drops it when it has not heard of it for so long."""
    at: tuple[str | int, ...] = field(default=(), compare=False)
    """The path in parts: `Source.place` knows its file and line."""


@dataclass(frozen=True, slots=True)
class NodeMatch:
    """Which xDS clients; all that is written must hold. `*` and `?` are globs; empty: any."""

    ids: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    user_agents: tuple[str, ...] = ()
    """`envoy`, `gRPC*`: the name alone, without version."""
    metadata: tuple[tuple[str, str], ...] = ()
    """Dotted key → value glob: `labels.app`."""


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """xDS clients that are told the same, which others are not."""

    name: str
    match: NodeMatch
    listeners: tuple[str, ...]
    """The gateways that they serve."""
    resources: tuple[RawResource, ...] = ()
    """For them, beside those for everybody."""


@dataclass(frozen=True, slots=True)
class XdsClient:
    """Who may connect to the control plane, known by certificate or token, and as which nodes."""

    name: str
    sans: tuple[str, ...] = ()
    """Globs over the URI and DNS names of the client's certificate; any of them."""
    token_digest: str | None = None
    """SHA-256 of the token that it sends as `authorization: Bearer …`, hex."""
    node_ids: tuple[str, ...] = ("*",)
    """Globs: what the node of its streams may call itself."""
    may_have_secrets: bool = False
    """Whether it is told secrets: provider keys, private keys."""
    may_be_worker: bool = True
    """Whether it is told what workers are: rules, digests of API keys."""
    groups: tuple[str, ...] = ("*",)
    """Globs over names of node groups: those that its nodes may be in."""


@dataclass(frozen=True, slots=True)
class Xds:
    """The control plane as a server of its own."""

    tls: ServerTls | None = None
    clients: tuple[XdsClient, ...] = ()
    """The first that a connection fits. None at all: whoever reaches the port may come in."""
    groups: tuple[NodeGroup, ...] = ()
    """The first that a node fits; one that fits none is refused. None at all: all are told all."""
    resources: tuple[RawResource, ...] = ()
    """For every node."""
    history_limit: int = 20
    """How many configurations are remembered."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that was written, as it is meant."""

    listeners: tuple[Listener, ...]
    identity: Identity
    providers: tuple[Provider, ...]
    models: tuple[Model, ...]
    """In order of precedence: exact names first, then patterns, the longest first."""
    rules: tuple[Rule, ...]
    guards: tuple[Guard, ...]
    budgets: tuple[Budget, ...]
    prices: tuple[tuple[str, Price], ...]
    """`vendor/model`, `provider/model` or `model` → price; the catalog under the overrides."""
    routes: tuple[Route, ...]
    admin: Endpoint
    xds: Xds = Xds()
    llm: Llm = field(default_factory=Llm)
    mcp: Mcp = field(default_factory=Mcp)
    a2a: A2a = field(default_factory=A2a)
    ledger: LedgerPlace = field(default_factory=LedgerPlace)
    limits: tuple[Limit, ...] = ()
    audit: AuditTerms | None = None
    """None: nothing is written down."""
    limit_headers: LimitHeaders = LimitHeaders.OPENAI
    limit_services: tuple[tuple[LimitService, Upstream], ...] = ()
    """Those that Envoy asks, and where they are."""
    rate_limit_service: RateLimitService = field(default_factory=RateLimitService)
    services: tuple[Service, ...] = ()
    alerts_to: AlertsTo | None = None
    external: tuple[ExternalAuthz, ...] = ()
    """Services that routes, and the LLM APIs, may ask."""
    mcp_guards: tuple[Guard, ...] = ()
    a2a_guards: tuple[Guard, ...] = ()
    route_guards: tuple[Guard, ...] = ()
    """Of what is said to MCP servers, to agents, on plain routes; `guards` are of LLM calls."""

    @property
    def callees(self) -> tuple[Provider | Service, ...]:
        """Whom Envoy shows who asks, where they have a credential."""
        return (*self.providers, *self.services)

    @property
    def is_lowering(self) -> bool:
        """Whether a budget leads to another model when little of it is left."""
        return any(each.when_low for each in self.budgets)

    @property
    def is_telling(self) -> bool:
        """Whether answers may have headers that tell where limits or budgets stand."""
        return self.is_limited or self.is_lowering

    @property
    def is_counted(self) -> bool:
        """Whether the costs of calls may have to be known: for budgets, or for those of keys."""
        return bool(self.budgets) or self.identity.has_stored_keys

    @property
    def is_limited(self) -> bool:
        """The same of how much is asked in a time."""
        return self.identity.has_stored_keys or any(each.is_workers for each in self.limits)
