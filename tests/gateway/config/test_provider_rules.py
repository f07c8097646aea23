from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints, warned

PASSED = "llm: {providers: {p: {type: openai, auth: {type: pass-through%s}}}}"
KEYS = "identity: {api_keys: {keys: [{name: a, key: k}]}}"
REQUIRED = "identity: {required: true}"
ROUTE = "routes: [{name: r, backend: 'http://a', auth: key}]"
COMPLAINT = (
    "llm.providers.p.auth: passes on 'authorization', where clients put the gateway's own keys"
)


@pytest.mark.parametrize("ours", [KEYS, REQUIRED, ROUTE])
def test_a_key_of_the_gateway_is_never_passed_on(ours: str) -> None:
    assert COMPLAINT in complaints(f"{ours}\n{PASSED % ''}")
    assert COMPLAINT not in complaints(f"{ours}\n{PASSED % ', header: x-provider-key'}")


def test_without_keys_of_our_own_the_usual_header_is_passed_on() -> None:
    assert complaints(PASSED % "") == []


@pytest.mark.parametrize(
    ("block", "is_warned_of"),
    [
        ("{type: openai}", True),
        ("{type: azure-openai, resource: r}", True),
        ("{type: openai, key: k}", False),
        ("{type: openai, auth: {type: none}}", False),
        ("{type: openai, url: 'http://127.0.0.1:9/v1'}", False),
        ("{type: bedrock, region: us-east-1}", False),
        ("{type: ollama}", False),
        ("{type: vllm, pool: ['127.0.0.1:9']}", False),
    ],
)
def test_a_vendor_that_is_asked_without_a_key_is_warned_of(block: str, is_warned_of: bool) -> None:
    assert (
        told(block)
        == ["has neither key nor auth, so it is asked without a credential"] * is_warned_of
    )


@pytest.mark.parametrize(
    ("prefix", "is_warned_of"), [("Bearer", True), ("Bearer ", False), ("key=", False), ("", False)]
)
def test_a_prefix_that_touches_the_key_is_warned_of(prefix: str, is_warned_of: bool) -> None:
    found = told(f"{{type: openai, auth: {{type: api-key, key: k, prefix: '{prefix}'}}}}")
    assert found == ["'Bearer' stands before the key without a space"] * is_warned_of


def told(block: str) -> list[str]:
    """What is warned of about a provider."""
    found = [each.split(": ", 1) for each in warned(f"llm: {{providers: {{p: {block}}}}}")]
    return [message for path, message in found if path.startswith("llm.providers.p")]
