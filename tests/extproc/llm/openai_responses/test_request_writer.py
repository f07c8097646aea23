from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_responses.request_writer import encode_request
from extproc.llm.request import (
    CacheMark,
    Effort,
    JsonFormat,
    Message,
    Reasoning,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
)
from tests.kit import responses as kit

HELLO = (Message(Role.USER, (Text("hello"),)),)
PARAMS: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParamsBase)


def said(**fields: Any) -> tuple[dict[str, Any], frozenset[Feature]]:
    losses = Losses()
    request = Request(**{"model": "gpt-5", "messages": HELLO, **fields})
    return json.loads(encode_request(request, losses)), losses.features


@given(kit.requests)
def test_requests_are_what_the_library_would_send(request: Request) -> None:
    document = json.loads(encode_request(request, Losses()))
    document.pop("stream", None)
    items = document.pop("input")
    PARAMS.validate_python(document)
    for item in items:
        if item["type"] == "reasoning":  # OpenAI checks an id against the seal, if there is one
            assert "id" not in item
            item["id"] = "rs_1"
        PARAMS.validate_python({"input": [item]})


def test_nothing_is_stored_and_reasoning_comes_sealed() -> None:
    document, lost = said()
    assert document == {
        "model": "gpt-5",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "hello"}],
            }
        ],
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    assert lost == frozenset()


@pytest.mark.parametrize(
    ("model", "asks"),
    [
        ("gpt-4.1", False),
        ("openai/gpt-4o-mini", False),
        ("ft:gpt-4.1:team", False),
        ("gpt-5-chat-latest", False),
        ("o3", True),
        ("gpt-5.1", True),
        ("my-deployment", True),
    ],
)
def test_models_that_do_not_reason_are_not_asked_for_seals(model: str, asks: bool) -> None:
    document, _ = said(model=model)
    assert ("include" in document) is asks


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(0, "none"), (512, "low"), (1024, "low"), (2048, "medium"), (4096, "high"), (32000, "high")],
)
def test_a_budget_becomes_an_effort(budget: int, effort: str) -> None:
    document, lost = said(reasoning=Reasoning(budget_tokens=budget, is_shown=True))
    assert document["reasoning"] == {"effort": effort, "summary": "auto"}
    assert lost == {Feature.REASONING_BUDGET}


def test_an_effort_is_said_as_it_is() -> None:
    document, lost = said(reasoning=Reasoning(Effort.XHIGH))
    assert document["reasoning"] == {"effort": "xhigh"}
    assert lost == frozenset()
    assert "reasoning" not in said(reasoning=Reasoning())[0]


def test_silence_about_strictness_is_said_aloud() -> None:
    document, _ = said(tools=(Tool("get"),))
    assert document["tools"] == [
        {"type": "function", "name": "get", "parameters": None, "strict": False}
    ]


@pytest.mark.parametrize(
    ("fields", "feature"),
    [
        ({"stop": ("a",)}, Feature.STOP),
        ({"choices": 2}, Feature.CHOICES),
        ({"sampling": Sampling(top_k=3)}, Feature.TOP_K),
        ({"sampling": Sampling(seed=3)}, Feature.SEED),
        ({"sampling": Sampling(presence_penalty=0.5)}, Feature.PENALTIES),
        ({"max_output_tokens": 5}, Feature.MAX_OUTPUT_TOKENS),
        ({"service_tier": "standard_only"}, Feature.SERVICE_TIER),
        ({"tools": (Tool("get", cache=CacheMark()),)}, Feature.CACHE_MARKS),
        ({"extras": (Feature.LOGIT_BIAS,)}, Feature.LOGIT_BIAS),
    ],
)
def test_what_cannot_be_said_is_a_loss(fields: dict[str, Any], feature: Feature) -> None:
    assert said(**fields)[1] == {feature}


def test_fewer_tokens_than_openai_takes_are_what_it_takes() -> None:
    assert said(max_output_tokens=5)[0]["max_output_tokens"] == 16


def test_long_ids_of_users_are_hashed() -> None:
    document, _ = said(user="u" * 100, cache_key="k" * 100)
    assert len(document["safety_identifier"]) == 64
    assert len(document["prompt_cache_key"]) == 64


def test_what_openai_would_refuse_as_strict_is_not_said_to_be() -> None:
    optional = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    document, lost = said(
        tools=(Tool("f", "", optional, is_strict=True), Tool("g", is_strict=True)),
        format=JsonFormat(optional, is_strict=True),
    )
    assert [tool["strict"] for tool in document["tools"]] == [False, True]
    assert document["text"]["format"]["strict"] is False
    assert lost == {Feature.STRICT_TOOLS}
