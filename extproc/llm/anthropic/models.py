"""What a Claude model takes, as its name says: the forms changed with its generations.

https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking,
https://docs.claude.com/en/docs/build-with-claude/effort. Names are those of Anthropic, Vertex
(`claude-sonnet-4-5@20250929`) and Bedrock (`us.anthropic.claude-opus-4-6-v1`). Models of others
that speak this dialect take what Claude took at first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from extproc.llm.request import Effort

_NAME = re.compile(
    r"claude-(?:(?P<family>[a-z]+)-)?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)"
)
"""`claude-opus-4-5-20251101`, `claude-3-7-sonnet-20250219`; a date is no minor version."""
_NEWEST = (99, 0)
_ALWAYS_THINK = frozenset({"fable", "mythos"})
_OPUS_ALWAYS_THINKS = (5, 5)
_FIRST_THINKING = (3, 7)
_FIRST_ONE_SAMPLER = (4, 1)
_FIRST_EFFORT = {"opus": (4, 5)}
_FIRST_ADAPTIVE = (4, 6)
_FIRST_ADAPTIVE_ONLY = (4, 7)
_FIRST_THINKING_UNASKED = (5, 0)
_WORDS = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of one model."""

    takes_budget: bool
    """`thinking: {type: enabled, budget_tokens}`."""
    takes_adaptive: bool
    """`thinking: {type: adaptive}`, how much being said by `output_config.effort`."""
    takes_disabled: bool
    """`thinking: {type: disabled}`; others think always."""
    thinks_unasked: bool
    efforts: tuple[Effort, ...]
    """The words of `output_config.effort`; none: it is not taken."""
    takes_sampling: bool
    """`temperature`, `top_p`, `top_k`."""
    takes_two_samplers: bool
    """`temperature` and `top_p` in one request."""
    takes_prefill: bool
    """A last message of the assistant, to be continued."""


def abilities(model: str) -> Abilities:
    """What the model of this name takes."""
    family, version = _version(model)
    is_adaptive = version >= _FIRST_ADAPTIVE
    is_adaptive_only = version >= _FIRST_ADAPTIVE_ONLY
    always_thinks = family in _ALWAYS_THINK or (family == "opus" and version >= _OPUS_ALWAYS_THINKS)
    efforts: tuple[Effort, ...] = ()
    if is_adaptive_only:
        efforts = (*_WORDS, Effort.XHIGH, Effort.MAX)
    elif is_adaptive:
        efforts = (*_WORDS, Effort.MAX)
    elif version >= _FIRST_EFFORT.get(family, _FIRST_ADAPTIVE):
        efforts = _WORDS
    return Abilities(
        takes_budget=_FIRST_THINKING <= version < _FIRST_ADAPTIVE_ONLY,
        takes_adaptive=is_adaptive,
        takes_disabled=not always_thinks,
        thinks_unasked=always_thinks or version >= _FIRST_THINKING_UNASKED,
        efforts=efforts,
        takes_sampling=not is_adaptive_only,
        takes_two_samplers=version < _FIRST_ONE_SAMPLER,
        takes_prefill=not is_adaptive,
    )


def _version(model: str) -> tuple[str, tuple[int, int]]:
    """A family, and a version. A Claude without a number is a new one (`claude-mythos-preview`)."""
    name = model.lower()
    found = _NAME.search(name)
    if found is None:
        if "claude" not in name:
            return "", _FIRST_THINKING
        return ("mythos" if "mythos" in name else ""), _NEWEST
    minor = found["minor"]
    return found["family"] or "", (int(found["major"]), int(minor) if minor else 0)
