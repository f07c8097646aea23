"""OpenAI's moderation endpoint.

https://platform.openai.com/docs/api-reference/moderations
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from extproc.policies.remote.reading import document, member, objects
from extproc.policies.remote.splitting import Part, batches, parts
from extproc.policies.remote.words import FINE, Objection, Opinion, Question, Stamp, Unreadable
from extproc.ports import Posted, Returned
from gateway.guards import OpenaiModeration

_LONGEST = 8_000
"""Characters of one input; longer ones are judged worse."""
_MOST, _TOGETHER = 32, 100_000
"""Inputs of one request, and their characters."""


class OpenaiModerationCodec:
    """Refuses by category, by the service's own verdict or by score."""

    def __init__(self, of: OpenaiModeration) -> None:
        self._of = of

    def requests(self, question: Question, stamp: Callable[[], Stamp]) -> Sequence[Posted]:
        return [
            Posted(
                self._of.path,
                msgspec.json.encode({"model": self._of.model, "input": [p.text for p in batch]}),
            )
            for batch in _batches(question)
        ]

    def opinion(self, question: Question, answers: Sequence[Returned]) -> Opinion:
        hit: dict[str, None] = {}
        for batch, answer in zip(_batches(question), answers, strict=True):
            results = objects(document(answer), "results")
            if len(results) != len(batch):
                raise Unreadable(f"it has {len(results)} results for {len(batch)} texts")
            for result in results:
                hit |= dict.fromkeys(self._hits(result))
        return Objection(categories=tuple(hit)) if hit else FINE

    def _hits(self, result: dict[str, Any]) -> list[str]:
        of = self._of
        flags = member(result, "categories", dict)
        scores = member(result, "category_scores", dict)
        found = []
        for name in flags:
            if of.categories is not None and name not in of.categories:
                continue
            threshold = of.thresholds.get(name, of.threshold)
            if threshold is None:
                is_hit = flags[name] is True
            else:
                score = scores.get(name)
                if isinstance(score, bool) or not isinstance(score, int | float):
                    raise Unreadable(f"it has no score for {name}")
                is_hit = score >= threshold
            if is_hit:
                found.append(name)
        missing = (of.categories or frozenset()) - flags.keys()
        if missing:
            raise Unreadable(f"it says nothing of {', '.join(sorted(missing))}")
        return found


def _batches(question: Question) -> list[list[Part]]:
    return batches(parts(question.texts, _LONGEST), most=_MOST, characters=_TOGETHER)
