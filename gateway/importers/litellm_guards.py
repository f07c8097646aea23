"""LiteLLM's guardrails → ours, and a rule that refuses everything where one cannot be had.

A guard that LiteLLM asks about every request must not be missing unnoticed: until the operator has
decided, no request passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.config.policies import Pattern
from gateway.config.remote_guards import GuardrailId, GuardrailVersion, Region
from gateway.config.scalars import Secret
from gateway.config.urls import Url
from gateway.importers.litellm_keys import GUARD, GUARD_PARAMS, answer_rest
from gateway.importers.litellm_values import flag, free_name, is_strange_variable, is_valid
from gateway.importers.walk import Node, has_variable

_BEFORE = frozenset({"pre_call", "during_call"})
_ASIDE = frozenset({"logging_only", "pre_mcp_call", "during_mcp_call"})
_REFUSES = "a rule refuses every request until you decide"
_ASKED = "asked through Envoy; what cannot be checked is refused, unless on_error is allow"
_CONTENT_FILTER = "litellm_content_filter"
_NOT_ASKED = (
    "LiteLLM asks it about requests that name it, and here a guard is asked about every request:"
    " write it under guardrails if you want that"
)


@dataclass(slots=True)
class Guards:
    """What comes of the list."""

    blocks: list[dict[str, object]] = field(default_factory=list)
    rules: list[dict[str, object]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def name(self, wanted: str) -> str:
        """A free name for a guard."""
        name = free_name(wanted, self.names)
        self.names.add(name)
        return name

    def refuse_all(self, wanted: str) -> str:
        """A rule in the place of a guard that is missing; its path."""
        names = {str(rule["name"]) for rule in self.rules}
        self.rules.append(refusal(free_name(f"missing-guard-{wanted}", names)))
        return "authorize"


def refusal(name: str) -> dict[str, object]:
    """A rule that lets no request to a model pass."""
    return {"name": name, "for": {"llm": "*"}, "deny": "true"}


def read_guards(node: Node, guards: Guards) -> None:
    """The top-level `guardrails`."""
    for item in node.items():
        if item.block():
            _read(item, guards)


def _read(item: Node, guards: Guards) -> None:
    name = item.take("guardrail_name").text() or "guard"
    params = item.take("litellm_params")
    if not params.block():
        params.problem("must be a block of keys and values, with a guardrail")
        return
    kind = params.take("guardrail").text() or ""
    modes = _modes(params.take("mode"))
    is_always = bool(flag(params.take("default_on")))
    if modes <= _ASIDE:
        item.unsupported("nothing is reported, and there is no mcp: it guards no request here")
    elif kind == _CONTENT_FILTER:
        _content_filter(params, name, modes, guards, is_always=is_always)
        _answer_item(item)
    elif not is_always:
        item.unsupported(_NOT_ASKED, is_security=True)
    elif kind in ("bedrock", "openai_moderation"):
        _remote(params, kind, name, modes, guards)
        _answer_item(item)
    else:
        guards.refuse_all(name)
        item.different("authorize", f"there is no guard like it here: {_REFUSES}", is_security=True)


def _answer_item(item: Node) -> None:
    item.take("guardrail_name").exact("guardrails")
    answer_rest(item, GUARD)


def _modes(node: Node) -> frozenset[str]:
    if isinstance(node.value, str):
        return frozenset({node.value})
    if isinstance(node.value, dict):  # by the tags of requests
        return _BEFORE | {"post_call"}
    return frozenset(node.texts()) or _BEFORE


def _answer_mode(node: Node, modes: frozenset[str]) -> bool:
    """Whether all that LiteLLM checks is checked here."""
    if modes <= _BEFORE | _ASIDE:
        node.exact("", "requests are checked before they go out")
        return True
    node.different(
        "authorize", f"requests are checked, answers are not: {_REFUSES}", is_security=True
    )
    return False


def _content_filter(
    params: Node, name: str, modes: frozenset[str], guards: Guards, *, is_always: bool
) -> None:
    is_whole = True
    found: dict[tuple[str, str], list[str]] = {}
    for action, replacement, pattern in _patterns(params):
        if pattern is None:
            is_whole = False
        else:
            found.setdefault((action, replacement), []).append(pattern)
    for (action, replacement), patterns in found.items():
        block: dict[str, object] = {"type": "regex", "name": guards.name(name)}
        block["patterns"] = patterns
        block["action"] = action
        if action == "mask":
            block["replacement"] = replacement
        guards.blocks.append(block)
    for key in ("categories", "blocked_words_file", "category_thresholds"):
        if params.has(key):
            is_whole = False
            params.take(key).unsupported(
                "only your own patterns and words are taken over", is_security=True
            )
    if not found and not is_always:
        params.take("guardrail").unsupported(
            "none of its patterns can be taken over; LiteLLM asks it about requests that name it",
            is_security=True,
        )
        answer_rest(params, GUARD_PARAMS)
        return
    is_whole = _answer_mode(params.take("mode"), modes) and is_whole
    if not is_always:
        note = "; LiteLLM asks it about requests that name it, here it is asked about all"
    elif is_whole:
        note = ""
    else:
        note = f"; a part of it is missing: {_REFUSES}"
        guards.refuse_all(name)
    params.take("guardrail").different("guardrails", f"patterns by RE2{note}", is_security=True)
    params.take("default_on").different("guardrails", "a guard is asked about every request")
    answer_rest(params, GUARD_PARAMS)


def _patterns(params: Node) -> Iterator[tuple[str, str, str | None]]:
    """Action, what masks, and the pattern; None: it could not be taken over, and is answered."""
    for item in params.take("patterns").items():
        if not item.block():
            continue
        label = item.take("name").text() or "PATTERN"
        pattern = item.take("pattern").text()
        action = _action(item)
        for each in ("pattern_type", "pattern_name", "description"):
            item.take(each)
        if pattern is None:
            item.unsupported("a prebuilt pattern: write your own", is_security=True)
            yield action, "", None
        elif has_variable(pattern) or not is_valid(Pattern, pattern):
            item.unsupported("RE2 does not know the pattern: write another", is_security=True)
            yield action, "", None
        else:
            item.exact("guardrails")
            yield action, f"[{label.upper()}_REDACTED]", pattern
    for item in params.take("blocked_words").items():
        if not item.block():
            continue
        word = item.take("keyword").text()
        action = _action(item)
        item.take("description")
        pattern = f"(?i){re.escape(word)}" if word else ""
        if not word or has_variable(word) or not is_valid(Pattern, pattern):
            item.unsupported("a word that no pattern can be made of", is_security=True)
            yield action, "", None
        else:
            item.exact("guardrails")
            yield action, "[KEYWORD_REDACTED]", pattern


def _action(item: Node) -> str:
    written = (item.take("action").text() or "BLOCK").upper()
    return "mask" if written == "MASK" else "block"


def _remote(params: Node, kind: str, name: str, modes: frozenset[str], guards: Guards) -> None:
    block: dict[str, object] = {"name": guards.name(name)}
    at = "guardrails"
    if kind == "bedrock":
        block["type"] = "bedrock-guardrails"
        for key, ours, kind_of in (
            ("guardrailIdentifier", "guardrail_id", GuardrailId),
            ("guardrailVersion", "guardrail_version", GuardrailVersion),
            ("aws_region_name", "region", Region),
        ):
            node = params.take(key)
            value = str(node.value) if isinstance(node.value, int) else node.text()
            if value and is_valid(kind_of, value):
                block[ours] = value
                node.exact(at)
        if "guardrail_id" not in block:
            guards.refuse_all(name)
            params.unsupported(f"it names no guardrail: {_REFUSES}", is_security=True)
            return
    else:
        block["type"] = "openai-moderation"
        for key, ours, check in (("api_key", "key", Secret), ("api_base", "url", Url)):
            node = params.take(key)
            value = node.text()
            if value and not is_strange_variable(value) and is_valid(check, value):
                block[ours] = value
                node.exact(at)
    block |= _phase(params.take("mode"), modes)
    guards.blocks.append({"type": block.pop("type"), **block, "on_error": "block"})
    params.take("guardrail").different(at, _ASKED, is_security=True)
    params.take("default_on").exact(at)
    answer_rest(params, GUARD_PARAMS)


def _phase(node: Node, modes: frozenset[str]) -> dict[str, object]:
    """What a guard that asks a service reads, and whether requests wait for it."""
    is_asked, is_answer = bool(modes & _BEFORE), "post_call" in modes
    node.exact("guardrails")
    found: dict[str, object] = {}
    if is_answer:
        found["phase"] = "both" if is_asked else "response"
    if is_asked and "pre_call" not in modes:
        found["parallel"] = True
    return found
