from __future__ import annotations

import pytest

from gateway.model import Endpoint, Provider, StaticKey, Upstream
from gateway.operations import Operation
from tests.gateway.config.loading import complaints, meant, problems


def provider(block: str, **environment: str) -> Provider:
    return meant(f"llm: {{providers: {{p: {block}}}}}", **environment).providers[0]


def test_a_vendor_knows_its_address() -> None:
    assert provider('{type: openai, key: "${KEY}"}', KEY="sk-1") == Provider(
        name="p",
        vendor="openai",
        upstream=Upstream((Endpoint("api.openai.com", 443),), "api.openai.com", True, 5.0),
        base_path="/v1",
        offers=((Operation.CHAT, "/chat/completions"),),
        silence_seconds=300.0,
        credential=StaticKey("authorization", "Bearer ", "sk-1"),
    )


def test_a_url_takes_the_place_of_the_vendors() -> None:
    found = provider("{type: openai, url: 'http://127.0.0.1:8000/a/v1/', timeouts: {silence: 2s}}")
    assert found.upstream == Upstream((Endpoint("127.0.0.1", 8000),), "127.0.0.1:8000", False, 5.0)
    assert (found.base_path, found.silence_seconds, found.credential) == ("/a/v1", 2.0, None)


def test_a_pool_is_equal_servers_in_plain_http() -> None:
    found = provider("{type: vllm, pool: ['10.0.0.1:8000', '[::1]:8001'], timeouts: {connect: 1s}}")
    assert found.upstream == Upstream(
        (Endpoint("10.0.0.1", 8000), Endpoint("::1", 8001)), "10.0.0.1:8000", False, 1.0
    )
    assert found.base_path == "/v1"


def test_headers_to_forward_are_lower_case() -> None:
    found = provider("{type: openai, forward_headers: [X-Request-Id]}")
    assert found.forward_headers == {"x-request-id"}


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("{type: vllm}", ": needs a url or a pool: 'vllm' has no address of its own"),
        (
            "{type: vllm, url: 'http://a', pool: ['a:1']}",
            ": has both url and pool",
        ),
        (
            "{type: openai, forward_headers: [Host]}",
            ".forward_headers.0: belongs to the gateway and is never forwarded, not 'Host'",
        ),
        (
            "{type: openai, forward_headers: [x-request-id, Cookie]}",
            ".forward_headers.1: belongs to the gateway and is never forwarded, not 'Cookie'",
        ),
        (
            "{type: openai, forward_headers: [x-envoy-attempt-count]}",
            ".forward_headers.0: belongs to the gateway and is never forwarded, "
            "not 'x-envoy-attempt-count'",
        ),
        ("{}", ".type: is required"),
        ("{type: opnai}", ".type: no provider type 'opnai'"),
    ],
)
def test_what_no_provider_can_be_is_refused(block: str, complaint: str) -> None:
    assert complaints(f"llm: {{providers: {{p: {block}}}}}") == [f"llm.providers.p{complaint}"]


def test_a_mistyped_vendor_gets_a_hint() -> None:
    assert problems("llm: {providers: {p: {type: opnai}}}")[0].hint == "did you mean 'openai'?"


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("{}", ": needs exactly one of provider, failover and weighted"),
        (
            "{provider: p, failover: [p/a]}",
            ": needs exactly one of provider, failover and weighted",
        ),
        ("{model: a, failover: [p/a]}", ": has a model without a provider"),
        ("{failover: []}", ".failover: must not be empty"),
        ("{weighted: {}}", ".weighted: must not be empty"),
        ("{weighted: {p/a: 0}}", ".weighted.p/a: must be from 1 to 1000000, not '0'"),
        ("{provider: p, model: a*b*c}", ".model: may contain one '*', not 'a*b*c'"),
        ("3", ": must be a block of keys and values"),
    ],
)
def test_what_no_model_can_be_is_refused(block: str, complaint: str) -> None:
    text = f"llm: {{providers: {{p: {{type: openai}}}}, models: {{m: {block}}}}}"
    assert complaints(text) == [f"llm.models.m{complaint}"]
