"""Google's Model Armor: sanitizeUserPrompt and sanitizeModelResponse.

https://cloud.google.com/security-command-center/docs/reference/model-armor/rest
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from extproc.policies.remote.reading import document, member
from extproc.policies.remote.splitting import Part, parts
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
from gateway.guards import ModelArmor, Phase

_LONGEST = 8_000
"""Characters of one request, below the number of tokens above which filters are skipped."""
_FOUND, _NOTHING = "MATCH_FOUND", "NO_MATCH_FOUND"


class ModelArmorCodec:
    """What the template de-identifies is masked; what else it matches is refused."""

    def __init__(self, of: ModelArmor) -> None:
        self._path = of.path

    def requests(self, question: Question, stamp: Callable[[], Stamp]) -> Sequence[Posted]:
        method, name = "sanitizeModelResponse", "modelResponseData"
        if question.about.phase is Phase.REQUEST:
            method, name = "sanitizeUserPrompt", "userPromptData"
        return [
            Posted(f"{self._path}:{method}", msgspec.json.encode({name: {"text": part.text}}))
            for part in _parts(question)
        ]

    def opinion(self, question: Question, answers: Sequence[Returned]) -> Opinion:
        new = {place: "" for place, _ in enumerate(question.texts)}
        hit: dict[str, None] = {}
        for part, answer in zip(_parts(question), answers, strict=True):
            result = member(document(answer), "sanitizationResult", dict)
            if result.get("invocationResult") != "SUCCESS":
                raise Unreadable(f"its filters ended as {result.get('invocationResult')!r}")
            said = part.text
            match member(result, "filterMatchState", str):
                case "NO_MATCH_FOUND":
                    pass
                case "MATCH_FOUND":
                    masked, others = _matched(member(result, "filterResults", dict))
                    if masked is None or others:
                        hit |= dict.fromkeys(others or ["sdp"])
                    else:
                        said = masked
                case state:
                    raise Unreadable(f"its filterMatchState is {state!r}")
            new[part.place] += said
        if hit:
            return Objection(categories=tuple(hit))
        changed = {
            place: new[place]
            for place, each in enumerate(question.texts)
            if each.text != new[place]
        }
        return Rewritten(changed) if changed else FINE


def _matched(results: dict[str, Any]) -> tuple[str | None, list[str]]:
    """The text as de-identified, if that was done, and which other filters match."""
    masked: str | None = None
    others: list[str] = []
    for name, wrapped in results.items():
        for result in wrapped.values() if isinstance(wrapped, dict) else ():
            if not isinstance(result, dict):
                continue
            changed = result.get("deidentifyResult")
            if isinstance(changed, dict):
                if changed.get("matchState") == _FOUND:
                    masked = member(member(changed, "data", dict), "text", str)
            elif _states(result) - {_NOTHING}:
                others.append(name)
    return masked, others


def _states(result: dict[str, Any]) -> set[str]:
    """Of a filter; that of sensitive data has another inside."""
    inspected = result.get("inspectResult")
    found = inspected if isinstance(inspected, dict) else result
    return {str(found.get("matchState"))}


def _parts(question: Question) -> list[Part]:
    return parts(question.texts, _LONGEST)
