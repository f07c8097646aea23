"""The route of the LLM API: plan, retries, silence."""

from __future__ import annotations

import dataclasses

import pytest

from gateway import names
from gateway.apis import Family
from gateway.failover import USUAL_CAUSES, Cause, Failover, HealthRules
from gateway.model import Dialect, Gateway, GuardAction, Listener, Phase, RegexGuard
from gateway.operations import Operation
from tests.kit.choosers import models
from tests.kit.gateways import golden_gateway
from xds_server.audience import Level
from xds_server.resources import ext_proc
from xds_server.resources.extension import Json
from xds_server.resources.features import FEATURES, Features
from xds_server.resources.llm_route import (
    NAME,
    client_dialect,
    llm_routes,
    longest_silence,
)

GATEWAY = golden_gateway("llm-failover-paths")
BUDGETS = golden_gateway("budgets")
OFF = HealthRules(failures=0)


def llm_route(gateway: Gateway, listener: Listener, features: Features) -> Json:
    """The route of chat completions."""
    [found] = [each for each in llm_routes(gateway, listener, features) if each["name"] == NAME]
    return found


OLD, NEW = FEATURES[Level.V1_37], FEATURES[Level.V1_40]


def test_the_longest_silence_is_allowed_to_every_try() -> None:
    action = llm_route(GATEWAY, GATEWAY.listeners[0], NEW)["route"]
    assert action["retry_policy"]["per_try_idle_timeout"] == "5s"


def test_a_provider_that_no_model_names_has_no_say() -> None:
    idle = dataclasses.replace(GATEWAY.providers[0], name="idle", silence_seconds=600)
    gateway = dataclasses.replace(GATEWAY, providers=(*GATEWAY.providers, idle))
    assert longest_silence(gateway) == 5


def test_python_learns_the_largest_body_and_the_answer_where_a_budget_waits() -> None:
    for budgets, mode in ((GATEWAY.budgets, "SKIP"), (BUDGETS.budgets, "SEND")):
        gateway = dataclasses.replace(GATEWAY, budgets=budgets, models=())
        route = llm_route(gateway, GATEWAY.listeners[0], NEW)
        overrides = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        limit = str(GATEWAY.listeners[0].max_request_bytes)
        assert overrides["grpc_initial_metadata"] == [{"key": names.LIMIT_METADATA, "value": limit}]
        assert overrides["processing_mode"]["response_header_mode"] == mode
        assert overrides["processing_mode"]["response_trailer_mode"] == mode
        assert overrides["processing_mode"]["response_body_mode"] == "NONE"


def after(*causes: Cause, health: HealthRules = OFF) -> Gateway:
    llm = dataclasses.replace(GATEWAY.llm, failover=Failover(frozenset(causes), health=health))
    return dataclasses.replace(GATEWAY, llm=llm)


def test_python_sees_who_answered_where_one_of_several_targets_may_be_set_aside() -> None:
    for health, mode in ((OFF, "SKIP"), (HealthRules(), "SEND")):
        gateway = after(*Cause, health=health)
        route = llm_route(gateway, gateway.listeners[0], NEW)
        overrides = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        assert overrides["processing_mode"]["response_header_mode"] == mode
        assert overrides["processing_mode"]["response_trailer_mode"] == "SKIP"


@pytest.mark.parametrize(
    ("causes", "retry_on", "statuses"),
    [
        (
            USUAL_CAUSES,
            "5xx,connect-failure,refused-stream,reset,retriable-status-codes,retriable-headers",
            [408, 409, 424, 429],
        ),
        ({Cause.RATE_LIMIT}, "retriable-status-codes", [429]),
        ({Cause.CONNECT}, "connect-failure,refused-stream", None),
        ({Cause.TIMEOUT, Cause.CONNECT}, "connect-failure,refused-stream,reset", None),
        ({Cause.CONTENT_FILTER}, "retriable-headers", None),
    ],
)
def test_what_is_tried_again_is_what_was_written(
    causes: set[Cause], retry_on: str, statuses: list[int] | None
) -> None:
    policy = llm_route(after(*causes), GATEWAY.listeners[0], NEW)["route"]["retry_policy"]
    assert policy["retry_on"] == retry_on
    assert policy.get("retriable_status_codes") == statuses
    assert ("retriable_headers" in policy) is ("retriable-headers" in retry_on)


def test_errors_without_silence_are_listed_one_by_one() -> None:
    policy = llm_route(after(Cause.SERVER_ERROR), GATEWAY.listeners[0], NEW)["route"][
        "retry_policy"
    ]
    assert policy["retry_on"] == "retriable-status-codes"
    assert {408, 500, 502, 503, 504, 529} <= set(policy["retriable_status_codes"])


def test_no_client_sees_why_the_next_target_was_tried() -> None:
    route = llm_route(GATEWAY, GATEWAY.listeners[0], NEW)
    assert names.RETRY_HEADER in route["response_headers_to_remove"]


def test_a_stream_is_idle_only_after_every_try_was_silent() -> None:
    action = llm_route(GATEWAY, GATEWAY.listeners[0], NEW)["route"]
    assert action["timeout"] == "0s"
    assert action["idle_timeout"] == "40s"  # two tries of 5 s, and slack


