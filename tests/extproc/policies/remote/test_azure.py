"""As the vendor's documentation has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from extproc.policies.remote.azure import AzureCodec
from extproc.policies.remote.words import (
    FINE,
    About,
    Objection,
    Question,
    Said,
    Unreadable,
)
from gateway.guards import (
    AzureContentSafety,
    Phase,
)
from tests.kit.vendor_guards import TOOL, USER, opinion, question, sent

VERSION = "?api-version=2024-09-01"


def azure(*, shields: bool = False, blocklists: tuple[str, ...] = ()) -> AzureCodec:
    severities = {"Hate": 4, "Violence": 2}
    return AzureCodec(AzureContentSafety("", "2024-09-01", severities, blocklists, shields))


def analyzed(hate: int = 0, violence: int = 0, *, lists: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "blocklistsMatch": [
            {"blocklistName": name, "blocklistItemId": "1", "blocklistItemText": "x"}
            for name in lists
        ],
        "categoriesAnalysis": [
            {"category": "Hate", "severity": hate},
            {"category": "Violence", "severity": violence},
        ],
    }


def test_text_is_analyzed_by_category() -> None:
    ((path, body),) = sent(azure(blocklists=("own",)), question("a"))
    assert path == f"/contentsafety/text:analyze{VERSION}"
    assert body == {
        "text": "a",
        "categories": ["Hate", "Violence"],
        "outputType": "EightSeverityLevels",
        "blocklistNames": ["own"],
    }
    assert len(sent(azure(), question("x" * 25_000))) == 3


def test_azure_blocks_from_the_severity_of_the_category() -> None:
    asked = question("a")
    assert opinion(azure(), asked, analyzed(3, 1)) is FINE
    assert opinion(azure(), asked, analyzed(4, 2)) == Objection(categories=("Hate", "Violence"))
    assert opinion(azure(), asked, analyzed(lists=["own"])) == Objection(
        categories=("blocklist own",)
    )


def test_prompt_shields_look_at_users_and_documents() -> None:
    asked = Question(About("g", Phase.REQUEST), (Said(USER, "u"), Said(TOOL, "d"), Said(TOOL, "e")))
    posts = sent(azure(shields=True), asked)
    assert [path for path, _ in posts].count(f"/contentsafety/text:shieldPrompt{VERSION}") == 2
    assert [body for path, body in posts if "shield" in path] == [
        {"userPrompt": "u", "documents": []},
        {"userPrompt": "", "documents": ["d", "e"]},
    ]
    fine = [analyzed()] * 3
    user = {"userPromptAnalysis": {"attackDetected": False}, "documentsAnalysis": []}
    calm, bad = {"attackDetected": False}, {"attackDetected": True}
    of_documents = {"documentsAnalysis": [calm, calm]}
    shields = azure(shields=True)
    assert opinion(shields, asked, *fine, user, of_documents) is FINE
    attacked = {"userPromptAnalysis": bad, "documentsAnalysis": []}
    assert opinion(shields, asked, *fine, attacked, of_documents) == Objection(
        categories=("prompt attack",)
    )
    hidden = {"documentsAnalysis": [calm, bad]}
    assert opinion(shields, asked, *fine, user, hidden) == Objection(
        categories=("document attack",)
    )
    with pytest.raises(Unreadable):
        opinion(shields, asked, *fine, user, {"documentsAnalysis": [calm]})
    answers = Question(About("g", Phase.RESPONSE), asked.texts)
    assert len(sent(shields, answers)) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"categoriesAnalysis": [{"category": "Hate", "severity": 0}]},
        {"categoriesAnalysis": [{"category": "Hate"}, {"category": "Violence", "severity": 0}]},
    ],
)
def test_a_category_that_is_not_told_is_no_opinion(answer: Mapping[str, Any]) -> None:
    with pytest.raises(Unreadable):
        opinion(azure(), question("a"), answer)
