"""Rows of the table say what the vendors' own documentation does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_chat.request_writer import encode_request
from extproc.llm.openai_chat.servers import (
    COMPATIBLE,
    OPENAI,
    SERVERS,
    in_terms,
    may_be_asked_for_usage,
    server_of,
)
from extproc.llm.request import Message, Request, Role, Sampling, Text
from gateway.config.vendors import VENDORS
from gateway.model import HAVE_OWN_TERMS

REQUEST = Request(
    "m",
    (Message(Role.USER, (Text("hello"),)),),
    is_stream=True,
    max_output_tokens=9,
    sampling=Sampling(seed=7),
    user="u",
)


def sent(vendor: str) -> tuple[dict[str, Any], frozenset[Feature]]:
    losses = Losses()
    body = encode_request(REQUEST, losses, server_of(vendor))
    return json.loads(body), losses.features


@pytest.mark.parametrize(
    ("vendor", "field"),
    [
        ("openai", "max_completion_tokens"),
        ("groq", "max_completion_tokens"),
        ("ollama", "max_tokens"),
        ("mistral", "max_tokens"),
        ("deepseek", "max_tokens"),
        ("cohere", "max_tokens"),
        ("azure-openai", "max_completion_tokens"),
        ("openai-compatible", "max_tokens"),
        ("unheard-of", "max_tokens"),
    ],
)
def test_the_limit_goes_under_the_name_that_the_server_takes(vendor: str, field: str) -> None:
    document, losses = sent(vendor)
    assert {"max_completion_tokens", "max_tokens"} & document.keys() == {field}
    assert document[field] == 9
    assert Feature.MAX_OUTPUT_TOKENS not in losses


def test_mistral_is_sent_nothing_that_it_refuses() -> None:
    document, losses = sent("mistral")
    assert document == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 9,
        "random_seed": 7,
        "stream": True,
    }
    assert losses == {Feature.USER}


def test_others_are_asked_for_the_usage_of_streams() -> None:
    assert sent("openai")[0]["stream_options"] == {"include_usage": True}


def test_who_has_no_row_is_a_compatible_server() -> None:
    assert server_of("openai") is OPENAI
    assert server_of("unheard-of") is COMPATIBLE


def test_every_row_is_a_vendors() -> None:
    assert SERVERS.keys() <= VENDORS.keys()


@pytest.mark.parametrize("vendor", sorted(SERVERS))
def test_a_row_names_fields_that_exist(vendor: str) -> None:
    beyond = {
        "cache_control",
        "extra_content",
        "images",
        "prompt_cache_breakpoint",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "top_k",
        "video_url",
    }
    assert server_of(vendor).takes <= beyond


def test_a_body_has_the_names_that_its_server_has_for_its_fields() -> None:
    body = b'{"max_completion_tokens" : 9,"seed":5, "logprobs":true,"x_new": 1.50}'
    found = in_terms(body, json.loads(body), server_of("mistral"))
    assert json.loads(found) == {"max_tokens": 9, "random_seed": 5, "logprobs": True, "x_new": 1.5}
    assert b'"x_new": 1.50' in found
    assert in_terms(body, json.loads(body), server_of("openai")) is body


def test_a_field_that_has_both_names_keeps_the_servers() -> None:
    body = b'{"max_tokens":7,"max_completion_tokens":9}'
    assert in_terms(body, json.loads(body), server_of("deepseek")) == b'{"max_tokens":7}'


def test_a_server_that_refuses_to_be_asked_for_the_usage_is_not() -> None:
    body = b'{"stream_options":{"include_usage":true},"user":"u"}'
    assert in_terms(body, json.loads(body), server_of("mistral")) == b'{"user":"u"}'
    assert not may_be_asked_for_usage(server_of("mistral"))
    assert may_be_asked_for_usage(server_of("deepseek"))


def test_the_vendors_with_terms_of_their_own_are_known_to_both_processes() -> None:
    assert {name for name, server in SERVERS.items() if server.names} == HAVE_OWN_TERMS
