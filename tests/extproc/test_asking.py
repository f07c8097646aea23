"""What is asked for, whether it may be, and in whose words it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.events import CONTINUE, Action, Forward, RequestBody, RequestHeaders, Respond
from tests.kit.llm_exchange import WITHOUT_BUDGETS, chat, llm_exchange

FILES = WITHOUT_BUDGETS.replace(
    "models:", '  openai: {type: openai, url: "http://o.example/v1", key: k}\n  models:', 1
)


def headers(method: str, path: str, yaml: str = WITHOUT_BUDGETS, **more: str) -> Action:
    told = {":method": method, ":path": path, **{k.replace("_", "-"): v for k, v in more.items()}}
    return llm_exchange(yaml).say(RequestHeaders(told, method == "GET"))


def error(action: Action) -> tuple[int, Any]:
    assert isinstance(action, Respond)
    return action.status, json.loads(action.body)


def test_errors_are_told_in_the_clients_dialect() -> None:
    status, openai = error(llm_exchange().ask("/v1/chat/completions", **chat("none")))
    assert (status, openai["error"]["code"]) == (404, "model_not_found")
    status, anthropic = error(
        llm_exchange().ask("/v1/messages", model="none", max_tokens=1, messages=[])
    )
    assert (status, anthropic["type"]) == (404, "error")
    status, gemini = error(llm_exchange().ask("/v1beta/models/none:generateContent", contents=[]))
    assert (status, gemini["error"]["status"]) == (404, "NOT_FOUND")
    refused = llm_exchange().ask("/model/none/converse", messages=[])
    status, bedrock = error(refused)
    assert status == 404
    assert "message" in bedrock
    assert isinstance(refused, Respond)
    assert "x-amzn-errortype" in dict(refused.headers)


def test_a_path_that_nobody_knows_and_a_wrong_method_are_refused() -> None:
    assert error(headers("POST", "/v1/nothing"))[1]["error"]["code"] == "unknown_url"
    assert error(headers("GET", "/v1/chat/completions"))[0] == 405


def test_an_operation_that_no_provider_of_the_model_offers_is_refused() -> None:
    status, told = error(llm_exchange().ask("/v1/embeddings", model="opus", input="hi"))
    assert (status, told["error"]["code"]) == (400, "operation_not_offered")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/messages/count_tokens", {"model": "gpt", "messages": chat("gpt")["messages"]},
         "input_tokens"),
        ("/v1/responses/input_tokens", {"model": "opus", "input": "hello"}, "input_tokens"),
        ("/v1beta/models/gpt:countTokens", {"contents": [{"parts": [{"text": "hello"}]}]},
         "totalTokens"),
    ],
)  # fmt: skip
def test_tokens_are_counted_here_when_the_provider_cannot(
    path: str, body: dict[str, Any], field: str
) -> None:
    status, told = error(llm_exchange().ask(path, **body))
    assert status == 200
    assert 0 < told[field] < 40


def test_a_provider_that_counts_itself_is_asked() -> None:
    body = {"model": "opus", "messages": chat("opus")["messages"]}
    assert isinstance(llm_exchange().ask("/v1/messages/count_tokens", **body), Forward)


def test_files_go_on_unread() -> None:
    talk = llm_exchange(FILES)
    told = {":method": "POST", ":path": "/v1/files", "content-type": "multipart/form-data"}
    assert isinstance(talk.say(RequestHeaders(told, False)), Forward)
    assert talk.exchange.is_over


def test_what_nobody_offers_is_not_found() -> None:
    yaml = "llm: {providers: {c: {type: bedrock, region: r, key: k}}, models: {m: c/m}}"
    assert error(headers("POST", "/v1/files", yaml))[0] == 404


def test_a_body_that_is_not_read_is_let_through() -> None:
    talk = llm_exchange(FILES)
    talk.say(RequestHeaders({":method": "POST", ":path": "/v1/files"}, False))
    assert talk.say(RequestBody(b"anything")) == CONTINUE


def test_models_are_listed_and_told_one_by_one() -> None:
    status, told = error(headers("GET", "/v1/models"))
    assert status == 200
    assert {each["id"] for each in told["data"]} == {"gpt", "opus", "pro", "nova", "mixed"}
    assert error(headers("GET", "/v1/models/opus"))[1]["id"] == "opus"
    assert error(headers("GET", "/v1/models/none"))[0] == 404
