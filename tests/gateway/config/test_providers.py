"""Blocks of providers: what they take, and what they refuse."""

from __future__ import annotations

import pytest

from gateway.config.vendors import VENDORS
from gateway.credentials import StaticKey
from gateway.model import Endpoint, Provider, Upstream
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
        offers=VENDORS["openai"].offers,
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


def test_offers_take_the_place_of_the_vendors_in_their_order() -> None:
    found = provider(
        "{type: custom, url: 'http://a',"
        " offers: {messages: '/m', chat: '/c?v=1', generate: '/g/{model}:x'}}"
    )
    assert found.offers == (
        (Operation.MESSAGES, "/m"),
        (Operation.CHAT, "/c?v=1"),
        (Operation.GENERATE, "/g/{model}:x"),
    )


def test_headers_are_added_to_the_vendors_and_replace_them() -> None:
    plain = provider("{type: anthropic}")
    assert plain.headers == (("anthropic-version", "2023-06-01"),)
    found = provider("{type: anthropic, headers: {Anthropic-Version: '2024-01-01', x-a: b}}")
    assert found.headers == (("anthropic-version", "2024-01-01"), ("x-a", "b"))


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("{type: bedrock}", ": needs 'region': it is of the type 'bedrock'"),
        ("{type: vertex, region: global}", ": needs 'project': it is of the type 'vertex'"),
        ("{type: azure-openai}", ": needs 'resource': it is of the type 'azure-openai'"),
        ("{type: bedrock, url: 'https://a'}", ": needs 'region': requests are signed for one"),
        ("{type: custom, url: 'http://a'}", ": needs 'offers': it is of the type 'custom'"),
        ("{type: openai, region: us-east-1}", ": has 'region', which 'openai' does not take"),
        (
            "{type: azure-openai, resource: r, api_version: v2}",
            ".api_version: must be v1, preview, or a date such as 2024-10-21, not 'v2'",
        ),
        ("{type: openai, key: a, auth: {type: none}}", ": has both key and auth"),
        (
            "{type: openai, offers: {chat: c}}",
            ".offers.chat: must be a path that begins with '/', "
            "with {model} for the model, not 'c'",
        ),
        (
            "{type: openai, offers: {chat: '/a b'}}",
            ".offers.chat: must be a path that begins with "
            "'/', with {model} for the model, not '/a b'",
        ),
        ("{type: openai, offers: {cat: /c}}", ".offers.cat: no operation 'cat'"),
        ("{type: openai, offers: {models: /c}}", ".offers.models: no operation 'models'"),
        (
            "{type: openai, headers: {authorization: a}}",
            ".headers.authorization: is not sent by this: credentials stand under auth",
        ),
        (
            "{type: openai, forward_headers: [x-amz-date]}",
            ".forward_headers.0: belongs to the gateway and is never forwarded, not 'x-amz-date'",
        ),
    ],
)
def test_what_does_not_fit_the_type_is_refused(block: str, complaint: str) -> None:
    assert complaints(f"llm: {{providers: {{p: {block}}}}}") == [f"llm.providers.p{complaint}"]


def test_a_url_has_in_it_what_would_stand_in_the_vendors() -> None:
    found = provider("{type: azure-openai, url: 'https://private.example', key: k}")
    assert found.upstream.authority == "private.example"
    signed = provider("{type: bedrock, url: 'https://vpce.example', key: k}")
    assert signed.credential == StaticKey("authorization", "Bearer ", "k")
