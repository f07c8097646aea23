"""Guardrails of Amazon Bedrock, by ApplyGuardrail.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from extproc.policies.remote.reading import document, member, objects
from extproc.policies.remote.splitting import Part, batches, parts
from extproc.policies.remote.words import (
    FINE,
    Objection,
    Opinion,
    Question,
    Rewritten,
    Stamp,
    Unreadable,
)
from extproc.ports import Posted, Returned
from gateway.guards import BedrockGuardrail, Phase

_LONGEST = 25_000
"""Characters of one request: 25 text units, the usual quota of a second."""
_MOST = 50
_ANONYMIZED, _BLOCKED = "ANONYMIZED", "BLOCKED"


class BedrockCodec:
    """What the guardrail anonymizes is masked; what it blocks is refused."""

    def __init__(self, of: BedrockGuardrail) -> None:
        self._path = of.path

    def requests(self, question: Question, stamp: Callable[[], Stamp]) -> Sequence[Posted]:
        source = "INPUT" if question.about.phase is Phase.REQUEST else "OUTPUT"
        return [
            Posted(
                self._path,
                msgspec.json.encode(
                    {"source": source, "content": [{"text": {"text": p.text}} for p in batch]}
                ),
            )
            for batch in _batches(question)
        ]

    def opinion(self, question: Question, answers: Sequence[Returned]) -> Opinion:
        new = {place: "" for place, _ in enumerate(question.texts)}
        for batch, answer in zip(_batches(question), answers, strict=True):
            found = document(answer)
            said = [part.text for part in batch]
            match member(found, "action", str):
                case "NONE":
                    pass
                case "GUARDRAIL_INTERVENED":
                    actions = list(_actions(found))
                    blocked = [name for name, action in actions if action != _ANONYMIZED]
                    outputs = objects(found, "outputs")
                    if blocked or not actions or len(outputs) != len(said):
                        names = blocked or [name for name, _ in actions]
                        return Objection(categories=tuple(dict.fromkeys(names)))
                    said = [member(output, "text", str) for output in outputs]
                case action:
                    raise Unreadable(f"its action is {action!r}")
            for part, text in zip(batch, said, strict=True):
                new[part.place] += text
        changed = {
            place: new[place]
            for place, each in enumerate(question.texts)
            if each.text != new[place]
        }
        return Rewritten(changed) if changed else FINE


def _actions(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What was detected, by name, and what is done about it: `("EMAIL", "ANONYMIZED")`."""
    for assessment in objects(found, "assessments"):
        for policy, lists in assessment.items():
            if not policy.endswith("Policy") or not isinstance(lists, dict):
                continue
            for name in lists:
                for each in objects(lists, name):
                    action = each.get("action")
                    if action is not None and action != "NONE":
                        kind = each.get("type") or each.get("name") or policy
                        yield str(kind), _BLOCKED if not isinstance(action, str) else action


def _batches(question: Question) -> list[list[Part]]:
    return batches(parts(question.texts, _LONGEST), most=_MOST, characters=_LONGEST)
