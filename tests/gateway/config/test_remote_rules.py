from __future__ import annotations

from gateway.config.check import warnings
from gateway.config.load import load
from gateway.config.schema import Config


def warned(text: str) -> list[str]:
    config = load(text, file="test.yaml", environment={})
    assert isinstance(config, Config)
    return [str(each) for each in warnings(config)]


def test_guards_whose_service_refuses_them_are_warned_of() -> None:
    key = "url: 'https://a.example', type: azure-content-safety"
    assert warned("guardrails:\n  - {type: openai-moderation}") == [
        "test.yaml:2: guardrails.0: has neither a key nor auth: the service will refuse to be asked"
        " (on_error is block: all is refused)"
    ]
    (warning,) = warned(f"guardrails:\n  - {{{key}, on_error: allow}}")
    assert warning.endswith("(on_error is allow: nothing is checked)")
    assert warned("guardrails:\n  - {type: openai-moderation, key: k}") == []
    assert warned("guardrails:\n  - {type: bedrock-guardrails, guardrail_id: a}") == []


def test_guards_that_surprise_are_warned_of() -> None:
    assert warned("guardrails:\n  - {type: webhook, url: 'http://127.0.0.1:1'}") == []
    assert warned("guardrails:\n  - {type: webhook, url: 'http://guard.example'}") == [
        "test.yaml:2: guardrails.0.url: sends what is said without tls (https)"
    ]
    text = "{type: webhook, url: 'https://g.example', phase: response, parallel: true}"
    assert warned(f"guardrails:\n  - {text}") == [
        "test.yaml:2: guardrails.0.parallel: does nothing: the guard reads no requests"
        " (phase: request)"
    ]
