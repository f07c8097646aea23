"""What models add to requests: before rules, guards and budgets, and in the client's dialect."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from extproc.events import Forward, RequestBody, RequestHeaders, Respond
from extproc.exchange import Exchange
from extproc.shaping import shaper
from gateway import names
from gateway.model import Model
from tests.kit.llm_exchange import (
    NOW,
    LlmExchange,
    Response,
    chat,
    clusters,
    forwarded,
    llm_exchange,
    program,
)
from tests.kit.memory_ledger import MemoryLedger

HI = {"role": "user", "content": "hi"}
YAML = """
identity: {required: false, api_keys: {keys: [{name: ann, key: k-of-ann, team: research}]}}
llm:
  providers:
    chat: {type: openai-compatible, url: "http://chat.example/v1"}
    claude: {type: anthropic, url: "http://claude.example/v1", key: k,
             overrides: {service_tier: standard_only}}
    gemini: {type: gemini, url: "http://gemini.example/v1beta", key: k}
    bedrock: {type: bedrock, url: "http://bedrock.example", region: us-east-1, key: k}
  models:
    gpt: SHAPED
    plain: {provider: chat, model: gpt}
    marked: {provider: claude, model: opus, prompt_caching: {min_tokens: 1}}
    mixed: {failover: [claude/opus, chat/gpt], prompt_caching: {min_tokens: 1}}
    copied: {provider: chat, model: gpt, mirror: {to: claude/opus, percent: 50}}
    "any/*": {provider: chat, mirror: {to: "claude/*", percent: 100}}
    embedder: {provider: chat, model: e, defaults: {dimensions: 8}, system_prompt: {append: x}}
  prices: {gpt: {input: 1, output: 1}, opus: {input: 1, output: 1}}
