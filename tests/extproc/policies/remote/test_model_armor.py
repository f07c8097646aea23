"""As the vendor's documentation has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from extproc.policies.remote.model_armor import ModelArmorCodec
from extproc.policies.remote.words import (
    FINE,
    Objection,
    Rewritten,
    Unreadable,
)
from gateway.guards import (
    ModelArmor,
    Phase,
)
from tests.kit.vendor_guards import opinion, question, sent

ARMOR = ModelArmorCodec(ModelArmor("/v1/projects/p/locations/l/templates/t"))


def sanitized(*, found: bool, invocation: str = "SUCCESS", **filters: Any) -> dict[str, Any]:
    state = "MATCH_FOUND" if found else "NO_MATCH_FOUND"
    result = {
        "filterMatchState": state,
        "invocationResult": invocation,
        "filterResults": {
            "csam": {"csamFilterFilterResult": {"matchState": "NO_MATCH_FOUND"}},
            **filters,
        },
    }
    return {"sanitizationResult": result}


def deidentified(text: str) -> dict[str, Any]:
    changed = {"matchState": "MATCH_FOUND", "data": {"text": text}, "infoTypes": ["EMAIL_ADDRESS"]}
    return {"sdpFilterResult": {"deidentifyResult": changed}}


ATTACK = {"piAndJailbreakFilterResult": {"matchState": "MATCH_FOUND", "confidenceLevel": "HIGH"}}


def test_model_armor_is_asked_about_prompts_and_responses() -> None:
    template = "/v1/projects/p/locations/l/templates/t"
    assert sent(ARMOR, question("a", "b")) == [
        (f"{template}:sanitizeUserPrompt", {"userPromptData": {"text": "a"}}),
        (f"{template}:sanitizeUserPrompt", {"userPromptData": {"text": "b"}}),
    ]
    assert sent(ARMOR, question("a", phase=Phase.RESPONSE)) == [
        (f"{template}:sanitizeModelResponse", {"modelResponseData": {"text": "a"}})
    ]
    assert len(sent(ARMOR, question("x" * 20_000))) == 3


def test_model_armor_passes_masks_or_blocks() -> None:
    asked = question("a@b.example")
    assert opinion(ARMOR, asked, sanitized(found=False)) is FINE
    masked = sanitized(found=True, sdp=deidentified("[EMAIL]"))
    assert opinion(ARMOR, asked, masked) == Rewritten({0: "[EMAIL]"})
    attacked = sanitized(found=True, pi_and_jailbreak=ATTACK)
    assert opinion(ARMOR, asked, attacked) == Objection(categories=("pi_and_jailbreak",))
    both = sanitized(found=True, sdp=deidentified("[EMAIL]"), pi_and_jailbreak=ATTACK)
    assert opinion(ARMOR, asked, both) == Objection(categories=("pi_and_jailbreak",))
    inspected = {"sdpFilterResult": {"inspectResult": {"matchState": "MATCH_FOUND"}}}
    assert opinion(ARMOR, asked, sanitized(found=True, sdp=inspected)) == Objection(
        categories=("sdp",)
    )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        sanitized(found=False, invocation="PARTIAL"),
        sanitized(found=False, invocation="FAILURE"),
        {"sanitizationResult": {"invocationResult": "SUCCESS"}},
        {"sanitizationResult": {"invocationResult": "SUCCESS", "filterMatchState": "X"}},
    ],
)
def test_filters_that_did_not_run_have_no_opinion(answer: Mapping[str, Any]) -> None:
    with pytest.raises(Unreadable):
        opinion(ARMOR, question("a"), answer)
