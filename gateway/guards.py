"""What guardrails mean: what each is asked about, looks for, and does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from gateway.kinds import Kind
from gateway.scopes import EVERYTHING, Mode, Scope

DEFAULT_WINDOW = 64
REMOTE_WINDOW = 400
SECRETS_WINDOW = 256
"""Some keys can only be told when they are nearly whole."""


class GuardAction(StrEnum):
    """What a guard does with what it finds."""

    BLOCK = "block"
    MASK = "mask"


class DetectionAction(StrEnum):
    """What a guard does with personal data, or with secrets."""

    BLOCK = "block"
    MASK = "mask"
    TOKENISE = "tokenise"
    """Masked by a token for each value, for which the value stands again in the answer."""


class Phase(StrEnum):
    """What a guard reads."""

    REQUEST = "request"
    RESPONSE = "response"
    BOTH = "both"


class TextScope(StrEnum):
    """Where a text of a conversation stands."""

    SYSTEM = "system"
    """System and developer prompts, and the definitions of tools."""
    USER = "user"
    """What the user says, and all that stands nowhere else."""
    ASSISTANT = "assistant"
    TOOL_INPUT = "tool_input"
    """The arguments of a call."""
    TOOL_OUTPUT = "tool_output"
    """The result of a call."""
    REASONING = "reasoning"
    TOOL_DEFINITION = "tool_definition"
    """Of MCP: what servers list."""
    INSTRUCTIONS = "instructions"
    """Of MCP: what servers say of their use."""


OF_DEFINITIONS = frozenset({TextScope.TOOL_DEFINITION, TextScope.INSTRUCTIONS})
"""What MCP servers say before anything is asked of them."""


@dataclass(frozen=True, slots=True)
class GuardTerms:
    """What a guard is asked about, whatever it looks for."""

    scope: Scope = EVERYTHING
    """Which requests."""
    phase: Phase = Phase.REQUEST
    texts: frozenset[TextScope] | None = None
    """Which of their texts; None: all."""
    mode: Mode = Mode.ENFORCE
    window: int = DEFAULT_WINDOW
    """How many characters of a stream it looks ahead."""

    @property
    def reads_requests(self) -> bool:
        """It is asked about requests."""
        return self.phase is not Phase.RESPONSE

    @property
    def reads_answers(self) -> bool:
        """It is asked about answers."""
        return self.phase is not Phase.REQUEST

    def reads_any(self, scopes: frozenset[TextScope]) -> bool:
        """It reads what stands in one of these."""
        return self.texts is None or not self.texts.isdisjoint(scopes)


NO_TERMS = GuardTerms()
"""All requests, all that they say."""


@dataclass(frozen=True, slots=True)
class RegexGuard:
    """RE2 patterns over texts."""

    name: str
    patterns: tuple[str, ...]
    action: GuardAction
    replacement: str
    message: str
    terms: GuardTerms = NO_TERMS


class MaskStyle(StrEnum):
    """What stands in the place of what was found, where nobody wrote a text for it."""

    LABEL = "label"
    """`[EMAIL]`: what it is."""
    LAST_4 = "last_4"
    """`**** **** **** 1111`: the last four letters or digits, of at least eight."""


@dataclass(frozen=True, slots=True)
class Mask:
    """What stands in the place of one kind."""

    style: MaskStyle = MaskStyle.LABEL
    text: str | None = None
    """Instead of the style."""


@dataclass(frozen=True, slots=True)
class DetectionGuard:
    """Finders of personal data or of secrets."""

    name: str
    type: str
    """As it is written: `pii`, `secrets`."""
    kinds: tuple[Kind, ...]
    regions: tuple[str, ...]
    """Whose telephone numbers are known without their country's code: `US`."""
    action: DetectionAction
    masks: Mapping[Kind, Mask]
    """Other masks than the label."""
    message: str
    terms: GuardTerms = NO_TERMS


@dataclass(frozen=True, slots=True)
class InjectionGuard:
    """Signs of prompt injection, weighed. It refuses."""

    name: str
    threshold: float
    """The score from which it does, 0 to 1."""
    message: str
    terms: GuardTerms = NO_TERMS


