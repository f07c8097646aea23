"""As the vendor's documentation has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from extproc.policies.remote.bedrock import BedrockCodec
from extproc.policies.remote.words import (
    FINE,
    Objection,
    Rewritten,
    Unreadable,
)
from gateway.guards import (
    BedrockGuardrail,
    Phase,
)
from tests.kit.vendor_guards import opinion, question, sent

BEDROCK = BedrockCodec(BedrockGuardrail("/guardrail/abc/version/1/apply"))
PII = {"sensitiveInformationPolicy": {"piiEntities": [{"type": "EMAIL", "action": "ANONYMIZED"}]}}
TOPIC = {"topicPolicy": {"topics": [{"name": "Fiduciary Advice", "action": "BLOCKED"}]}}


def intervened(*outputs: str, of: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    texts = [{"text": text} for text in outputs]
    return {"action": "GUARDRAIL_INTERVENED", "outputs": texts, "assessments": of, "usage": {}}


def test_a_guardrail_is_asked_as_aws_describes_it() -> None:
    asked = question("a", "b", phase=Phase.RESPONSE)
    ((path, body),) = sent(BEDROCK, asked)
    assert path == "/guardrail/abc/version/1/apply"
    assert body["source"] == "OUTPUT"
    ((_, body),) = sent(BEDROCK, question("a", "b"))
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    shape = client.meta.service_model.operation_model("ApplyGuardrail").input_shape
    called = {"guardrailIdentifier": "abc", "guardrailVersion": "1", **body}
    assert ParamValidator().validate(called, shape).generate_report() == ""
    assert [len(each["content"]) for _, each in sent(BEDROCK, question("x" * 60_000))] == [1, 1, 1]


def test_a_guardrail_passes_masks_or_blocks() -> None:
    asked = question("hi", "I am a@b.example")
    assert opinion(BEDROCK, asked, {"action": "NONE", "outputs": [], "assessments": []}) is FINE
    masked = intervened("hi", "I am {EMAIL}", of=[PII])
    assert opinion(BEDROCK, asked, masked) == Rewritten({1: "I am {EMAIL}"})
    refused = intervened("Sorry, we cannot", of=[PII, TOPIC])
    assert opinion(BEDROCK, asked, refused) == Objection(categories=("Fiduciary Advice",))


def test_what_a_guardrail_masks_somewhere_is_refused() -> None:
    asked = question("hi", "I am a@b.example")
    assert opinion(BEDROCK, asked, intervened("hi I am {EMAIL}", of=[PII])) == Objection(
        categories=("EMAIL",)
    )
    assert opinion(BEDROCK, asked, intervened("hi", "there", of=[])) == Objection()


def test_a_long_text_is_masked_in_its_parts() -> None:
    text = "x" * 25_000 + "a@b.example"
    nothing = {"action": "NONE", "outputs": [], "assessments": []}
    assert opinion(BEDROCK, question(text), nothing, intervened("{EMAIL}", of=[PII])) == Rewritten(
        {0: "x" * 25_000 + "{EMAIL}"}
    )


@pytest.mark.parametrize("answer", [{}, {"action": "SOMETHING"}, {"action": 1}])
def test_a_guardrail_that_says_nothing_has_no_opinion(answer: Mapping[str, Any]) -> None:
    with pytest.raises(Unreadable):
        opinion(BEDROCK, question("a"), answer)