def test_python_sees_who_answered_where_a_model_is_to_be_fast() -> None:
    for way, mode in (("failover", "SKIP"), ("fastest", "SEND")):
        (model,) = models(f"m: {{{way}: [a/x, b/y]}}")
        gateway = dataclasses.replace(after(*Cause), models=(model,), providers=())
        route = llm_route(gateway, gateway.listeners[0], NEW)
        overrides = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        assert overrides["processing_mode"]["response_header_mode"] == mode


def test_without_a_plan_nothing_is_tried_again_and_nobody_answers() -> None:
    action = llm_route(GATEWAY, GATEWAY.listeners[0], NEW)["route"]
    assert action["retry_policy"]["num_retries"] == 0
    specifier = action["inline_cluster_specifier_plugin"]["extension"]["typed_config"]
    assert specifier["override_metadata_namespace"] == names.PLAN_NAMESPACE
    [group] = specifier["priority_groups"]
    assert [each["cluster_name"] for each in group["clusters"]] == [names.UNPLANNED_CLUSTER]


def test_an_envoy_that_reads_no_plans_is_steered_by_header_and_says_so() -> None:
    route = llm_route(GATEWAY, GATEWAY.listeners[0], OLD)
    assert route["route"]["cluster_header"] == names.PLAN_HEADER
    assert "inline_cluster_specifier_plugin" not in route["route"]
    assert "refresh_cluster_on_retry" not in route["route"]["retry_policy"]
    overrides = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
    steering = {"key": names.STEERING_METADATA, "value": names.STEERED_BY_HEADER}
    assert steering in overrides["grpc_initial_metadata"]


