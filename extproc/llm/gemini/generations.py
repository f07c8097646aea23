"""What differs between Gemini's models and shows in requests, read off their names.

https://ai.google.dev/gemini-api/docs/gemini-3: models from Gemini 3 on take a thinking level, check
the signatures of function calls, and read images in results of functions.
"""

from __future__ import annotations

from extproc.llm.request import Effort, Reasoning

_FAMILY = "gemini-"
_LARGEST_BUDGET_OF_PRO = 32768
_LARGEST_BUDGET = 24576
_SMALLEST_BUDGET_OF_PRO = 128
_SMALLEST_BUDGET_OF_LITE = 512

BUDGETS = {
    Effort.NONE: 0,
    Effort.MINIMAL: 1024,
    Effort.LOW: 1024,
    Effort.MEDIUM: 2048,
    Effort.HIGH: 4096,
    Effort.XHIGH: 8192,
    Effort.MAX: 16384,
}
"""In tokens."""
_LEVELS = {
    Effort.NONE: "minimal",
    Effort.MINIMAL: "minimal",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
    Effort.XHIGH: "high",
    Effort.MAX: "high",
}
_SAID_IN_FULL = frozenset({Effort.MINIMAL, Effort.LOW, Effort.MEDIUM, Effort.HIGH})
_EFFORTS = {
    "minimal": Effort.MINIMAL,
    "low": Effort.LOW,
    "medium": Effort.MEDIUM,
    "high": Effort.HIGH,
    "xhigh": Effort.XHIGH,
}


def is_before_3(model: str) -> bool:
    """Names without a number (`gemini-flash-latest`) are those of the newest."""
    name = model.rpartition("/")[2]
    return name.startswith((f"{_FAMILY}1", f"{_FAMILY}2")) or not name.startswith(_FAMILY)


def can_think(model: str) -> bool:
    return not model.rpartition("/")[2].startswith((f"{_FAMILY}1", f"{_FAMILY}2.0", "gemma"))


def thinking_config(
    reasoning: Reasoning, model: str, max_output_tokens: int | None
) -> tuple[dict[str, object], bool]:
    """`thinkingConfig`, and whether it says all that was said of effort."""
    config: dict[str, object] = {}
    is_whole = True
    effort, budget = reasoning.effort, reasoning.budget_tokens
    if effort is not None and not is_before_3(model):
        level = _LEVELS[effort]
        is_whole = effort in _SAID_IN_FULL
        if level == "minimal" and "pro" in model:  # which always thinks
            level, is_whole = "low", False
        config["thinkingLevel"] = level
    elif budget is not None:
        config["thinkingBudget"] = _within_range(budget, model)
    elif effort is not None:
        wanted = BUDGETS[effort]
        if wanted and max_output_tokens is not None:  # thoughts count as output
            wanted = min(wanted, max(max_output_tokens - 1, 1))
        config["thinkingBudget"] = _within_range(wanted, model)
        is_whole = config["thinkingBudget"] == wanted
    elif reasoning.is_shown is None or is_before_3(model):
        config["thinkingBudget"] = -1  # as it likes
    if reasoning.is_shown is not None:
        config["includeThoughts"] = reasoning.is_shown
    return config, is_whole


def effort_of(level: str) -> Effort | None:
    """Of `thinkingLevel`, which is written in either case."""
    return _EFFORTS.get(level.lower())


def _within_range(budget: int, model: str) -> int:
    """https://ai.google.dev/gemini-api/docs/thinking: what Gemini 2.5 takes."""
    if not is_before_3(model):
        return budget
    if "pro" in model:
        return min(max(budget, _SMALLEST_BUDGET_OF_PRO), _LARGEST_BUDGET_OF_PRO)
    smallest = _SMALLEST_BUDGET_OF_LITE if "lite" in model and budget else 0
    return min(max(budget, smallest), _LARGEST_BUDGET)