@dataclass(frozen=True, slots=True)
class KeywordGuard:
    """Words and phrases of topics that are not to be spoken of."""

    name: str
    words: tuple[str, ...]
    action: GuardAction
    replacement: str
    message: str
    terms: GuardTerms = NO_TERMS


@dataclass(frozen=True, slots=True)
class LengthGuard:
    """How long all texts that it reads may be together. It refuses."""

    name: str
    most_characters: int | None
    message: str
    terms: GuardTerms = NO_TERMS
    most_tokens: int | None = None
    """As estimated here. None: as many as there are; so above."""


class SchemaSubject(StrEnum):
    """What of an answer, or of a request, a schema is for."""

    ANSWER = "answer"
    """What the model says."""
    BODY = "body"
    """Of a request."""
    TOOL_INPUT = "tool_input"
    """The arguments of each call."""
    TOOL_OUTPUT = "tool_output"
    """The structured result of each call of an MCP server's tool."""


@dataclass(frozen=True, slots=True)
class SchemaGuard:
    """What an answer, or a request, must be, as a JSON Schema. It refuses."""

    name: str
    schema: str | None
    """As JSON; None: what the request itself asks for, or, of MCP, the tool's own."""
    subject: SchemaSubject
    tools: tuple[str, ...]
    """Whose calls, `*` stands for anything."""
    is_held: bool
    """A stream waits until it has been judged; else it is cut before its end."""
    message: str
    terms: GuardTerms


@dataclass(frozen=True, slots=True)
class Webhook:
    """A service of the operator's own."""

    path: str
    secret: str = field(default="", repr=False)
    """Base64 of what requests are signed with; empty: they are not."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class OpenaiModeration:
    """OpenAI's moderation endpoint."""

    path: str
    model: str
    categories: frozenset[str] | None
    """None: all."""
    threshold: float | None
    """The score from which a category blocks; None: the service says whether it does."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Of some categories."""


@dataclass(frozen=True, slots=True)
class BedrockGuardrail:
    """A guardrail of Amazon Bedrock."""

    path: str
    """Of ApplyGuardrail."""


@dataclass(frozen=True, slots=True)
class ModelArmor:
    """A template of Google's Model Armor."""

    path: str
    """Of the template, without the method."""


@dataclass(frozen=True, slots=True)
class AzureContentSafety:
    """Azure AI Content Safety."""

    base_path: str
    api_version: str
    severities: Mapping[str, int]
    """Category → the severity from which it blocks."""
    blocklists: tuple[str, ...] = ()
    shields_prompts: bool = False
    """Prompt Shields are asked, too."""


RemoteService: TypeAlias = (
    Webhook | OpenaiModeration | BedrockGuardrail | ModelArmor | AzureContentSafety
)
"""Whom a remote guard asks, and what of."""


@dataclass(frozen=True, slots=True)
class RemoteGuard:
    """A guard that asks a service."""

    name: str
    kind: str
    """As it is written: `webhook`."""
    service: RemoteService
    message: str
    timeout_seconds: float
    is_open_on_error: bool = False
    """What could not be checked passes."""
    is_parallel: bool = False
    """A request goes on meanwhile, and its answer waits."""
    terms: GuardTerms = NO_TERMS


Guard = (
    RegexGuard
    | DetectionGuard
    | InjectionGuard
    | KeywordGuard
    | LengthGuard
    | SchemaGuard
    | RemoteGuard
)


class Guarded(NamedTuple):
    """What guards may have to read of a plain route."""

    requests: bool = False
    """Bodies and queries."""
    answers: bool = False


NOTHING_GUARDED = Guarded()


def reads_answers(guard: Guard) -> bool:
    """Answers have to be shown: it is asked about them, or puts values back into them."""
    is_tokenising = (
        isinstance(guard, DetectionGuard)
        and guard.action is DetectionAction.TOKENISE
        and guard.terms.mode is Mode.ENFORCE
    )
    return is_tokenising or guard.terms.reads_answers


def holds_answers(guard: Guard) -> bool:
    """Answers have to wait for it, which is asked about their requests meanwhile."""
    return isinstance(guard, RemoteGuard) and guard.is_parallel
