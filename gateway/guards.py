"""What guardrails mean: what each is asked about, looks for, and does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.kinds import Kind
from gateway.scopes import EVERYTHING, Mode, Scope

DEFAULT_WINDOW = 64
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
    def reads_answers(self) -> bool:
        """It is asked about answers."""
        return self.phase is not Phase.REQUEST


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
class RemoteGuard:
    """A guard that asks a service. This version cannot ask: `is_open_on_error` decides."""

    name: str
    kind: str
    is_open_on_error: bool
    terms: GuardTerms = NO_TERMS


Guard = RegexGuard | DetectionGuard | InjectionGuard | RemoteGuard


def reads_answers(guard: Guard) -> bool:
    """Answers have to be shown: it is asked about them, or puts values back into them."""
    is_tokenising = (
        isinstance(guard, DetectionGuard)
        and guard.action is DetectionAction.TOKENISE
        and guard.terms.mode is Mode.ENFORCE
    )
    return is_tokenising or guard.terms.reads_answers
