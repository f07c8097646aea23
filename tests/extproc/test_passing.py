"""What has no body that is read is answered here, or goes on by its headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from extproc.events import Action, Forward, RequestBody, RequestHeaders, Respond
from extproc.exchange import Exchange
from extproc.passing import NO_LIMIT
from gateway import names
from tests.kit.llm_exchange import NOW, WITHOUT_BUDGETS, Response, clusters, llm_exchange, program
from tests.kit.memory_ledger import MemoryLedger

FILES = WITHOUT_BUDGETS.replace(
    "models:",
    """  openai: {type: openai, url: "http://o.example/v1", key: k}
  stored_at: [claude, openai]
  models:""",
    1,
)


def headers(method: str, path: str, yaml: str = WITHOUT_BUDGETS, **more: str) -> Action:
    told = {":method": method, ":path": path, **{k.replace("_", "-"): v for k, v in more.items()}}
    return llm_exchange(yaml).say(RequestHeaders(told, method == "GET"))


def error(action: Action) -> tuple[int, Any]:
    assert isinstance(action, Respond)
    return action.status, json.loads(action.body)


def test_files_go_on_unread() -> None:
    talk = llm_exchange(FILES)
    told = {":method": "POST", ":path": "/v1/files", "content-type": "multipart/form-data"}
    assert isinstance(talk.say(RequestHeaders(told, False)), Forward)
    assert talk.exchange.is_over


def test_what_nobody_offers_is_not_found() -> None:
    yaml = FILES.replace("stored_at: [claude, openai]", "stored_at: [bedrock]")
    assert error(headers("POST", "/v1/files", yaml))[0] == 404


def test_what_belongs_to_the_account_is_refused_unless_somebody_is_named_for_it() -> None:
    yaml = FILES.replace("stored_at: [claude, openai]", "stored_at: []")
    for path in ("/v1/files", "/v1/batches/b-1", "/v1/responses/r-1"):
        status, told = error(headers("GET", path, yaml))
        assert (status, told["error"]["code"]) == (404, "operation_not_offered")


def test_models_are_listed_and_told_one_by_one() -> None:
    status, told = error(headers("GET", "/v1/models"))
    assert status == 200
    assert {each["id"] for each in told["data"]} == {"gpt", "opus", "pro", "nova", "mixed"}
    assert error(headers("GET", "/v1/models/opus"))[1]["id"] == "opus"
    assert error(headers("GET", "/v1/models/none"))[0] == 404


def test_a_websocket_goes_to_a_provider_of_its_model() -> None:
    talk = llm_exchange(WITHOUT_BUDGETS)
    told = {":method": "GET", ":path": "/v1/realtime?model=gpt&x=1"}
    action = talk.say(RequestHeaders(told, True))
    assert clusters(action) == ["llm/chat/websocket"]
    assert isinstance(action, Forward)
    metadata = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    assert metadata["path"] == "/v1/realtime?model=gpt&x=1"
    assert error(headers("GET", "/v1/realtime?model=none"))[0] == 404
    assert error(headers("GET", "/v1/realtime?model=gpt&model=opus"))[0] == 400
    assert error(headers("GET", "/v1/realtime"))[0] == 400


def test_unknown_paths_go_to_the_provider_that_is_named_for_them() -> None:
    yaml = f"{WITHOUT_BUDGETS}  unknown_paths: claude\n"
    action = headers("POST", "/v1/fine_tuning/jobs?x=1", yaml)
    assert clusters(action) == ["llm/claude"]


def test_the_rest_of_a_files_path_goes_behind_the_providers_own() -> None:
    yaml = FILES.replace("http://o.example/v1", "http://o.example/elsewhere/v1").replace(
        "chat: {type: openai-compatible", "chat: {type: deepseek"
    )
    action = headers("GET", "/v1/files/f-1/content?limit=2", yaml)
    assert isinstance(action, Forward)
    metadata = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    assert metadata["path"] == "/elsewhere/v1/files/f-1/content?limit=2"


def test_lists_of_models_have_the_shape_that_their_reader_expects() -> None:
    claude = error(headers("GET", "/v1/models", anthropic_version="2023-06-01"))[1]
    assert claude["data"][0]["type"] == "model"
    gemini = error(headers("GET", "/v1beta/models"))[1]
    assert gemini["models"][0]["name"].startswith("models/")


AZURE = FILES.replace(
    "  stored_at: [claude, openai]",
    """    azure: {type: azure-openai, resource: r, url: "http://z.example", api_version: V, key: k}
  paths: {azure: [/openai]}
  stored_at: [azure]""",
).replace("  models:", "  models:\n    live: azure/gpt-rt", 1)
GA = AZURE.replace("api_version: V", "api_version: v1")
DATED = AZURE.replace("api_version: V", "api_version: 2024-10-21")


def test_what_google_has_and_nobody_here_is_not_found() -> None:
    status, told = error(headers("POST", "/v1beta/models/imagen-4:predict"))
    assert (status, told["error"]["message"]) == (404, "nothing is served at ':predict' of models")
    assert error(headers("DELETE", "/v1beta/models/pro"))[0] == 405


def path_of(yaml: str, path: str) -> str:
    talk = llm_exchange(yaml)
    action = talk.say(RequestHeaders({":method": "GET", ":path": path}, True))
    assert isinstance(action, Forward), action
    metadata = Response.FromString(action.plan_reply).dynamic_metadata[names.REQUEST_NAMESPACE]
    return str(metadata["path"])


@pytest.mark.parametrize("above", ["/openai", "/openai/v1", "/v1"])
@pytest.mark.parametrize(
    ("below", "ga", "dated"),
    [
        ("/files", "/openai/v1/files", "/openai/files?api-version=2024-10-21"),
        (
            "/files/f-1/content?limit=2&api-version=2025-01-01",
            "/openai/v1/files/f-1/content?limit=2",
            "/openai/files/f-1/content?api-version=2024-10-21&limit=2",
        ),
        ("/batches/b", "/openai/v1/batches/b", "/openai/batches/b?api-version=2024-10-21"),
    ],
)
def test_azures_files_and_batches_are_told_the_providers_version(
    above: str, below: str, ga: str, dated: str
) -> None:
    if above == "/v1":
        below = below.replace("&api-version=2025-01-01", "")
    assert path_of(GA, above + below) == ga
    assert path_of(DATED, above + below) == dated


@pytest.mark.parametrize(
    "asked",
    [
        "/openai/realtime?api-version=2025-01-01&deployment=live",
        "/openai/v1/realtime?model=live",
        "/v1/realtime?model=live",
    ],
)
def test_sessions_of_azure_name_the_deployment_as_its_version_does(asked: str) -> None:
    assert path_of(GA, asked) == "/openai/v1/realtime?model=gpt-rt"
    legacy = "/openai/realtime?api-version=2024-10-21&deployment=gpt-rt"
    assert path_of(DATED, asked) == legacy


def test_a_session_that_names_a_model_and_a_deployment_is_refused() -> None:
    assert error(headers("GET", "/openai/realtime?model=live&deployment=live", GA))[0] == 400


BATCHES = (
    FILES.replace(
        "models:",
        "models:\n    safe: claude/claude-opus-5\n    deep: {failover: [claude/other]}",
        1,
    )
    + """
