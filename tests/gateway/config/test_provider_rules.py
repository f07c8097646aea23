from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints

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