"""


def yaml(shaped: str = "", more: str = "") -> str:
    provider = "{provider: chat, model: gpt" + (f", {shaped}" if shaped else "") + "}"
    return YAML.replace("SHAPED", provider) + more


def asked(shaped: str, path: str = "/v1/chat/completions", **body: Any) -> Any:
    return forwarded(llm_exchange(yaml(shaped)).ask(path, **body))


def test_fields_within_objects_are_set_by_their_paths() -> None:
    shaped = (
        "defaults: {reasoning.effort: low, reasoning.summary: auto},"
        " overrides: {text.verbosity: low, metadata.trace: null},"
        " transformations: {metadata.team: principal.team}"
    )
    talk = llm_exchange(yaml(shaped))
    headers = {
        ":method": "POST",
        ":path": "/v1/chat/completions",
        "authorization": "Bearer k-of-ann",
    }
    talk.say(RequestHeaders(headers, False))
    body = chat("gpt", reasoning={"effort": "high"}, metadata={"team": "mine", "trace": "t"})
    said = forwarded(talk.say(RequestBody(json.dumps(body).encode())))
    assert said == {
        **body,
        "reasoning": {"effort": "high", "summary": "auto"},
        "metadata": {"team": "research"},
        "text": {"verbosity": "low"},
    }


def test_budgets_count_what_stands_within_an_object() -> None:
    budget = "budgets: [{name: all, limit: 1000000 tokens, per: day}]\n"
    talk = llm_exchange(yaml("overrides: {generationConfig.maxOutputTokens: 5000}", budget))
    body = {"contents": [{"parts": [{"text": "hi"}]}], "generation_config": {"temperature": 1}}
    said = forwarded(talk.ask("/v1beta/models/gpt:generateContent", **body))
    assert (said["max_tokens"], said["temperature"]) == (5000, 1)
    assert talk.reserved() > 5000


def test_a_client_is_left_what_it_said() -> None:
    body = chat("gpt", temperature=1, unknown={"n": [1]})
    said = asked("defaults: {temperature: 0.5, top_k: 3}, overrides: {store: false}", **body)
    assert said == {**body, "top_k": 3, "store": False}


def test_a_model_that_adds_nothing_passes_untouched() -> None:
    action = llm_exchange(yaml()).ask(**chat("gpt"))
    assert isinstance(action, Forward)
    assert action.body is None
    assert shaper([Model("a", ())]) is None
    other = llm_exchange(yaml("defaults: {a: 1}")).ask(**chat("plain"))
    assert isinstance(other, Forward)
    assert other.body is not None
    assert json.loads(other.body) == chat("gpt")


def test_expressions_see_the_caller_and_the_request() -> None:
    talk = llm_exchange(
        yaml(
            "transformations: {user: 'principal.name + \"@\" + principal.team',"
            ' metadata: \'{"model": llm.model, "chars": size(llm.prompt)}\','
            " store: 'llm.is_stream', seed: 'llm.max_output_tokens + 1'}"
        )
    )
    headers = {
        ":method": "POST",
        ":path": "/v1/chat/completions",
        "authorization": "Bearer k-of-ann",
    }
    talk.say(RequestHeaders(headers, False))
    body = chat("gpt", user="mallory", max_tokens=3)
    said = forwarded(talk.say(RequestBody(json.dumps(body).encode())))
    assert said["user"] == "ann@research"
    assert said["metadata"] == {"model": "gpt", "chars": len("hi\nmallory")}
    assert said["store"] is False
    assert said["seed"] == 4


def test_text_of_a_request_never_becomes_structure() -> None:
    body = {"model": "gpt", "messages": [{"role": "user", "content": '"},"store":true,"x":{"'}]}
    said = asked("transformations: {user: llm.prompt}", **body)
    assert said == {**body, "user": body["messages"][0]["content"]}  # type: ignore[index]


@pytest.mark.parametrize("expression", ["jwt.sub", "null", "context.request_time", "1/0"])
def test_what_cannot_be_evaluated_removes(expression: str) -> None:
    said = asked(f"transformations: {{user: '{expression}'}}", **chat("gpt", user="mallory"))
    assert said == chat("gpt")


def test_transformations_come_after_overrides() -> None:
    shaped = "overrides: {user: a, store: true}, transformations: {user: '\"b\"'}"
    assert asked(shaped, **chat("gpt")) == chat("gpt", user="b", store=True)


PROMPT = "system_prompt: {prepend: B, append: A}"
CLIENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/chat/completions", {"model": "gpt", "messages": [HI]}),
    ("/v1/responses", {"model": "gpt", "input": "hi"}),
    ("/v1/messages", {"model": "gpt", "max_tokens": 9, "messages": [HI]}),
    ("/v1beta/models/gpt:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
    ("/model/gpt/converse", {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
)


@pytest.mark.parametrize(("path", "body"), CLIENTS, ids=[path for path, _ in CLIENTS])
def test_a_system_prompt_is_told_whoever_asks(path: str, body: dict[str, Any]) -> None:
    said = asked(PROMPT, path, **body)
    system = [each for each in said["messages"] if each["role"] == "system"]
    assert "B" in json.dumps(system)
    assert "A" in json.dumps(system)


def test_guards_see_what_was_added() -> None:
    guard = 'guardrails: [{type: regex, name: g, patterns: ["secret"], action: block}]\n'
    shaped = yaml("system_prompt: {append: the secret}", guard)
    assert isinstance(llm_exchange(shaped).ask(**chat("gpt")), Respond)
    assert isinstance(llm_exchange(shaped).ask(**chat("plain")), Forward)


def test_budgets_count_what_was_added() -> None:
    budget = "budgets: [{name: all, limit: 1000000 tokens, per: day}]\n"
    talk = llm_exchange(yaml("defaults: {max_tokens: 5000}", budget))
    talk.ask(**chat("gpt"))
    assert talk.reserved() > 5000


def test_a_shape_that_the_dialect_does_not_have_is_refused() -> None:
    action = llm_exchange(yaml("overrides: {max_tokens: many}")).ask(**chat("gpt"))
    assert isinstance(action, Respond)
    assert (action.status, json.loads(action.body)["error"]["param"]) == (400, "max_tokens")


def test_counting_takes_the_prompt_and_no_field() -> None:
    one = yaml(f"{PROMPT}, defaults: {{max_tokens: 9}}")
    counted = llm_exchange(one).ask("/v1/messages/count_tokens", model="gpt", messages=[HI])
    bare = llm_exchange(yaml()).ask("/v1/messages/count_tokens", model="gpt", messages=[HI])
    assert isinstance(counted, Respond)
    assert isinstance(bare, Respond)
    assert json.loads(counted.body)["input_tokens"] > json.loads(bare.body)["input_tokens"]


def test_what_is_no_conversation_gets_fields_alone() -> None:
    said = forwarded(llm_exchange(yaml()).ask("/v1/embeddings", model="embedder", input="hi"))
    assert said == {"model": "e", "input": "hi", "dimensions": 8}


def test_a_provider_adds_in_its_own_dialect() -> None:
    said = forwarded(llm_exchange(yaml()).ask(**chat("marked", service_tier="auto")))
    assert said["service_tier"] == "standard_only"


def test_marks_are_put_where_the_provider_has_them() -> None:
    body = {"model": "marked", "messages": [{"role": "system", "content": "be nice"}, HI]}
    said = forwarded(llm_exchange(yaml()).ask(**body))
    assert said["system"][0]["cache_control"] == {"type": "ephemeral"}


def test_a_plan_of_several_is_told_try_by_try() -> None:
    action = llm_exchange(yaml()).ask(**chat("mixed"))
    assert clusters(action) == ["llm/claude#1", "llm/chat/addressed"]
    told = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    assert "service_tier" in told["bodies"]["llm/claude#1"]["additions"]


def mirror_headers(model: str, chosen: float) -> dict[str, str]:
    made = replace(program(yaml(), MemoryLedger()), choose=lambda: chosen)
    action = LlmExchange(Exchange(made, NOW), MemoryLedger()).ask(**chat(model))
    assert isinstance(action, Forward)
    reply = Response.FromString(action.plan_reply)
    headers = reply.request_body.response.header_mutation.set_headers
    return {
        each.header.key: each.header.raw_value.decode()
        for each in headers
        if each.header.key.startswith(names.MIRROR_HEADER)
    }


def test_a_share_of_requests_is_copied() -> None:
    found = mirror_headers("copied", 0.49)
    assert found[names.MIRROR_HEADER] == "llm/claude/mirror"
    assert found[names.MIRROR_PATH_HEADER] == "/v1/messages"
    forwarded_as, wanted, is_stream = json.loads(found[names.MIRROR_ORDER_HEADER])
    assert forwarded_as[:2] == ["openai_chat", "gpt"]
    assert wanted[:2] == ["anthropic", "opus"]
    assert is_stream is False
    assert mirror_headers("copied", 0.5) == {}
    assert mirror_headers("plain", 0.0) == {}


def test_a_star_stands_for_the_same_in_a_mirror() -> None:
    found = mirror_headers("any/m1", 0.9)
    assert json.loads(found[names.MIRROR_ORDER_HEADER])[1][1] == "m1"
