"""How much Claude is to think: in tokens for older models, in words for newer ones.

https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking,
https://docs.claude.com/en/docs/build-with-claude/effort.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from extproc.llm import faults
from extproc.llm.anthropic.models import Abilities
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Effort, Reasoning

DEFAULT_MAX_TOKENS: Final = 4096
"""Of an answer whose client set no limit, where Anthropic needs one; thinking comes on top."""
SMALLEST_BUDGET: Final = 1024
BUDGETS: Final[Mapping[Effort, int]] = {
    Effort.MINIMAL: 1024,
    Effort.LOW: 1024,
    Effort.MEDIUM: 2048,
    Effort.HIGH: 4096,
    Effort.XHIGH: 8192,
    Effort.MAX: 16384,
}
_FALLING = (Effort.MAX, Effort.XHIGH, Effort.HIGH, Effort.MEDIUM, Effort.LOW)
_WORDS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})
_WHERE = "reasoning"


@dataclass(frozen=True, slots=True)
class Thought:
    """What a request says of thinking."""

    max_tokens: int
    """With the thinking."""
    thinking: Mapping[str, object] | None = None
    effort: Effort | None = None

    @property
    def is_on(self) -> bool:
        return self.thinking is not None and self.thinking["type"] != "disabled"


def reasoning_of(document: Mapping[str, object]) -> Reasoning | None:
    """What a client says with `thinking` and `output_config.effort`. Raises `Unfit`."""
    thinking, output = document.get("thinking"), document.get("output_config")
    word = output.get("effort") if type(output) is dict else None
    effort = Effort(word) if type(word) is str and word in _WORDS else None
    if thinking is None:
        return None if effort is None else Reasoning(effort)
    if type(thinking) is not dict:
        raise faults.Unfit(faults.wrong_type(dict, thinking, "thinking"))
    display = thinking.get("display")
    is_shown = display == "summarized" if type(display) is str else None
    match thinking.get("type"):
        case "disabled" | "between_tools":
            return Reasoning(effort, 0, is_shown)
        case "adaptive":
            return Reasoning(effort, None, is_shown)
        case "enabled":
            budget = thinking.get("budget_tokens")
            if type(budget) is not int:
                raise faults.Unfit(faults.not_a(int, thinking, "budget_tokens", "thinking."))
            return Reasoning(effort, budget, is_shown)
        case _:
            rule = "must be enabled, adaptive, disabled or between_tools"
            raise faults.Unfit(faults.wrong_value("thinking.type", rule))


def thought(
    reasoning: Reasoning | None,
    limit: int | None,
    able: Abilities,
    losses: Losses,
    *,
    is_hindered: bool,
) -> Thought:
    """As a model of these abilities takes it.

    `limit` is the client's on the whole answer. Hindered: the rest of the request rules it out.
    """
    disabled = {"type": "disabled"} if able.takes_disabled else None
    if reasoning is None:
        room = BUDGETS[Effort.MAX] if able.thinks_unasked else 0
        is_switched_off = is_hindered and able.thinks_unasked
        return Thought(_limit(limit, room), disabled if is_switched_off else None)
    feature = _feature(reasoning)
    if reasoning.budget_tokens == 0 or reasoning.effort is Effort.NONE:
        return _without(reasoning, limit, able, losses)
    if is_hindered:
        losses.lose(feature, _WHERE)
        effort = _fitting(reasoning.effort, able.efforts)
        return Thought(_limit(limit, 0), disabled if able.thinks_unasked else None, effort)
    if able.takes_adaptive and (reasoning.budget_tokens is None or not able.takes_budget):
        return _adaptive(reasoning, limit, able, losses)
    if able.takes_budget:
        return _budget(reasoning, limit, able, losses)
    losses.lose(feature, _WHERE)
    return Thought(_limit(limit, 0))


def _without(reasoning: Reasoning, limit: int | None, able: Abilities, losses: Losses) -> Thought:
    if able.takes_disabled:
        can_think = able.takes_budget or able.takes_adaptive
        effort = reasoning.effort if reasoning.effort in able.efforts else None
        return Thought(_limit(limit, 0), {"type": "disabled"} if can_think else None, effort)
    losses.lose(_feature(reasoning), _WHERE)
    return Thought(_limit(limit, BUDGETS[Effort.LOW]), None, Effort.LOW)


def _adaptive(reasoning: Reasoning, limit: int | None, able: Abilities, losses: Losses) -> Thought:
    wanted = reasoning.effort
    budget = reasoning.budget_tokens
    if budget is not None:
        losses.lose(Feature.REASONING_BUDGET, _WHERE)
        if wanted is None:
            wanted = next((each for each in _FALLING if BUDGETS[each] <= budget), Effort.LOW)
    effort = _fitting(wanted, able.efforts)
    if budget is None and effort is not wanted:
        losses.lose(Feature.REASONING_EFFORT, _WHERE)
    room = BUDGETS[effort or Effort.MAX]
    return Thought(_limit(limit, room), _shown("adaptive", reasoning), effort)


def _budget(reasoning: Reasoning, limit: int | None, able: Abilities, losses: Losses) -> Thought:
    budget = reasoning.budget_tokens
    if budget is None:
        budget = BUDGETS[reasoning.effort or Effort.HIGH]
    elif budget < SMALLEST_BUDGET:
        losses.lose(Feature.REASONING_BUDGET, _WHERE)
        budget = SMALLEST_BUDGET
    effort = reasoning.effort if reasoning.effort in able.efforts else None
    if limit is not None:
        budget = min(budget, limit - 1)
        if budget < SMALLEST_BUDGET:
            losses.lose(_feature(reasoning), _WHERE)
            return Thought(limit, None, effort)
    thinking = {**_shown("enabled", reasoning), "budget_tokens": budget}
    return Thought(_limit(limit, budget), thinking, effort)


def _shown(kind: str, reasoning: Reasoning) -> dict[str, object]:
    if reasoning.is_shown is None:
        return {"type": kind}
    return {"type": kind, "display": "summarized" if reasoning.is_shown else "omitted"}


def _fitting(wanted: Effort | None, efforts: tuple[Effort, ...]) -> Effort | None:
    """The word, or else the greatest below it that is taken, or the least."""
    if wanted is None or not efforts or wanted in efforts:
        return wanted if efforts else None
    below = [each for each in efforts if BUDGETS[each] < BUDGETS[wanted]]
    return below[-1] if below else efforts[0]


def _feature(reasoning: Reasoning) -> Feature:
    is_budget = reasoning.budget_tokens is not None
    return Feature.REASONING_BUDGET if is_budget else Feature.REASONING_EFFORT


def _limit(limit: int | None, room: int) -> int:
    return DEFAULT_MAX_TOKENS + room if limit is None else limit
