"""Who may do what, what may be said, and how much may be spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

import phonenumbers
import re2
from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.cel import compile_expression
from gateway.cel_variables import OF_ANSWERS
from gateway.config.block import Block, refusal
from gateway.config.scalars import Fraction, Name, Text
from gateway.guards import DEFAULT_WINDOW, OF_DEFINITIONS, SECRETS_WINDOW
from gateway.kinds import PII_NAMES, SECRET_NAMES
from gateway.model import (
    DetectionAction,
    Effect,
    GuardAction,
    MaskStyle,
    Mode,
    Phase,
    TextScope,
)
from gateway.problem import did_you_mean


def _expression(value: str) -> str:
    compiled = compile_expression(value)
    if isinstance(compiled, str):
        raise refusal(f"in the expression, {compiled}", is_shown=False)
    return value


def refuse_answers(names: Iterable[str]) -> None:
    """Raises for an expression of these variables that is asked when there is no answer yet."""
    late = min(OF_ANSWERS.intersection(names), default=None)
    if late is not None:
        hint = "rules of authorize read it with phase: response"
        raise refusal(f"'{late}' is not known before there is an answer", hint, is_shown=False)


def _condition(value: str) -> str:
    _expression(value)
    compiled = compile_expression(value)
    refuse_answers(() if isinstance(compiled, str) else compiled.names)
    return value


def _pattern(value: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(value, options)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise refusal(f"not a pattern that re2 knows: {text}", is_shown=False) from None
    if compiled.search(""):
        raise refusal("finds empty text, so it would hit every request")
    return value


Expression: TypeAlias = Annotated[
    str, AfterValidator(_expression), WithJsonSchema({"type": "string", "format": "cel"})
]
Condition: TypeAlias = Annotated[
    str, AfterValidator(_condition), WithJsonSchema({"type": "string", "format": "cel"})
]
"""One that is asked about requests."""
Pattern: TypeAlias = Annotated[
    str, AfterValidator(_pattern), WithJsonSchema({"type": "string", "format": "re2"})
]


def _one_of(names: Iterable[str]) -> Callable[[str], str]:
    known = tuple(names)

    def check(value: str) -> str:
        if value not in known:
            hint = did_you_mean(value, known) or f"known: {', '.join(known)}"
            raise refusal("is nothing that this guard finds", hint)
        return value

    return check


def _region(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        hint = "GB" if value == "UK" else ""
        raise refusal("is no region of ISO 3166", f"did you mean '{hint}'?" if hint else "")
    return value


PiiKind: TypeAlias = Annotated[
    str,
    AfterValidator(_one_of(PII_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(PII_NAMES)}),
]
SecretKind: TypeAlias = Annotated[
    str,
    AfterValidator(_one_of(SECRET_NAMES)),
    WithJsonSchema({"type": "string", "enum": list(SECRET_NAMES)}),
]
Region: TypeAlias = Annotated[str, AfterValidator(_region), WithJsonSchema({"type": "string"})]


class ScopeBlock(Block):
    """Which requests something is for. All that is written must hold; `*` matches anything."""

    key: Text | None = None
    """The name of the API key."""
    user: Text | None = None
    """The user: of the key, or of the token."""
    team: Text | None = None
    """The team: of the key, or of the token."""
    model: Text | None = None
    """The model that the client asked for."""
    provider: Text | None = None
    """The provider that is tried first."""
    llm: Text | None = None
    """LLM calls, by the model asked for; `*` for all of them."""
    mcp: Text | None = None
    """MCP calls, by server."""
    a2a: Text | None = None
    """A2A calls, by agent."""
    route: Text | None = None
    """Plain routes, by name."""


class RuleBlock(Block):
    """One authorization rule in CEL. A deny wins, every require must hold, then some allow must
    hold if there is any. An expression that fails denies."""

    name: Name
    """Named in refusals; unique."""
    scope: ScopeBlock = Field(default=ScopeBlock(), alias="for")
    """Which requests the rule is asked about; without it, all."""
    allow: Expression | None = None
    """Such requests are allowed. One of allow, deny and require."""
    deny: Expression | None = None
    """Such requests are denied, whatever else is true."""
    require: Expression | None = None
    """All others are denied."""
    phase: Literal["request", "response"] = "request"
    """What it is asked about: the `request`, before it goes on, or the `response`, before its first
    byte does. Rules of responses also read `response.*`; those that allow are for them alone."""
    mode: Mode = Mode.ENFORCE
    """`audit`: the rule decides nothing; what it would have decided is counted and logged."""

    @model_validator(mode="after")
    def _has_one_effect(self) -> RuleBlock:
        if sum(text is not None for text in (self.allow, self.deny, self.require)) != 1:
            raise refusal("needs exactly one of allow, deny and require")
        return self

    @property
    def effect(self) -> Effect:
        """What the rule does when its expression holds."""
        if self.allow is not None:
            return Effect.ALLOW
        return Effect.DENY if self.deny is not None else Effect.REQUIRE

    @property
    def expression(self) -> str:
        """The one expression that was written."""
        return self.allow or self.deny or self.require or ""


class GuardScopeBlock(Block):
    """Which calls a guard is asked about. All that is written must hold; `*` matches anything."""

    key: Text | None = None
    """The name of the API key."""
    user: Text | None = None
    """The user of the key."""
    team: Text | None = None
    """The team of the key."""
    model: Text | None = None
    """The model that the client asked for."""
    provider: Text | None = None
    """The provider that is tried first."""
    mcp: Text | None = None
    """What is said to MCP servers, and by them, by server; `*` for all. Without it, `a2a` and
    `route`, a guard is asked about LLM calls alone."""
    a2a: Text | None = None
    """What is said to A2A agents, and by them, by agent; `*` for all."""
    route: Text | None = None
    """What is said on plain routes: bodies and queries of requests, and bodies of answers, by
    route; `*` for all."""


class GuardTermsBlock(Block):
    """What a guard is asked about, whatever it looks for."""

    name: Name | None = None
    """Named in refusals. Default: the type and the position in the list."""
    phase: Phase = Phase.REQUEST
    """What it reads: the `request`, the `response`, whole or streamed, or `both`."""
    who: GuardScopeBlock = Field(default=GuardScopeBlock(), alias="for")
    """Which LLM calls a guard is asked about, without it, all; or which MCP servers, agents, or
    plain routes."""
    scope: Annotated[tuple[TextScope, ...], Field(min_length=1)] | None = None
    """Which texts it reads: `system` (with the definitions of tools), `user` (with all that stands
    nowhere else), `assistant`, `tool_input`, `tool_output`, `reasoning`. Of MCP, all that clients
    say is `tool_input`; of what servers do, `tool_definition` is what they list, `instructions`
    what they say of their use, and `tool_output` the rest. Of A2A, all that clients say is `user`,
    and all that agents do `assistant`; so are requests and answers of plain routes. Default:
    all."""
    mode: Mode = Mode.ENFORCE
    """`audit`: the guard decides and changes nothing; what it would have done is counted and
    logged."""
    window: Annotated[int, Field(ge=1, le=4096)] = DEFAULT_WINDOW
    """How many characters of a stream are held back: by the first so many must be told what is to
    be found. What is found may be longer."""

    @property
    def texts(self) -> tuple[TextScope, ...] | None:
        """Which texts it reads; None: all."""
        return self.scope


class RegexGuardBlock(GuardTermsBlock):
    """Patterns over texts, checked here."""

    type: Literal["regex"]
    """Patterns."""
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    """RE2 expressions; one hit is enough. `(?i)` first ignores case."""
    action: GuardAction = GuardAction.BLOCK
    """`block` refuses the request, `mask` replaces what was found and goes on."""
    replacement: str = "[redacted]"
    """What `mask` writes instead."""
    message: Text | None = None
    """What the client is told when blocked."""


class DetectionBlock(GuardTermsBlock):
    """What guards with finders of their own have in common."""

    action: DetectionAction = DetectionAction.BLOCK
    """`block` refuses, `mask` replaces what was found and goes on. `tokenise` replaces each value
    of a request by a token (`<EMAIL_1>`), and puts it back where the answer says the token."""
    message: Text | None = None
    """What the client is told when blocked."""

    @model_validator(mode="after")
    def _tokenises_requests(self) -> DetectionBlock:
        if self.action is DetectionAction.TOKENISE and self.phase is not Phase.REQUEST:
            hint = "it reads the request, and puts values back into the response by itself"
            raise refusal("cannot tokenise a response", hint, is_shown=False)
        return self


class PiiGuardBlock(DetectionBlock):
    """Personal data: mail addresses, telephone numbers, cards, accounts, national ids. Found by
    form, by check digits, and by the words around it."""

    type: Literal["pii"]
    """Personal data."""
    kinds: Annotated[tuple[PiiKind, ...], Field(min_length=1)] = ("all",)
    """What to find, by kind or by group: `contact`, `payment`, `national_id`, `all`."""
    regions: tuple[Region, ...] = ("US",)
    """Countries (ISO 3166) whose telephone numbers are found as they are written there; those that
    begin with a country's code always are."""
    masks: Mapping[PiiKind, MaskStyle] = {}
    """What `mask` writes for a kind or a group: `label` (`[EMAIL]`) or `last_4`
    (`**** **** **** 1111`). Default: `label`."""
    replacements: Mapping[PiiKind, str] = {}
    """Texts that `mask` writes for a kind or a group instead."""


