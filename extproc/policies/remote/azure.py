"""Azure AI Content Safety: harmful text, and attacks by Prompt Shields.

https://learn.microsoft.com/rest/api/contentsafety/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from extproc.policies.remote.reading import document, member, objects
from extproc.policies.remote.splitting import batches, parts
from extproc.policies.remote.words import (
    FINE,
    Objection,
    Opinion,
    Question,
    Said,
    Stamp,
    Unreadable,
)
from extproc.ports import Posted, Returned
from gateway.guards import AzureContentSafety, Phase, TextScope

_LONGEST = 10_000
"""Characters: of a text, of a prompt, and of all documents together."""
_MOST_DOCUMENTS = 5


class AzureCodec:
    """Refuses by severity, by blocklists, and what is an attack."""

    def __init__(self, of: AzureContentSafety) -> None:
        self._of = of

    def requests(self, question: Question, stamp: Callable[[], Stamp]) -> Sequence[Posted]:
        of = self._of
        analyzed = [
            self._post(
                "analyze",
                {
                    "text": part.text,
                    "categories": list(of.severities),
                    "outputType": "EightSeverityLevels",
                    **({"blocklistNames": list(of.blocklists)} if of.blocklists else {}),
                },
            )
            for part in parts(question.texts, _LONGEST)
        ]
        shields = [self._post("shieldPrompt", each) for each in self._shields(question)]
        return [*analyzed, *shields]

    def opinion(self, question: Question, answers: Sequence[Returned]) -> Opinion:
        count = len(parts(question.texts, _LONGEST))
        hit: dict[str, None] = {}
        for answer in answers[:count]:
            hit |= dict.fromkeys(self._harms(document(answer)))
        for asked, answer in zip(self._shields(question), answers[count:], strict=True):
            hit |= dict.fromkeys(_attacks(asked, document(answer)))
        return Objection(categories=tuple(hit)) if hit else FINE

    def _post(self, method: str, body: dict[str, Any]) -> Posted:
        of = self._of
        path = f"{of.base_path}/contentsafety/text:{method}?api-version={of.api_version}"
        return Posted(path, msgspec.json.encode(body))

    def _shields(self, question: Question) -> list[dict[str, Any]]:
        if not self._of.shields_prompts or question.about.phase is not Phase.REQUEST:
            return []
        users = _of_scope(question.texts, TextScope.USER)
        given = _of_scope(question.texts, TextScope.TOOL_OUTPUT)
        documents = batches(parts(given, _LONGEST), most=_MOST_DOCUMENTS, characters=_LONGEST)
        return [
            *({"userPrompt": part.text, "documents": []} for part in parts(users, _LONGEST)),
            *({"userPrompt": "", "documents": [each.text for each in b]} for b in documents),
        ]

    def _harms(self, found: dict[str, Any]) -> list[str]:
        lists = [
            f"blocklist {each.get('blocklistName')}" for each in objects(found, "blocklistsMatch")
        ]
        severities: dict[str, int] = {
            member(each, "category", str): member(each, "severity", int)
            for each in objects(found, "categoriesAnalysis")
        }
        missing = self._of.severities.keys() - severities.keys()
        if missing:
            raise Unreadable(f"it says nothing of {', '.join(sorted(missing))}")
        hits = [name for name, least in self._of.severities.items() if severities[name] >= least]
        return [*lists, *hits]


def _of_scope(texts: Sequence[Said], scope: TextScope) -> list[Said]:
    return [each for each in texts if each.scope is scope]


def _attacks(asked: dict[str, Any], found: dict[str, Any]) -> list[str]:
    hits = []
    analysis = member(found, "userPromptAnalysis", dict) if asked["userPrompt"] else {}
    if analysis and member(analysis, "attackDetected", bool):
        hits.append("prompt attack")
    documents = objects(found, "documentsAnalysis")
    if len(documents) != len(asked["documents"]):
        raise Unreadable("it does not say of each document whether it is an attack")
    if any(member(each, "attackDetected", bool) for each in documents):
        hits.append("document attack")
    return hits
