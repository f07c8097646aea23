"""As the vendor's documentation has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from extproc.policies.remote.openai_moderation import OpenaiModerationCodec
from extproc.policies.remote.words import (
    FINE,
    Objection,
    Unreadable,
)
from gateway.guards import (
    OpenaiModeration,
)
from tests.kit.vendor_guards import opinion, question, sent


def moderation(
    categories: Sequence[str] | None = None, threshold: float | None = None, **of: float
) -> OpenaiModerationCodec:
    names = None if categories is None else frozenset(categories)
    return OpenaiModerationCodec(OpenaiModeration("/v1/moderations", "omni", names, threshold, of))


def results(**scores: float) -> dict[str, Any]:
    flags = {name: score > 0.5 for name, score in scores.items()}
    one = {"flagged": any(flags.values()), "categories": flags, "category_scores": scores}
    return {"id": "modr-1", "model": "omni", "results": [one]}


def test_moderation_is_asked_about_all_texts_in_few_requests() -> None:
    assert sent(moderation(), question("a", "b")) == [
        ("/v1/moderations", {"model": "omni", "input": ["a", "b"]})
    ]
    many = sent(moderation(), question(*["x" * 8000] * 40))
    assert sum(len(body["input"]) for _, body in many) == 40
    assert all(sum(map(len, body["input"])) <= 100_000 for _, body in many)
    ((_, long),) = sent(moderation(), question("x" * 20_000))
    assert "".join(long["input"]) == "x" * 20_000
    assert len(long["input"]) == 3


def test_moderation_blocks_by_its_own_verdict_or_by_score() -> None:
    asked = question("a")
    assert opinion(moderation(), asked, results(hate=0.6)) == Objection(categories=("hate",))
    assert opinion(moderation(["violence"]), asked, results(hate=0.6, violence=0.1)) is FINE
    assert opinion(moderation(threshold=0.7), asked, results(hate=0.6)) is FINE
    by_category = moderation(threshold=0.7, hate=0.6)
    assert opinion(by_category, asked, results(hate=0.6, violence=0.6)) == Objection(
        categories=("hate",)
    )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"results": []},
        {"results": [{"categories": {}}]},
        {"results": [{"categories": {"violence": True}, "category_scores": {}}]},
        {"results": [{"categories": {"hate": True}, "category_scores": {"hate": "high"}}]},
    ],
)
def test_a_moderation_that_lacks_something_is_none(answer: Mapping[str, Any]) -> None:
    with pytest.raises(Unreadable):
        opinion(moderation(["hate"], 0.5), question("a"), answer)
    with pytest.raises(Unreadable):
        opinion(moderation(), question("a"), results(hate=0.1), status=401)