class SecretsGuardBlock(DetectionBlock):
    """Keys, tokens and passwords. Found by the forms that vendors give them, by their checksums,
    and by what they are called."""

    type: Literal["secrets"]
    """Secrets."""
    kinds: Annotated[tuple[SecretKind, ...], Field(min_length=1)] = ("all",)
    """What to find, by kind or by group: `cloud`, `vendor`, `all`."""
    window: Annotated[int, Field(ge=1, le=4096)] = SECRETS_WINDOW
    """How many characters of a stream are held back: what the longest keys take to be told."""
    masks: Mapping[SecretKind, MaskStyle] = {}
    """What `mask` writes for a kind or a group: `label` (`[AWS_KEY]`) or `last_4`. Default:
    `label`."""
    replacements: Mapping[SecretKind, str] = {}
    """Texts that `mask` writes for a kind or a group instead."""


class InjectionGuardBlock(GuardTermsBlock):
    """Signs of prompt injection and of jailbreaks, weighed. A heuristic: it misses what is said in
    other words, and refuses some who only talk of it."""

    type: Literal["injection"]
    """Prompt injection."""
    scope: Annotated[tuple[TextScope, ...], Field(min_length=1)] | None = None
    """Which texts it reads. Default: those that operators do not write, `user`, `tool_output`; of
    MCP, all that servers say; of plain routes, all that backends answer."""
    threshold: Fraction = Decimal("0.7")
    """The score from which a text is refused, 0 to 1; lower refuses more."""
    message: Text | None = None
    """What the client is told."""

    @property
    def texts(self) -> tuple[TextScope, ...]:
        """Of those that operators do not write, where nothing else is said."""
        if self.scope is not None:
            return self.scope
        of_mcp = () if self.who.mcp is None else tuple(sorted(OF_DEFINITIONS))
        of_route = () if self.who.route is None else (TextScope.ASSISTANT,)
        return (TextScope.USER, TextScope.TOOL_OUTPUT, *of_mcp, *of_route)
