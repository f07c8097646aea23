from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.schema import Config


def complaints(text: str) -> list[str]:
    found = load(f"guardrails: [{{{text}}}]", file="test.yaml", environment={})
    assert not isinstance(found, Config)
    return [f"{each.path}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("type: webhook", "guardrails.0.url: is required"),
        (
            "type: webhook, url: 'http://g', secret: abc",
            "guardrails.0.secret: must be 'whsec_' and base64 of 24 to 64 bytes",
        ),
        (
            "type: webhook, url: 'http://g', secret: whsec_c2hvcnQ=",
            "guardrails.0.secret: must be 'whsec_' and base64 of 24 to 64 bytes",
        ),
        (
            "type: webhook, url: 'http://g', timeout: 2m",
            "guardrails.0.timeout: must be more than 0 and at most 60s, not '2m'",
        ),
        (
            "type: webhook, url: 'http://g', headers: {authorization: x}",
            "guardrails.0.headers.authorization: is not sent by this: credentials stand under auth",
        ),
        (
            "type: openai-moderation, key: k, auth: {type: none}",
            "guardrails.0: has both key and auth",
        ),
        (
            "type: bedrock-guardrails, guardrail_id: 'a/b'",
            "guardrails.0.guardrail_id: must be the id or the arn of a guardrail",
        ),
        (
            "type: azure-content-safety, url: 'https://r', severity: 8",
            "guardrails.0.severity: must be from 0 to 7, not '8'",
        ),
    ],
)
def test_mistakes_are_problems(text: str, complaint: str) -> None:
    assert complaint in complaints(text)