def test_where_envoy_cannot_read_usage_python_sees_who_answered_and_asks_for_the_rest() -> None:
    single = dataclasses.replace(GATEWAY, models=())
    for gateway, header in ((single, "SKIP"), (BUDGETS, "SEND")):
        route = llm_route(gateway, gateway.listeners[0], OLD)
        mode = route["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
        assert mode["processing_mode"]["response_header_mode"] == header
        assert mode["processing_mode"]["response_body_mode"] == "NONE"
        assert mode["processing_mode"]["response_trailer_mode"] == "SKIP"


STORING = dataclasses.replace(BUDGETS, llm=dataclasses.replace(BUDGETS.llm, stored_at=("a",)))


def routes_by_name(gateway: Gateway = STORING) -> dict[str, Json]:
    return {each["name"]: each for each in llm_routes(gateway, gateway.listeners[0], NEW)}


def test_where_nothing_is_stored_there_are_no_routes_to_it() -> None:
    closed = dataclasses.replace(BUDGETS, llm=dataclasses.replace(BUDGETS.llm, stored_at=()))
    assert not {f"{NAME}/files", f"{NAME}/anthropic/batches"} & set(routes_by_name(closed))


def test_batches_of_messages_are_shown_where_guards_read_requests() -> None:
    guard = RegexGuard("a", ("x",), GuardAction.BLOCK, "", "")
    late = dataclasses.replace(guard, terms=dataclasses.replace(guard.terms, phase=Phase.RESPONSE))
    limit = str(STORING.listeners[0].max_request_bytes)
    for guards, mode in (((), "NONE"), ((late,), "NONE"), ((guard,), "BUFFERED")):
        found = routes_by_name(dataclasses.replace(STORING, guards=guards))
        for name in (f"{NAME}/anthropic/batches", f"{NAME}/batches"):
            route = found[name]["typed_per_filter_config"][names.EXT_PROC_FILTER]["overrides"]
            is_shown = mode == "BUFFERED" and "anthropic" in name
            assert route["processing_mode"]["request_body_mode"] == (mode if is_shown else "NONE")
            assert (
                {"key": names.LIMIT_METADATA, "value": limit}
                in route.get("grpc_initial_metadata", [])
            ) is is_shown


def test_each_dialect_has_its_route_and_the_general_one_is_last() -> None:
    found = list(routes_by_name())
    assert found[-1] != f"{NAME}/anthropic"
    assert found.index(f"{NAME}/anthropic") < found.index(NAME)
    assert found.index(f"{NAME}/gemini#2") < found.index(NAME)
    assert found.index(f"{NAME}/anthropic/batches") < found.index(f"{NAME}/anthropic")


def test_on_a_dialect_that_a_provider_does_not_speak_the_answer_may_have_to_be_seen() -> None:
    gateway = dataclasses.replace(BUDGETS, budgets=())
    found = {each["name"]: each for each in llm_routes(gateway, gateway.listeners[0], NEW)}

    def status_mode(name: str) -> str:
        config = found[name]["typed_per_filter_config"][names.EXT_PROC_FILTER]
        return config["overrides"]["processing_mode"]["response_header_mode"]

    assert status_mode(f"{NAME}/anthropic") == "SEND"
    assert status_mode(NAME) == "SKIP"


def test_files_are_not_buffered() -> None:
    config = routes_by_name()[f"{NAME}/files"]["typed_per_filter_config"][names.EXT_PROC_FILTER]
    assert config["overrides"]["processing_mode"]["request_body_mode"] == "NONE"


def test_files_of_anthropic_have_a_route_where_no_route_of_openais_takes_them() -> None:
    files = "dragoman/llm/anthropic/files"
    stored = dataclasses.replace(GATEWAY.llm, stored_at=("a",))
    apart = dataclasses.replace(
        stored, prefixes={Family.OPENAI: ("/v1",), Family.ANTHROPIC: ("/v1", "/claude")}
    )
    for llm, expected in ((stored, []), (apart, ["/claude/files"])):
        gateway = dataclasses.replace(GATEWAY, llm=llm)
        routes = llm_routes(gateway, GATEWAY.listeners[0], NEW)
        found = [each["match"] for each in routes if each["name"].startswith(files)]
        assert [match["path_separated_prefix"] for match in found] == expected


@pytest.mark.parametrize(
    ("others", "match"),
    [
        ((), {"prefix": "/claude/"}),
        (("/claude/openai",), {"path_separated_prefix": "/claude/messages"}),
        (("/claude",), {"path_separated_prefix": "/claude/messages"}),
    ],
)
def test_all_below_a_prefix_of_its_own_is_anthropics(others: tuple[str, ...], match: Json) -> None:
    """Lists of models, and what nobody has: refused in Anthropic's words."""
    prefixes = {Family.OPENAI: ("/v1", *others), Family.ANTHROPIC: ("/claude",)}
    gateway = dataclasses.replace(GATEWAY, llm=dataclasses.replace(GATEWAY.llm, prefixes=prefixes))
    routes = llm_routes(gateway, GATEWAY.listeners[0], NEW)
    [found] = [each for each in routes if each["name"] == f"{NAME}/anthropic"]
    assert found["match"] == match


def test_on_vertex_mistrals_models_are_spoken_to_in_chats() -> None:
    llm = dataclasses.replace(GATEWAY.llm, prefixes={Family.VERTEX: ("/v1",)})
    routes = llm_routes(dataclasses.replace(GATEWAY, llm=llm), GATEWAY.listeners[0], NEW)
    dialects = [client_dialect(each["name"]) for each in routes]
    assert dialects == [Dialect.OPENAI_CHAT, Dialect.ANTHROPIC]
    assert "mistralai" in routes[0]["match"]["safe_regex"]["regex"]


def test_uploads_to_gemini_have_a_route_where_somebody_keeps_them() -> None:
    """Their answers are seen: they say where the upload goes on."""
    keeper = dataclasses.replace(
        GATEWAY.providers[0],
        name="g",
        offers=((Operation.GEMINI_FILES, "/files"), (Operation.GEMINI_UPLOADS, "/files")),
    )
    llm = dataclasses.replace(GATEWAY.llm, stored_at=("g",))
    gateway = dataclasses.replace(GATEWAY, llm=llm, providers=(keeper,))
    found = {each["name"]: each for each in llm_routes(gateway, GATEWAY.listeners[0], NEW)}
    uploads = found[f"{NAME}/gemini/uploads"]
    assert uploads["match"] == {"path_separated_prefix": "/upload/v1beta/files"}
    config = uploads["typed_per_filter_config"][names.EXT_PROC_FILTER]
    mode = config["overrides"]["processing_mode"]
    assert (mode["request_body_mode"], mode["response_header_mode"]) == ("NONE", "SEND")
    assert found[f"{NAME}/gemini/files"]["match"] == {"path_separated_prefix": "/v1beta/files"}
    others = [each["name"] for each in llm_routes(GATEWAY, GATEWAY.listeners[0], NEW)]
    assert not [name for name in others if name.startswith(f"{NAME}/gemini/uploads")]


def test_files_and_sessions_of_azure_are_not_buffered() -> None:
    prefixes = {Family.OPENAI: ("/v1",), Family.AZURE: ("/openai",)}
    llm = dataclasses.replace(GATEWAY.llm, stored_at=("a",), prefixes=prefixes)
    gateway = dataclasses.replace(GATEWAY, llm=llm)
    routes = llm_routes(gateway, GATEWAY.listeners[0], NEW)
    unread = [
        next(iter(each["match"].values()))
        for each in routes
        if not ext_proc.reads_body(each["typed_per_filter_config"][names.EXT_PROC_FILTER])
    ]
    for path in ("/files", "/batches", "/realtime"):
        for prefix in ("/v1", "/openai", "/openai/v1"):
            assert prefix + path in unread


def test_realtime_may_become_a_websocket() -> None:
    route = routes_by_name()[f"{NAME}/realtime"]
    assert route["route"]["upgrade_configs"] == [{"upgrade_type": "websocket"}]


def test_envoy_reads_usage_in_the_dialect_of_the_route() -> None:
    found = routes_by_name()
    config = found[f"{NAME}/responses"]["typed_per_filter_config"][names.USAGE_FILTER]
    assert config["response"]["llm_protocol"] == "OPENAI_RESPONSES"
    assert names.USAGE_FILTER not in found[f"{NAME}/bedrock"]["typed_per_filter_config"]
