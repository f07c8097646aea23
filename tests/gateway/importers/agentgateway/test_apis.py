"""No import serves an operation that the route of theirs did not."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.imported import Outcome
from gateway.importers.opened import PLACES, STORED
from gateway.model import Gateway
from gateway.operations import Operation
from tests.gateway.importers.agentgateway.imports import config, guarded, imported, ours, outcomes
from tests.gateway.importers.agentgateway.test_assembly import HOSTS, Request, theirs
from tests.gateway.importers.asked import let_in, lets_in, requests

CHAT = "/v1/chat/completions"
SERVED = {
    "completions": {Operation.CHAT},
    "messages": {Operation.MESSAGES},
    "responses": {Operation.RESPONSES},
    "embeddings": {Operation.EMBEDDINGS},
    "rerank": {Operation.RERANK},
    "realtime": {Operation.REALTIME},
    "models": set(),
    "anthropicTokenCount": {Operation.MESSAGE_TOKENS},
    "generateContent": {Operation.GENERATE, Operation.GENERATE_STREAM},
    "geminiCountTokens": {Operation.COUNT_TOKENS},
    "detect": set(Operation),
    "passthrough": set(Operation),
}
WHOLE = {place.path for place in PLACES if place.is_exact}
"""What a rule can say alone."""
ANY_HOST = (*HOSTS, "other.example.com", "other.test")
ENDINGS = (
    *("/v1/chat/completions", "/chat/completions", "/v1/messages", "/v1/embeddings", "/embeddings"),
    *("/v1/responses", "/v2/rerank", "/rerank", "/v1/realtime", ":generateContent", "*", "*"),
    *(":streamGenerateContent", ":countTokens", "/v1/messages/count_tokens", "/v1/files", "/m"),
    *("/v1/images/edits", "/converse", "/ai/v1/embeddings", "/v1/responses/input_tokens"),
)
ABOVE = ("/", "/v1", "/v1/chat", "/v1/embeddings", "/v1/files", "/v1beta/models", "/ai", "/ai/v1")
EXACT = (CHAT, "/v1/embeddings", "/v1/files", "/v1/files/id_1", "/ai/chat/completions", "/model/m")


def route(name: str, types: object = None, **rest: object) -> dict[str, object]:
    """A route to a provider."""
    policies: dict[str, object] = {"backendAuth": {"key": "k"}}
    if types is not None:
        policies["ai"] = {"routes": types}
    backend = {"ai": {"name": "p", "provider": {"openAI": {}}}}
    return {"name": name, "policies": policies, "backends": [backend], **rest}


def written(*routes: dict[str, object]) -> str:
    return yaml.safe_dump({"binds": [{"port": 80, "listeners": [{"routes": list(routes)}]}]})


def opens(types: object, **rest: object) -> set[str]:
    """The paths that are open of one route."""
    return let_in(ours(written(route("r", types, **rest))), requests())


@pytest.mark.parametrize(
    ("types", "paths"),
    [
        (None, {CHAT}),
        ({}, {CHAT}),
        ({"/v1/messages": "messages"}, {CHAT, "/v1/messages"}),
        ({"/embeddings": "embeddings", "*": "messages"}, {"/v1/embeddings", "/v1/messages"}),
        ({CHAT: "messages"}, set()),
        ({CHAT: "unheard"}, set()),
        ({"*": "rerank"}, {"/v1/rerank", "/v2/rerank"}),
        ({"*": "models"}, set()),
        ({"*": "realtime"}, {"/v1/realtime"}),
        (
            {CHAT: "models", ":countTokens": "geminiCountTokens"},
            {f"/{each}/models/m:countTokens" for each in ("v1", "v1beta", "v1beta1")},
        ),
    ],
)
def test_a_route_is_open_for_what_its_types_serve(types: object, paths: set[str]) -> None:
    assert opens(types) == paths


def test_apis_of_which_nothing_is_open_are_not_served() -> None:
    found = config(written(route("r", {"/v1/messages": "messages"}))).llm.paths
    assert (found.openai, found.anthropic) == (("/v1",), ("/v1",))
    assert found.gemini == found.bedrock == found.cohere == ()


def test_what_is_passed_on_unread_is_open_and_its_provider_keeps_the_files() -> None:
    text = written(route("r", {"*": "passthrough"}))
    assert ours(text).rules == ()
    assert config(text).llm.stored_at == ("p",)
    assert opens({"*": "passthrough"}) == {path for _, path, _ in requests()}
    assert [each.to for each in imported(text).mappings if "account" in each.note] == [
        "llm.stored_at"
    ]


@pytest.mark.parametrize(
    "routes",
    [
        [route("r", {"*": "passthrough", "/v1/files": "completions"})],
        [route("r", {"*": "passthrough"}), route("other", matches=[{"path": {"exact": "/x"}}])],
        [route("r", {"*": "passthrough"}, matches=[{"path": {"exact": CHAT}}])],
        [route("r")],
    ],
)
def test_nobody_keeps_files_where_theirs_did_not(routes: list[dict[str, object]]) -> None:
    assert config(written(*routes)).llm.stored_at == ()


def test_every_level_that_names_types_has_to_serve_it() -> None:
    one = route("r", {"/v1/embeddings": "embeddings"})
    one["backends"] = [
        {"ai": {"name": "p", "provider": {"openAI": {}}, "routes": {"*": "completions"}}}
    ]
    assert let_in(ours(written(one)), requests()) == {CHAT}


def test_a_path_that_is_another_route_s_is_closed() -> None:
    closer = {
        "name": "closer",
        "matches": [{"path": {"exact": "/v1/embeddings"}}],
        "policies": {"extProc": {"host": "auth:1"}},
        "backends": [{"host": "a:1"}],
    }
    types = {"/v1/embeddings": "embeddings"}
    assert let_in(ours(written(route("r", types), closer)), requests()) == {CHAT}


def test_models_below_another_path_are_moved() -> None:
    types = {"/v1/embeddings": "embeddings"}
    assert opens(types, matches=[{"path": {"pathPrefix": "/ai"}}]) == {CHAT, "/v1/embeddings"}
    assert opens(None, matches=[{"path": {"exact": "/ai"}}]) == {CHAT}
    assert opens(types, matches=[{"path": {"regex": "/ai/.*"}}]) == {CHAT}


def test_several_routes_are_open_for_their_own() -> None:
    text = written(route("one"), route("two", {"*": "embeddings"}, hostnames=["b.example.com"]))
    gateway = ours(text)
    assert lets_in(gateway, "POST", CHAT, "one/m")
    assert not lets_in(gateway, "POST", CHAT, "two/m")
    assert lets_in(gateway, "POST", "/v1/embeddings", "two/m")
    assert not lets_in(gateway, "POST", "/v1/embeddings", "one/m")


def test_the_llm_section_is_open_for_all_apis() -> None:
    text = "llm: {port: 80, models: [{name: m, provider: openAI}]}"
    assert ours(text).rules == ()
    assert config(text).llm.stored_at == ()


def test_what_becomes_of_each_type_is_said() -> None:
    types = {"/v1/embeddings": "embeddings", "/own": "rerank", "/x": "unheard"}
    text = written(route("r", types))
    at = "binds.0.listeners.0.routes.0.policies.ai.routes"
    found = outcomes(text)
    assert found[f"{at}./v1/embeddings"][0] is Outcome.EXACT
    assert found[f"{at}./own"][0] is Outcome.DIFFERENT
    assert found[f"{at}./x"][0] is Outcome.UNSUPPORTED
    assert f"{at}./x" in guarded(text)


types_of_routes = st.none() | st.dictionaries(
    st.sampled_from(ENDINGS), st.sampled_from(sorted(SERVED)), max_size=6
)
paths_of_routes = st.sampled_from(ABOVE).map(lambda path: {"pathPrefix": path}) | st.sampled_from(
    EXACT
).map(lambda path: {"exact": path})
matches_of_routes = st.lists(
    st.fixed_dictionaries(
        {"path": paths_of_routes}, optional={"method": st.sampled_from(("GET", "POST"))}
    ),
    min_size=1,
    max_size=2,
)
hosts_of_routes = st.lists(st.sampled_from((*HOSTS, "*.example.com")), min_size=1, max_size=2)
models = st.builds(
    lambda types, rest: route("r0", types, **rest),
    types_of_routes,
    st.fixed_dictionaries(
        {}, optional={"matches": matches_of_routes, "hostnames": hosts_of_routes}
    ),
)
plain = st.lists(
    st.fixed_dictionaries(
        {"matches": matches_of_routes, "backends": st.just([{"host": "a:1"}])},
        optional={"hostnames": hosts_of_routes, "policies": st.just({"extProc": {"host": "a:1"}})},
    ),
    max_size=2,
)


def serves(types: dict[str, str] | None, path: str, operation: Operation) -> bool:
    """Whether a route of theirs would do it."""
    endings = [each for each in types or {} if each != "*" and path.endswith(each)]
    kind = (types or {}).get(max(endings, key=len, default="*"), "completions")
    return operation in SERVED[kind]


def hosts_let_in(
    routes: list[dict[str, object]], method: str, path: str, operation: Operation
) -> list[bool]:
    """For each host, whether theirs does it."""
    policies = routes[0]["policies"]
    assert isinstance(policies, dict)
    types = policies.get("ai", {}).get("routes")
    found = []
    for host in ANY_HOST:
        chosen = theirs(routes, Request(host, path, method))
        names = [each["name"] for each in chosen]
        found.append(names == ["r0"] and serves(types, path, operation))
    return found


def takes_itself(routes: list[dict[str, object]], method: str, path: str) -> bool:
    """Whether the route to models matches a path, on some host."""
    return any(theirs(routes[:1], Request(host, path, method)) for host in ANY_HOST)


@given(models, plain)
@settings(max_examples=120, deadline=None)
def test_no_request_gets_in_that_was_kept_out_whatever_is_asked_for(
    written_models: dict[str, object], written_plain: list[dict[str, object]]
) -> None:
    others = [{**each, "name": f"r{index}"} for index, each in enumerate(written_plain, start=1)]
    routes = [written_models, *others]
    gateway: Gateway = ours(written(*routes))
    moved = [f"{above}{each.sample}" for above in ("/ai", "/ai/v1") for each in PLACES]
    universe = [*moved, *(path.replace("/v1/v1/", "/v1/") for path in moved), *ABOVE, *EXACT]
    for method, path, operation in requests():
        there = hosts_let_in(routes, method, path, operation)
        here = lets_in(gateway, method, path)
        if here and takes_itself(routes, method, path):
            assert any(there), path
        elif here:
            elsewhere = (hosts_let_in(routes, method, each, operation) for each in universe)
            assert any(any(each) for each in elsewhere), path
        if all(there) and path in WHOLE and operation not in STORED:
            assert here, path
