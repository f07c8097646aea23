"""What a model on Bedrock takes beyond what all of them do, known by its id.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html, and the pages on
adaptive thinking and prompt caching. An ARN that does not name the model says nothing: such a model
is asked for no more than all take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct

from extproc.llm.request import Effort, Reasoning


class Family(Enum):
    CLAUDE = auto()
    NOVA = auto()
    COHERE = auto()
    GPT = auto()
    """OpenAI's open models."""
    OTHER = auto()


class Thinks(Enum):
    """How a model is asked to think."""

    NEVER = auto()
    BY_BUDGET = auto()
    BY_BUDGET_OR_ADAPTIVE = auto()
    ADAPTIVELY = auto()
    BY_EFFORT = auto()
    """Low, medium, high, in a field of its own."""


class Traits(Struct, frozen=True):
    family: Family
    thinks: Thinks = Thinks.NEVER
    always_thinks: bool = False
    must_be_told_not_to: bool = False
    """Else it thinks only when it is asked to."""
    takes_sampling: bool = True
    takes_both_samplings: bool = True
    """Temperature and top-p in one request."""
    caches: bool = False
    caches_for_an_hour: bool = False
    caches_tools: bool = False
    takes_tool_errors: bool = False
    takes_schemas: bool = True
    """For answers, and for the arguments of strict tools."""
    takes_own_tool_choice: bool = False
    """`tool_choice` among the model's own fields, which can forbid calls, or several at once."""


_PLAIN = Traits(Family.OTHER)
_WITHOUT_SCHEMAS = Traits(Family.OTHER, takes_schemas=False)
_NO_SCHEMAS = ("meta.llama", "amazon.titan", "ai21.", "writer.", "deepseek.r1")
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2})(?!\d))?")
_NEWEST = (99, 0)
_ALWAYS_THINKING = ("claude-fable", "claude-mythos")

BUDGETS: Mapping[Effort, int] = {
    Effort.NONE: 0,
    Effort.MINIMAL: 1024,
    Effort.LOW: 1024,
    Effort.MEDIUM: 2048,
    Effort.HIGH: 4096,
    Effort.XHIGH: 8192,
    Effort.MAX: 16384,
}
SMALLEST_BUDGET = 1024


def traits_of(model: str) -> Traits:
    """Of a model id, an inference profile's id, or an ARN that ends in one."""
    name = model.lower()
    if "claude" in name:
        return _claude(name)
    if "amazon.nova" in name:
        return Traits(
            Family.NOVA,
            Thinks.BY_EFFORT if "nova-2" in name else Thinks.NEVER,
            caches=True,
            takes_tool_errors=True,
            takes_schemas=False,
        )
    if "cohere.command" in name:
        return Traits(Family.COHERE, takes_schemas=False)
    if "openai.gpt" in name:
        return Traits(Family.GPT, Thinks.BY_EFFORT, always_thinks=True)
    return _WITHOUT_SCHEMAS if any(each in name for each in _NO_SCHEMAS) else _PLAIN


def is_off(reasoning: Reasoning) -> bool:
    """The client does not want the model to think."""
    return reasoning.effort is Effort.NONE or reasoning.budget_tokens == 0


def effort_of(reasoning: Reasoning) -> Effort | None:
    """In words; None: as the model likes."""
    if reasoning.effort is not None or reasoning.budget_tokens is None:
        return reasoning.effort
    for effort in (Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH):
        if reasoning.budget_tokens <= BUDGETS[effort]:
            return effort
    return Effort.MAX


def _claude(name: str) -> Traits:
    version = _claude_version(name)
    return Traits(
        Family.CLAUDE,
        _claude_thinks(version),
        always_thinks=any(each in name for each in _ALWAYS_THINKING),
        must_be_told_not_to=version >= (5, 0),
        takes_sampling=version < (4, 7),
        takes_both_samplings=version < (4, 1),
        caches=version >= (3, 5),
        caches_for_an_hour=version >= (4, 5),
        caches_tools=version >= (3, 5),
        takes_tool_errors=version >= (3, 0),
        takes_schemas=version >= (4, 5),
        takes_own_tool_choice=version >= (4, 5),
    )


def _claude_thinks(version: tuple[int, int]) -> Thinks:
    if version >= (4, 7):
        return Thinks.ADAPTIVELY
    if version >= (4, 6):
        return Thinks.BY_BUDGET_OR_ADAPTIVE
    return Thinks.BY_BUDGET if version >= (3, 7) else Thinks.NEVER


def _claude_version(name: str) -> tuple[int, int]:
    if any(each in name for each in _ALWAYS_THINKING):
        return _NEWEST
    found = _VERSION.search(name)
    return (int(found[1]), int(found[2] or 0)) if found is not None else (2, 0)