guardrails:
  - {name: a, type: regex, patterns: [apollo], action: block, for: {model: safe}}
  - {name: b, type: regex, patterns: [mercury], action: mask, replacement: "[x]"}
"""
)


def batch(
    text: str, *, yaml: str = BATCHES, limit: int = 1 << 20, path: str = "/v1/messages/batches"
) -> Action:
    """What is answered to a batch with this text, in two requests."""

    async def said() -> Action:
        program_of = program(yaml, MemoryLedger())
        exchange = Exchange(program_of, NOW, limit_bytes=limit)
        told = {":method": "POST", ":path": path, "x-request-id": "r", "anthropic-version": "1"}
        first = exchange.on_event(RequestHeaders(told, False))
        assert not isinstance(first, Awaitable)
        if exchange.is_over or isinstance(first, Respond):
            return first
        params = [
            {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": each}]}
            for model, each in (("other", "hi"), ("claude-opus-5", text))
        ]
        requests = [{"custom_id": str(n), "params": each} for n, each in enumerate(params)]
        action = exchange.on_event(RequestBody(json.dumps({"requests": requests}).encode()))
        return await action if isinstance(action, Awaitable) else action

    return asyncio.run(said())


def test_guards_of_all_its_models_read_a_batch_of_messages() -> None:
    status, told = error(batch("of apollo"))
    assert (status, "'a'" in told["error"]["message"]) == (400, True)
    masked = batch("of mercury")
    assert isinstance(masked, Forward)
    assert masked.body is not None
    assert json.loads(masked.body)["requests"][1]["params"]["messages"][0]["content"] == "of [x]"
    fine = batch("hello")
    assert isinstance(fine, Forward)
    assert fine.body is None
    assert error(batch("of apollo", path="/v1/messages/batches/"))[0] == 400


def test_a_batch_is_read_where_it_is_shown_and_somebody_wants_it() -> None:
    assert isinstance(batch("of apollo", limit=NO_LIMIT), Forward)
    assert isinstance(batch("of apollo", yaml=BATCHES.partition("guardrails:")[0]), Forward)
    assert error(batch("hello", limit=9))[0] == 413
    assert error(batch("hello", yaml=BATCHES.replace("[claude, openai]", "[]")))[0] == 404


def test_a_batch_that_is_cancelled_is_not_read() -> None:
    assert isinstance(batch("of apollo", path="/v1/messages/batches/b/cancel"), Forward)
