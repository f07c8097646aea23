"""What is forwarded, and to whom it can be said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from envoy_api import message

from extproc.attempt import rewritten
from extproc.events import Forward, Replace, RequestBody, Respond, ResponseBody
from extproc.wire import decode_attempt
from gateway import names
from gateway.model import Lossiness
from tests.kit.llm_exchange import WITHOUT_BUDGETS, chat, clusters, forwarded, llm_exchange

PROSE = [{"role": "user", "content": "hi"}]
SERVERS = """
llm:
  providers:
    openai: {type: openai, key: k}
    mistral: {type: mistral, key: k}
    claude: {type: anthropic, key: k}
  models:
    alike: {failover: [openai/gpt-5, mistral/mistral-large]}
    mixed: {failover: [claude/claude-opus-4-5, mistral/mistral-large]}
"""
Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")


def test_a_single_provider_is_told_in_its_own_dialect() -> None:
    said = forwarded(llm_exchange().ask(**chat("opus", max_tokens=7)))
    assert said["max_tokens"] == 7
    assert said["model"] == "opus"
    assert "contents" in forwarded(llm_exchange().ask(**chat("pro")))
    assert "inferenceConfig" in forwarded(llm_exchange().ask(**chat("nova", max_tokens=7)))


def test_mixed_providers_are_told_by_their_own_attempts() -> None:
    action = llm_exchange(WITHOUT_BUDGETS).ask(**chat("mixed"))
    assert clusters(action) == ["llm/claude#1", "llm/chat/addressed"]
    assert forwarded(action) == chat("gpt")


@pytest.mark.parametrize(("model", "path"), [("alike", "/v1/messages"), ("mixed", "/v1/responses")])
def test_an_attempt_knows_whose_form_of_a_dialect_it_writes(model: str, path: str) -> None:
    asked = {
        "alike": {"messages": PROSE, "max_tokens": 9},
        "mixed": {"input": "hi", "max_output_tokens": 9},
    }
    action = llm_exchange(SERVERS).ask(path, model=model, **asked[model])
    assert isinstance(action, Forward)
    assert action.body is not None
    told = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    request = Request(request_body={"body": action.body})
    request.metadata_context.filter_metadata[names.REQUEST_NAMESPACE].CopyFrom(told)
    event, order = decode_attempt(request.SerializeToString(), "llm/mistral#2")
    assert isinstance(event, RequestBody)
    assert order is not None
    assert (order.forwarded.vendor, order.wanted.vendor) == (
        "openai" if model == "alike" else "",
        "mistral",
    )
    body = rewritten(event.body, order, Lossiness.HINTS)
    assert isinstance(body, bytes)
    said = json.loads(body)
    assert said["max_tokens"] == 9
    assert "max_completion_tokens" not in said


def test_a_client_of_a_dialect_keeps_its_own_form_of_it() -> None:
    action = llm_exchange(SERVERS).ask(**chat("alike", max_completion_tokens=9))
    assert isinstance(action, Forward)
    told = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    assert told["said"]["vendor"] == told["bodies"]["llm/mistral#2"]["vendor"] == ""


def test_each_try_of_a_plan_knows_the_model_that_it_is_written_for() -> None:
    bedrock = "  bedrock: {type: bedrock, region: us-east-1, key: k}"
    mixed = SERVERS.replace("models:", f"{bedrock}\n  models:")
    mixed += "    three: {failover: [claude/claude-opus-4-5, mistral/m, bedrock/claude-x]}\n"
    action = llm_exchange(mixed).ask(**chat("three"))
    assert isinstance(action, Forward)
    told = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    targets = {cluster: said["target"] for cluster, said in told["bodies"].items()}
    assert targets == {
        "llm/claude#1": "claude-opus-4-5",
        "llm/mistral#2": "",
        "llm/bedrock#3": "claude-x",
    }
    assert told["said"]["target"] == ""


def test_each_try_is_told_it_as_its_own_model_takes_it() -> None:
    newer = "newer: {failover: [gemini/gemini-3-pro-preview, gemini/gemini-2.5-pro]}"
    older = "older: {failover: [claude/claude-sonnet-4-5, claude/claude-opus-5-5]}"
    yaml = WITHOUT_BUDGETS.replace("    mixed:", f"    {newer}\n    {older}\n    mixed:")
    told = bodies_of(yaml, "newer", reasoning_effort="high")
    thinking = [each["generationConfig"]["thinkingConfig"] for each in told.values()]
    assert ["thinkingLevel" in each for each in thinking] == [True, False]
    assert ["thinkingBudget" in each for each in thinking] == [False, True]
    first, second = bodies_of(yaml, "older", reasoning_effort="high").values()
    assert first["thinking"]["type"] == "enabled"
    assert second["thinking"]["type"] == "adaptive"
    assert (first["model"], second["model"]) == ("claude-sonnet-4-5", "claude-opus-5-5")


def test_a_server_is_told_the_clients_own_fields_by_its_names_for_them() -> None:
    fields = {"max_completion_tokens": 9, "seed": 5, "x_new": 1}
    told = bodies_of(SERVERS, "alike", **fields)
    assert list(told) == ["llm/openai", "llm/mistral#2"]
    openais, mistrals = told.values()
    assert openais.items() >= fields.items()
    assert mistrals.items() >= {"max_tokens": 9, "random_seed": 5, "x_new": 1}.items()
    assert not fields.keys() & mistrals.keys() - {"x_new"}
    alone = SERVERS.replace("    mixed:", "    alone: mistral/mistral-large\n    mixed:")
    assert list(bodies_of(alone, "alone", **fields).values()) == [mistrals]


def test_a_server_that_tells_the_usage_unasked_is_not_asked() -> None:
    budget = "budgets: [{name: all, limit: 1000000 tokens, per: day}]\n"
    alone = SERVERS.replace("    mixed:", "    alone: mistral/mistral-large\n    mixed:")
    told = bodies_of(alone + budget, "alone", stream=True)
    assert "stream_options" not in told["llm/mistral"]
    openais, mistrals = bodies_of(alone + budget, "alike", stream=True).values()
    assert openais["stream_options"] == {"include_usage": True}
    assert "stream_options" not in mistrals


SEALED = {
    "role": "assistant",
    "content": "hello",
    "reasoning_details": [
        {"type": "reasoning.text", "text": "hm", "signature": "dragoman:anthropic:c2ln"}
    ],
}


def bodies_of(yaml: str, model: str, *said: object, **fields: object) -> dict[str, Any]:
    """What each provider of a plan is told."""
    asked = {"model": model, "messages": [*PROSE, *said, *PROSE], **fields}
    action = llm_exchange(yaml).ask(**asked)
    assert isinstance(action, Forward)
    told = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    body = action.body
    if body is None:
        body = json.dumps(asked).encode()
    found: dict[str, Any] = {}
    for cluster in clusters(action):
        request = Request(request_body={"body": body})
        request.metadata_context.filter_metadata[names.REQUEST_NAMESPACE].CopyFrom(told)
        _, order = decode_attempt(request.SerializeToString(), cluster)
        said_there = body if order is None else rewritten(body, order, Lossiness.HINTS)
        assert isinstance(said_there, bytes)
        found[cluster] = json.loads(said_there)
    return found


def test_each_try_of_a_mixed_plan_sees_its_own_seals_alone() -> None:
    told = bodies_of(WITHOUT_BUDGETS, "mixed", SEALED)
    assert list(told) == ["llm/claude#1", "llm/chat#2"]
    claudes, chats = told.values()
    assert claudes["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "hm",
        "signature": "c2ln",
    }
    assert chats["messages"][1] == {"role": "assistant", "content": "hello"}
    assert chats["model"] == "gpt"


def test_without_anothers_seal_the_clients_own_words_go_on() -> None:
    told = bodies_of(WITHOUT_BUDGETS, "mixed", {**SEALED, "reasoning_details": []})
    assert list(told) == ["llm/claude#1", "llm/chat/addressed"]


def test_a_plan_of_the_clients_dialect_sees_no_seal_of_others() -> None:
    told = bodies_of(SERVERS, "alike", SEALED)
    assert list(told) == ["llm/openai", "llm/mistral#2"]
    assert "dragoman" not in json.dumps(told)


def test_who_cannot_be_told_is_left_out() -> None:
    action = llm_exchange(WITHOUT_BUDGETS).ask(**chat("mixed", n=2))
    assert clusters(action) == ["llm/chat"]


def test_when_nobody_can_be_told_the_client_learns_why() -> None:
    action = llm_exchange().ask(**chat("opus", n=2))
    assert isinstance(action, Respond)
    error = json.loads(action.body)["error"]
    assert (action.status, error["code"]) == (400, "unsupported_parameter")


def test_nothing_is_held_for_what_cannot_be_said() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus", n=2))
    assert talk.reserved() == 0


def test_the_masked_text_is_what_is_translated() -> None:
    yaml = WITHOUT_BUDGETS + (
        'guardrails: [{type: regex, name: mail, patterns: ["[a-z]+@[a-z]+"], action: mask}]\n'
    )
    action = llm_exchange(yaml).ask(
        model="opus", messages=[{"role": "user", "content": "write to ann@example"}]
    )
    assert "ann@example" not in json.dumps(forwarded(action))
    assert "write to" in json.dumps(forwarded(action))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/messages",
            {
                "max_tokens": 9,
                "messages": [
                    {"role": "user", "content": "write to ann@example"},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": "x", "signature": "dragoman:gemini:a"},
                            {"type": "text", "text": "a"},
                        ],
                    },
                    {"role": "user", "content": "go on"},
                ],
            },
        ),
        (
            "/v1/responses",
            {
                "input": [
                    {"role": "user", "content": "write to ann@example"},
                    {"type": "reasoning", "id": "rs_1_2_3", "summary": []},
                ]
            },
        ),
    ],
)
def test_what_was_masked_stays_so_where_a_foreign_seal_is_taken_out(
    path: str, body: dict[str, Any]
) -> None:
    yaml = (
        WITHOUT_BUDGETS.replace(
            "models:", '  own: {type: openai, url: "http://o.example/v1", key: k}\n  models:', 1
        ).replace("gpt: chat/gpt", "gpt: own/gpt")
        + 'guardrails: [{type: regex, name: mail, patterns: ["[a-z]+@[a-z]+"], action: mask}]\n'
    )
    model = "opus" if path == "/v1/messages" else "gpt"
    action = llm_exchange(yaml).ask(path, model=model, **body)
    said = json.dumps(forwarded(action))
    assert "ann@example" not in said
    assert "write to [redacted]" in said
    assert "dragoman:gemini" not in said
    assert "rs_1_2_3" not in said


APART: list[tuple[str, dict[str, Any]]] = [
    (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "se"}, {"role": "user", "content": "cret"}]},
    ),
    (
        "/v1/chat/completions",
        {
            "messages": [
                {"role": "system", "content": "se"},
                {"role": "developer", "content": "cret"},
                {"role": "user", "content": "hi"},
            ]
        },
    ),
    ("/v1/responses", {"instructions": "se", "input": [{"role": "system", "content": "cret"}]}),
]


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize(("path", "body"), APART)
@pytest.mark.parametrize("model", ["opus", "pro", "nova"])
def test_what_stands_apart_for_a_client_and_together_for_a_provider_is_guarded(
    model: str, path: str, body: dict[str, Any], action: str
) -> None:
    guarded = f"guardrails: [{{type: regex, name: none, patterns: [secret], action: {action}}}]\n"
    answer = llm_exchange(WITHOUT_BUDGETS + guarded).ask(path, model=model, **body)
    assert isinstance(answer, Respond)
    assert answer.status == 400
    assert b"guard 'none'" in answer.body
    assert isinstance(llm_exchange().ask(path, model=model, **body), Forward)


CLIENTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": PROSE}),
    ("/v1/responses", {"input": "hi"}),
    ("/v1/messages", {"messages": PROSE, "max_tokens": 9}),
    (
        "/v1beta/models/{}:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    ),
    ("/model/{}/converse", {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
]


@pytest.mark.parametrize("model", ["gpt", "opus", "pro", "nova", "mixed"])
@pytest.mark.parametrize(("path", "body"), CLIENTS, ids=lambda value: str(value)[:20])
def test_every_client_reaches_every_provider(path: str, body: dict[str, Any], model: str) -> None:
    named = {} if "{}" in path else {"model": model}
    action = llm_exchange().ask(path.format(model), **named, **body)
    assert isinstance(action, Forward)


def test_names_of_tools_are_told_as_each_provider_takes_them() -> None:
    tools = [{"type": "function", "function": {"name": "files.read"}}]
    talk = llm_exchange(WITHOUT_BUDGETS)
    assert forwarded(talk.ask(**chat("opus", tools=tools)))["tools"][0]["name"] == "files_read"
    talk.answered("llm/claude/addressed", content_type="application/json")
    call = {"type": "tool_use", "id": "1", "name": "files_read", "input": {}}
    answer = {"type": "message", "content": [call], "stop_reason": "tool_use"}
    told = talk.say(ResponseBody(json.dumps(answer).encode(), True))
    assert isinstance(told, Replace)
    [choice] = json.loads(told.body)["choices"]
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "files.read"
