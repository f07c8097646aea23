"""Prompt guards of theirs → `guardrails`, which guard every model.

Their built-in patterns are made explicit; they have no checksums in theirs either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.config.policies import Pattern
from gateway.config.scalars import Text
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Draft
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node, has_variable

BUILTINS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ssn": (r"\b[0-9]{3}[- .]?[0-9]{2}[- .]?[0-9]{4}\b", "<SSN>"),
        "creditCard": (r"\b[0-9](?:[ -]?[0-9]){12,18}\b", "<CREDIT_CARD>"),
        "phoneNumber": (
            r"(?:\+[0-9]{1,3}[ .-]?)?(?:\([0-9]{2,5}\)|\b[0-9]{2,5})"
            r"[ .-]?[0-9]{3,4}[ .-]?[0-9]{3,5}\b",
            "<PHONE_NUMBER>",
        ),
        "email": (
            r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b",
            "<EMAIL_ADDRESS>",
        ),
        "caSin": (r"\b[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}\b", "<CA_SIN>"),
    }
)
"""Patterns of ours, and what theirs writes in place of what they find."""
_MASKED = "<masked>"
_OWN_PATTERN = "a pattern of ours for the same; theirs may find a little more or less"
_ASCII = "RE2: \\d, \\w, \\s and \\b are ASCII"
_CLASSES = re.compile(r"\\[dDwWsSbB]|\(\?i")
_SCOPE = "all that the model would read is looked at, what tools say too"


def read_prompt_guard(node: Node, draft: Draft, *, is_for_all: bool) -> tuple[str, ...]:
    """Takes over the guards of requests. Gives what cannot be guarded here."""
    if node.is_empty:
        return ()
    locks = [*settle(node, policy_keys.PROMPT_GUARD)]
    response = node.take("response")
    if response.value == []:
        locks = [name for name in locks if name != "response"]
    for item in node.take("request").items():
        locks += _guard(item, draft, is_for_all=is_for_all)
    return tuple(f"promptGuard.{name}" for name in locks)


def _guard(node: Node, draft: Draft, *, is_for_all: bool) -> tuple[str, ...]:
    locks = settle(node, policy_keys.REQUEST_GUARD)
    scope, regex = node.take("scope"), node.take("regex")
    scope.different("guardrails", _SCOPE)
    message = _message(node.take("rejection"))
    if not node.has("regex"):
        return locks or ("request",)
    settle(regex, policy_keys.REGEX)
    action = regex.take("action")
    text = action.text() or "mask"
    if text not in ("mask", "reject"):
        is_harmless = text == "audit"
        note = "matches are not recorded" if is_harmless else "no action that ours knows"
        regex.unsupported(note, is_security=not is_harmless)
        return locks if is_harmless else (*locks, "regex")
    is_mask = text == "mask"
    name = "guardrails.action"
    if is_for_all:
        action.exact(name)
    else:
        action.different(name, "guards are asked about every model")
    patterns: dict[str, list[str]] = {}
    for rule in regex.take("rules").items():
        found = _rule(rule)
        if found is None:
            locks = (*locks, "regex")
        else:
            patterns.setdefault(found[1] if is_mask else "", []).append(found[0])
    for replacement, group in patterns.items():
        name = draft.name("guard", f"patterns-{len(draft.guards) + 1}", "patterns")
        guard: dict[str, object] = {"type": "regex", "name": name, "patterns": group}
        guard["action"] = "mask" if is_mask else "block"
        guard.update({"replacement": replacement} if is_mask else {})
        guard.update({"message": message} if message and not is_mask else {})
        draft.guards.append(guard)
    return locks


def _rule(node: Node) -> tuple[str, str] | None:
    """A pattern, and what it is replaced with."""
    settle(node, policy_keys.REGEX_RULE)
    builtin, pattern = node.take("builtin"), node.take("pattern")
    name, text = builtin.text(), pattern.text()
    if name is not None and name in BUILTINS:
        builtin.different("guardrails.patterns", _OWN_PATTERN)
        pattern.exact(note="the built-in pattern counts")
        return BUILTINS[name]
    if text is not None and not has_variable(text) and fits(Pattern, text.replace("$${", "${")):
        if _CLASSES.search(text):
            pattern.different("guardrails.patterns", _ASCII)
        else:
            pattern.exact("guardrails.patterns")
        return text, _MASKED
    node.unsupported(
        "no pattern that RE2 knows, or one that finds nothing at all", is_security=True
    )
    return None


def _error_message(body: str) -> str | None:
    """The message of a refusal that is written as an OpenAI error."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    error = value.get("error") if isinstance(value, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None


def _message(node: Node) -> str | None:
    """What the client is told, if it is one line."""
    if node.is_empty:
        return None
    settle(node, policy_keys.REJECTION, unknown_is_lock=False)
    body = node.take("body")
    text = body.value if isinstance(body.value, str) else ""
    text = _error_message(text) or text
    line = " ".join(text.split())
    if line == text and fits(Text, line):
        body.different("guardrails.message", "as the message of an OpenAI error, status 400")
        return line
    body.unsupported("refusals have the shape of OpenAI's errors; write guardrails.message")
    return None
