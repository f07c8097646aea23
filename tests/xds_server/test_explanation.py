"""An explanation is true: a played Envoy asks the real request path, and both are counted."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import envoy_api
import pytest
from envoy_api import message, pack
from google.protobuf import json_format

from extproc.inquiring import NOBODY
from extproc.mcp_serving.serving import serving
from extproc.process import Process
from extproc.program import NOTHING_SERVED, build
from extproc.trial.trying import Unhurried
from gateway import names
from gateway.guards import GuardAction, RegexGuard
from gateway.mcp import AuthorizationProxy
from gateway.model import Dialect, Gateway, ServerTls, Service, dialect_of
from tests.kit.calls import RecordedCall
from tests.kit.gateways import CASES, gateway_of, golden_gateway
from tests.kit.golden import GOLDEN
from tests.kit.mcp_exchange import world
from tests.kit.memory_ledger import MemoryLedger
from xds_server.audience import Level
from xds_server.check import Failing
from xds_server.compile import compile_gateway
from xds_server.explained import Explanation, RoutePart, Try
from xds_server.explanation import explain, to_document
from xds_server.python_messages import mode_of
from xds_server.render import to_json
from xds_server.resources import a2a_route, ext_proc, mcp_route, webhooks
from xds_server.resources.llm_route import client_dialect
from xds_server.resources.topology import Topology
from xds_server.snapshot import (
    CLUSTER,
    FILTER,
    LISTENER,
    ROUTES,
    Snapshot,
    resource_of,
    snapshot_of,
)

Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
TokenUsage: Any = message("envoy.data.ai.v3.TokenUsage")
NOON = datetime(2031, 3, 4, 12, tzinfo=UTC).timestamp()
TOPOLOGY = Topology(workers=("unix:/run/dragoman/0.sock",))
KEYS = {
    "answer-rules": "secret-of-alice",
    "tokens": "secret-of-ci",
    "virtual-keys": "secret-of-alice",
    "budgets": "secret-of-alice",
    "keys-and-rules": "secret-of-alice",
    "limits": "secret-of-alice",
    "routes-plain": "secret-of-k",
}
PIECES = 3
ANSWER = json.dumps(
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
).encode()


def explained(gateway: Gateway, level: Level = Level.V1_40) -> tuple[Explanation, Snapshot]:
    snapshot = compile_gateway(gateway, TOPOLOGY, level)
    return explain(gateway, snapshot, level), snapshot


def process(gateway: Gateway) -> Process:
    made = Process(lambda: NOON)
    made.program = build(
        gateway,
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=1,
        limiter=Unhurried(),
        serve=NOTHING_SERVED._replace(mcp=lambda mcp: serving(mcp, ("secret",), world(NOBODY))),
    )
    return made


class PlayedEnvoy:
    """Shows a worker what a processing mode says, until the worker ends the call."""

    def __init__(self, worker: Process, mode: Any, metadata: list[dict[str, str]]) -> None:
        self.mode = mode
        named = {each["key"]: each["value"] for each in metadata}
        written = {key.replace("-", "_"): value for key, value in named.items()}
        self.call = RecordedCall(worker, **written)
        self.shown: list[str] = []
        self.is_answered = False
        self.cluster = ""
        """Where the worker has sent the request."""

    def show(self, field: str, default: str, request: Any) -> Any:
        """One message, when the mode has it and the call is open; the worker's answer."""
        sent = ("SEND", "BUFFERED", "BUFFERED_PARTIAL", "STREAMED", "FULL_DUPLEX_STREAMED")
        if self.mode.get(field, default) not in sent or not self.call.is_open or self.is_answered:
            return None
        self.shown.append(request.WhichOneof("request").replace("_", " "))
        answer = Response.FromString(self.call.say(request.SerializeToString()))
        self.is_answered = answer.HasField("immediate_response")
        if answer.HasField("mode_override"):
            own = json_format.MessageToDict(answer.mode_override, preserving_proto_field_name=True)
            self.mode = {**self.mode, "response_trailer_mode": "SKIP", **own}
        self._learn(answer)
        return answer

    def _learn(self, answer: Any) -> None:
        """The first cluster of a plan, in whichever of the two ways it is told."""
        if not answer.HasField("request_body"):
            return
        for told in answer.request_body.response.header_mutation.set_headers:
            if told.header.key == names.PLAN_HEADER:
                self.cluster = told.header.raw_value.decode()
        plan = answer.dynamic_metadata.fields.get(names.PLAN_NAMESPACE)
        if plan is not None:
            text = json.dumps(json_format.MessageToDict(plan))
            found = re.search(r"llm/[^\"|, ]+", text)
            assert found is not None, text
            self.cluster = found[0]

    def headers(self, sent: dict[str, str]) -> None:
        fields = [{"key": key, "raw_value": value.encode()} for key, value in sent.items()]
        request = Request(request_headers={"headers": {"headers": fields}})
        self.show("request_header_mode", "SEND", request)

    def body(self, body: bytes) -> None:
        request = Request(request_body={"body": body, "end_of_stream": True})
        self.show("request_body_mode", "NONE", request)

    def answer(self, body: bytes, status: bytes = b"200") -> None:
        """Of the first try, in pieces, with the usage that Envoy has read in it."""
        fields = [
            {"key": ":status", "raw_value": status},
            {"key": "content-type", "raw_value": b"application/json"},
        ]
        request = Request(response_headers={"headers": {"headers": fields}})
        attributes = request.attributes["envoy.filters.http.ext_proc"].fields
        attributes["xds.cluster_name"].string_value = self.cluster
        attributes["upstream.request_attempt_count"].number_value = 1
        attributes["response.code_details"].string_value = "via_upstream"
        self.show("response_header_mode", "SEND", request)
        pieces = 1 if self.mode.get("response_body_mode") == "BUFFERED_PARTIAL" else PIECES
        size = -(-len(body) // pieces)
        for place in range(pieces):
            piece = {
                "body": body[place * size : (place + 1) * size],
                "end_of_stream": place == pieces - 1,
            }
            self.show("response_body_mode", "NONE", Request(response_body=piece))
        request = Request(response_trailers={})
        usage = TokenUsage(input_tokens={"value": 3}, output_tokens={"value": 4})
        packed = pack(usage)
        typed = request.metadata_context.typed_filter_metadata
        typed[names.USAGE_NAMESPACE].CopyFrom(packed)
        self.show("response_trailer_mode", "SKIP", request)


def compiled_route(snapshot: Snapshot, name: str) -> dict[str, Any]:
    for table in snapshot.resources[ROUTES].values():
        for host in to_json(table)["virtual_hosts"]:
            for route in host["routes"]:
                if route["name"] == name:
                    found: dict[str, Any] = route["typed_per_filter_config"][names.EXT_PROC_FILTER]
                    return found
    raise AssertionError(name)


@dataclass(frozen=True)
class Played:
    """A gateway whose requests are played."""

    gateway: Gateway
    snapshot: Snapshot
    worker: Process
    key: str | None = None

    def connect(self, model: str) -> PlayedEnvoy:
        """A request for a websocket."""
        envoy, headers = self._envoy(SESSIONS)
        envoy.headers({**headers, ":method": "GET", ":path": f"/v1/realtime?model={model}"})
        return envoy

    def _envoy(self, route: str) -> tuple[PlayedEnvoy, dict[str, str]]:
        """One on which nothing was asked, and who asks."""
        config = to_json(self.snapshot.resources[FILTER][names.EXT_PROC_FILTER])["typed_config"]
        per_route = compiled_route(self.snapshot, route)
        mode = mode_of(config, per_route)
        metadata = per_route.get("overrides", {}).get("grpc_initial_metadata", [])
        envoy = PlayedEnvoy(self.worker, mode or dict.fromkeys(MODES, "SKIP"), metadata)
        return envoy, {"authorization": f"Bearer {self.key}"} if self.key else {}

    def ask(self, route: str, kind: str, model: str = "") -> PlayedEnvoy:
        """One good request on a route, played to its end."""
        envoy, headers = self._envoy(route)
        client = client_dialect(route) if kind == "llm" else Dialect.OPENAI_CHAT
        method, path = PATHS.get(route) or ("POST", CHATS[client].format(model=quote(model)))
        asked = {":method": method, ":path": path if kind == "llm" else "/", "x-region": "here"}
        asked["content-length"] = "0" if kind != "llm" else "500"
        if kind == "mcp":
            asked |= {":path": "/mcp/github", "content-length": "40"}
            envoy.headers({**asked, **headers})
            envoy.body(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
            envoy.answer(b'{"jsonrpc":"2.0","id":1,"result":{}}')
            return envoy
        envoy.headers({**asked, **headers})
        if route in PATHS or kind != "llm":
            envoy.answer(b'{"object": "list", "data": []}')
            return envoy
        document = json.loads((SAMPLES / client / "requests" / "text.json").read_bytes())
        if "model" in document:
            document["model"] = model
        envoy.body(json.dumps(document).encode())
        assert not envoy.is_answered, envoy.call.sent
        (provider,) = re.findall(r"^(?:llm|plan)/([^/#>]+)", envoy.cluster)
        offered = offered_dialects(self.gateway, provider)
        dialect = client if client in offered else offered[0]
        envoy.answer((SAMPLES / dialect / "answers" / "text.json").read_bytes())
        return envoy


SAMPLES = Path(__file__).parents[1] / "translations"
CHATS = {
    Dialect.OPENAI_CHAT: "/v1/chat/completions",
    Dialect.OPENAI_RESPONSES: "/v1/responses",
    Dialect.ANTHROPIC: "/v1/messages",
    Dialect.GEMINI: "/v1beta/models/{model}:generateContent",
    Dialect.BEDROCK: "/model/{model}/converse",
}
BATCHES = "dragoman/llm/batches"
SESSIONS = "dragoman/llm/realtime"
PATHS = {
    "dragoman/llm/files": ("GET", "/v1/files"),
    "dragoman/llm/uploads": ("POST", "/v1/uploads"),
    BATCHES: ("GET", "/v1/batches"),
    "dragoman/llm/anthropic/batches": ("GET", "/v1/messages/batches"),
    SESSIONS: ("GET", "/v1/realtime?model=any"),
}
MODES = ("request_header_mode", "response_header_mode")


def played(case: str, level: Level = Level.V1_40) -> tuple[Explanation, Played]:
    gateway = golden_gateway(case)
    explanation, snapshot = explained(gateway, level)
    return explanation, Played(gateway, snapshot, process(gateway), KEYS.get(case))


def held_to(route: RoutePart, shown: list[str]) -> None:
    """Nothing is shown that is not explained, everything that always is, and so many of it."""
    told = {each.name: each for each in route.messages}
    assert set(shown) <= set(told)
    for each in route.messages:
        count = shown.count(each.name)
        assert count or not each.is_certain, each.name
        assert count in (0, 1, PIECES) if each.is_each_part else count <= 1
    assert len(shown) >= route.messages_least
    assert route.messages_most is None or len(shown) <= route.messages_most


def offered_dialects(gateway: Gateway, provider: str) -> list[Dialect]:
    (found,) = (each for each in gateway.providers if each.name == provider)
    return [each for operation, _ in found.offers if (each := dialect_of(operation)) is not None]


def conversing(gateway: Gateway) -> Iterator[tuple[str, list[Dialect]]]:
    """The models that clients may have conversations with, and how the first provider talks."""
    for model in gateway.models:
        offered = offered_dialects(gateway, model.tiers[0][0].provider)
        if offered and not model.is_internal and model.choice is None:
            yield model.name.replace("*", "any"), offered


_UNPLAYED = {"a2a", "a2a-instances", "remote-guards", "mcp-auth"}
"""Nobody plays agents, services, and issuers."""
_UNTOLD = ("dragoman_external/", "https/", "jwks/", "limits/", "llm/", "plan/", "login/")


@pytest.mark.parametrize("case", sorted({*CASES} - _UNPLAYED))
@pytest.mark.parametrize("level", Level)
def test_as_many_messages_are_sent_as_are_explained(case: str, level: Level) -> None:
    explanation, there = played(case, level)
    routes = [route for part in explanation.gateways for route in part.routes]
    assert routes
    for route in routes:
        for name in route.names:
            if route.kind != "llm" or name in PATHS:
                held_to(route, there.ask(name, route.kind).shown)
                continue
            for model, offered in conversing(there.gateway):
                shown = there.ask(name, "llm", model).shown
                held_to(route, shown)
                if client_dialect(name) not in offered:
                    # at once, where guards look at it before its status goes on
                    expected = 1 if case == "answer-guards" else PIECES
                    assert shown.count("response body") == expected


@pytest.mark.parametrize("level", Level)
def test_answers_about_batches_are_shown_where_something_is_counted(level: Level) -> None:
    explanation, there = played("budgets", level)
    route = llm_route_named(explanation, BATCHES)
    assert (route.messages_least, route.messages_most) == (1, None)
    assert route.unseen[-1] == "what the answer says: it is counted, no more"
    assert [each.name for each in route.checks if "before a batch is made" in each.name] == [
        "budget team-month (each month, for team=*), before a batch is made"
    ]
    shown = there.ask(BATCHES, "llm").shown
    assert shown == ["request headers", "response headers", *["response body"] * PIECES]


def test_batches_of_messages_say_that_guards_read_them() -> None:
    gateway = golden_gateway("budgets")
    guard = RegexGuard("a", ("x",), GuardAction.BLOCK, "", "")
    stored = dataclasses.replace(gateway.llm, stored_at=(gateway.providers[0].name,))
    gateway = dataclasses.replace(gateway, guards=(guard,), llm=stored)
    explanation, _ = explained(gateway)
    route = llm_route_named(explanation, "dragoman/llm/anthropic/batches")
    [body] = [each for each in route.messages if each.name == "request body"]
    assert (body.is_certain, body.when) == (False, "of a batch of messages that is made")
    assert any("guard a" in each.name for each in route.checks)
    assert route.reading == "passed on unread, answers counted"


@pytest.mark.parametrize("level", Level)
def test_sessions_are_shown_where_a_budget_counts_them(level: Level) -> None:
    explanation, there = played("budgets", level)
    route = llm_route_named(explanation, SESSIONS)
    assert (route.messages_least, route.messages_most) == (1, None)
    assert route.unseen == (
        "the request's body",
        "what the answer says: it is counted, no more",
    )
    for model, status, shown in (
        ("fast", b"101", ["response headers", *["response body"] * PIECES]),
        ("fast", b"503", ["response headers"]),
        ("none", b"101", []),
    ):
        asked = there.connect(model)
        asked.answer(b"\x82\x01\x00" * PIECES, status)
        held_to(route, asked.shown)
        assert asked.shown == ["request headers", *shown]
    explanation, there = played("providers", level)
    route = llm_route_named(explanation, SESSIONS)
    assert [each.name for each in route.messages] == ["request headers"]
    assert route.unseen[-1] == "what it costs: no budget counts it"


def llm_route_named(explanation: Explanation, name: str) -> RoutePart:
    (found,) = (each for each in explanation.gateways[0].routes if name in each.names)
    return found


@pytest.mark.parametrize("level", Level)
def test_without_a_budget_that_applies_the_least_is_sent(level: Level) -> None:
    text = (GOLDEN / "budgets.yaml").read_text("utf-8").replace('{team: "*"}', "{team: other}")
    gateway = gateway_of(text)
    explanation, snapshot = explained(gateway, level)
    route = llm_route_named(explanation, "dragoman/llm")
    assert route.messages_least == 2
    there = Played(gateway, snapshot, process(gateway), KEYS["budgets"])
    assert there.ask("dragoman/llm", "llm", "fast").shown == ["request headers", "request body"]


def test_a_budget_waits_for_the_status_and_the_usage() -> None:
    _, there = played("budgets")
    assert there.ask("dragoman/llm", "llm", "fast").shown == [
        "request headers",
        "request body",
        "response headers",
        "response trailers",
    ]
    _, older = played("budgets", Level.V1_37)
    shown = older.ask("dragoman/llm", "llm", "fast").shown
    assert shown[2:] == ["response headers", *["response body"] * PIECES]


def test_of_several_tries_some_answers_are_looked_at() -> None:
    explanation, there = played("llm-failover-paths")
    route = llm_route_named(explanation, "dragoman/llm")
    assert (route.messages_least, route.messages_most) == (2, 3)
    costs = [len(there.ask("dragoman/llm", "llm", "both").shown) for _ in range(2)]
    assert costs == [3, 2]


def test_where_somebody_is_fast_every_answer_is_looked_at() -> None:
    explanation, there = played("virtual-models")
    route = llm_route_named(explanation, "dragoman/llm")
    assert route.messages_least == 3
    for _ in range(2):
        shown = there.ask("dragoman/llm", "llm", "quick").shown
        assert shown[:3] == ["request headers", "request body", "response headers"]


@pytest.mark.parametrize("level", Level)
def test_a_try_that_renames_costs_what_is_explained(level: Level) -> None:
    gateway = golden_gateway("llm-failover-paths")
    explanation, snapshot = explained(gateway, level)
    (both, _) = explanation.models
    assert [one.messages for one in both.tries] == [0, 2]
    second = both.tries[1]
    costs = []
    for cluster in second.clusters:
        found = asking(to_json(snapshot.resources[CLUSTER][cluster]))
        for config in found:
            metadata = config["grpc_service"]["initial_metadata"]
            envoy = PlayedEnvoy(process(gateway), config["processing_mode"], metadata)
            envoy.headers({":method": "POST"})
            envoy.body(b'{"model": "small"}')
            envoy.answer(ANSWER)
            costs.append(len(envoy.shown))
    assert costs == [second.messages]


def asking(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in asking(item)]
    if not isinstance(value, dict):
        return []
    here = [value] if str(value.get("@type", "")).endswith(ext_proc.FILTER) else []
    return here + [found for item in value.values() for found in asking(item)]


def test_the_clusters_of_tries_exist() -> None:
    for level in Level:
        for case in CASES:
            explanation, snapshot = explained(golden_gateway(case), level)
            tries = [one for model in explanation.models for one in model.tries]
            for one in tries:
                assert set(one.clusters) <= set(snapshot.resources[CLUSTER])


def test_weighted_targets_share_a_place() -> None:
    gateway = gateway_of(
        "llm:\n"
        "  providers:\n"
        "    a: {type: openai, url: 'http://a.example/v1'}\n"
        "    b: {type: openai, url: 'http://b.example/v1'}\n"
        "  models:\n"
        "    either: {weighted: {a/x: 3, b/y: 1}}\n"
        "    m: {failover: [either, b/x]}\n"
    )
    explanation, _ = explained(gateway)
    tries = explanation.models[1].tries
    assert [(one.place, one.weight) for one in tries] == [(1, 3), (1, 1), (2, 1)]
    # it is renamed where the first choice was called otherwise
    b = ("llm/b", "llm/b/addressed", "llm/b#2")
    assert [(one.clusters, one.messages) for one in tries[1:]] == [(b[:2], 0), (b, 2)]


def test_what_fails_open_is_said() -> None:
    gateway = golden_gateway("llm-single")
    snapshot = compile_gateway(gateway, TOPOLOGY)
    config = to_json(snapshot.resources[FILTER][names.EXT_PROC_FILTER])
    config["typed_config"]["failure_mode_allow"] = True
    body = message("envoy.config.core.v3.TypedExtensionConfig")
    opened = replaced(snapshot, FILTER, config, body.DESCRIPTOR.full_name)
    explanation = explain(gateway, opened, Level.V1_40)
    assert explanation.service is not None
    assert explanation.service.failing is Failing.OPEN
    route = llm_route_named(explanation, "dragoman/llm")
    assert route.when_extproc_fails == "the request passes unchecked"


def replaced(snapshot: Snapshot, type_url: str, fields: dict[str, Any], kind: str) -> Snapshot:
    """The snapshot with one resource as an operator might have written it."""
    body = envoy_api.from_dict(kind, fields).SerializeToString(deterministic=True)
    made = resource_of(fields["name"], type_url, body)
    kept = [
        each
        for named in snapshot.resources.values()
        for each in named.values()
        if (each.type_url, each.name) != (type_url, fields["name"])
    ]
    return snapshot_of([*kept, made])


def test_an_open_route_is_seen_by_nobody() -> None:
    explanation, _ = explained(golden_gateway("routes-plain"))
    by_name = {
        name: one for part in explanation.gateways for one in part.routes for name in one.names
    }
    assert by_name["rest"].unseen == ("the whole request", "the whole answer")
    assert by_name["rest"].when_extproc_fails == "nothing: it is not asked"
    assert by_name["dragoman/unmatched"].kind == "answer"


def test_an_authorization_server_is_extprocs_where_something_is_put_right_there() -> None:
    gateway = golden_gateway("mcp-auth")
    auth = gateway.mcp.auth
    assert auth is not None
    for is_changed in (True, False):
        proxy = AuthorizationProxy("idp.example", "/metadata", is_changed)
        mcp = replace(gateway.mcp, auth=replace(auth, proxy=proxy))
        there = Service(names.MCP_AUTHORIZATION, gateway.services[0].upstream)
        services = (*gateway.services, there)
        explanation, _ = explained(replace(gateway, mcp=mcp, services=services))
        found = {
            one.kind: one
            for part in explanation.gateways
            for one in part.routes
            if names.service_cluster(names.MCP_AUTHORIZATION) in one.clusters
        }
        assert list(found) == (["mcp authorization"] if is_changed else ["other"])
        (one,) = found.values()
        assert [each.name for each in one.messages] == (
            ["request headers", "request body"] if is_changed else []
        )


def test_where_people_come_back_whose_tokens_are_kept_extproc_answers() -> None:
    explanation, _ = explained(golden_gateway("kept-logins"))
    found = [one for part in explanation.gateways for one in part.routes if one.kind == "login"]
    assert len(found) == 3
    for one in found:
        assert [each.name for each in one.messages] == ["request headers", "request body"]
        assert one.clusters == ()
    envoys, _ = explained(golden_gateway("logins"))
    assert not [one for part in envoys.gateways for one in part.routes if one.kind == "login"]


def test_routes_come_in_the_order_in_which_they_are_asked() -> None:
    explanation, _ = explained(golden_gateway("routes-plain"))
    for part in explanation.gateways:
        order = [name for one in part.routes if one.kind == "plain" for name in one.names]
        written = [route.name for route in golden_gateway("routes-plain").routes]
        assert order == [name for name in written if name in order]
        assert part.routes[-1].names == ("dragoman/unmatched",)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", Level)
def test_every_route_is_told_once_and_every_cluster_that_is_named(case: str, level: Level) -> None:
    explanation, snapshot = explained(golden_gateway(case), level)
    for part in explanation.gateways:
        told = [name for route in part.routes for name in route.names]
        listener = snapshot.resources[LISTENER][names.listener(part.name)]
        [table] = (
            to_json(snapshot.resources[kind][name])
            for kind, name in listener.needs
            if kind == ROUTES
        )
        compiled = {route["name"] for host in table["virtual_hosts"] for route in host["routes"]}
        assert len(told) == len(set(told))
        found = (a2a_route.FOUND, a2a_route.FOUND_SEVERAL, *mcp_route.TAKEN)
        unseen = {*found, *webhooks.ROUTES}  # no client comes there
        assert set(told) == compiled - unseen
    routes = [route for part in explanation.gateways for route in part.routes]
    named = {name for route in routes for name in (*route.clusters, *route.copies)}
    named |= {name for model in explanation.models for one in model.tries for name in one.clusters}
    named |= {each for each in snapshot.resources[CLUSTER] if each.startswith("service/")}
    described = [each.name for each in explanation.clusters]
    assert len(described) == len(set(described))
    assert set(described) == named
    apart = {names.EXTPROC_CLUSTER, names.UNPLANNED_CLUSTER, names.A2A_BRIDGE_CLUSTER}
    unnamed = set(snapshot.resources[CLUSTER]) - named - apart
    assert all(each.startswith(_UNTOLD) for each in unnamed)


def test_routes_are_told_by_what_becomes_of_bodies() -> None:
    explanation, _ = explained(golden_gateway("mirrors"))
    both, translated, websocket, unmatched = explanation.gateways[0].routes
    assert both.reading == "read in the client's dialect, or translated"
    assert [(way.own, way.translated) for way in both.ways][:2] == [
        (("claude",), ("openai", "groq")),
        (("openai", "groq"), ("claude",)),
    ]
    assert both.ways[0].names == ("dragoman/llm/anthropic@openai", "dragoman/llm/anthropic")
    assert both.copies == ("llm/openai/mirror",)
    assert (translated.reading, translated.ways[0].own) == ("translated", ())
    assert (websocket.reading, websocket.clusters) == ("a websocket", ("llm/openai/websocket",))
    assert unmatched.reading == ""
    explanation, _ = explained(golden_gateway("budgets"))
    (unread,) = (
        each for each in explanation.gateways[0].routes if each.reading == "passed on unread"
    )
    assert unread.clusters == ("llm/local", "llm/local/addressed")
    assert unread.unseen[-1] == "what it costs: no budget counts it"


def test_the_json_form_is_json() -> None:
    explanation, _ = explained(golden_gateway("budgets"))
    document = json.loads(json.dumps(to_document(explanation)))
    assert document["gateways"][0]["routes"][0]["messages_least"] == 2
    assert document["models"][0]["tries"][0] == json.loads(
        json.dumps(
            dataclasses.asdict(
                Try(1, "local", "gpt-5-mini", 1, ("llm/local", "llm/local/addressed"), 0)
            )
        )
    )


OWN = """
gateways: {default: {port: 8080}}
xds:
  resources:
    - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
      name: tcp
      address: {socket_address: {address: 127.0.0.1, port_value: 9001}}
      filter_chains:
        - filters:
            - name: tcp
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: tcp
                cluster: elsewhere
    - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
      name: client
      api_listener:
        api_listener:
          "@type": HTTP
          route_config:
            name: inside
            virtual_hosts:
              - name: all
                domains: [backend]
                routes: [{match: {prefix: /}, route: {cluster: elsewhere}}]
          http_filters:
            - name: router
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
    - "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
      name: elsewhere
      type: STATIC
"""


def test_an_operators_own_listeners_are_explained_as_far_as_they_go() -> None:
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    own = OWN.replace("HTTP", f"type.googleapis.com/{manager}")
    explanation, _ = explained(gateway_of(own))
    by_name = {part.name: part for part in explanation.gateways}
    assert by_name["tcp"].address == "127.0.0.1:9001"
    assert by_name["tcp"].unexplained == "it serves no HTTP, and its filters are not explained"
    client = by_name["client"]
    assert (client.address, client.unexplained) == ("no address", "")
    (route,) = client.routes
    assert (route.names, route.kind, route.hosts) == (("all#0",), "other", ("backend",))
    assert route.clusters == ("elsewhere",)
    assert [cluster.name for cluster in explanation.clusters] == ["elsewhere"]
    assert route.unseen == ("the whole request", "the whole answer")
    assert by_name["default"].unexplained == ""


def test_a_certificate_that_is_demanded_is_the_first_check() -> None:
    gateway = golden_gateway("llm-single")
    (listener,) = gateway.listeners
    tls = ServerTls("CERTIFICATE", "KEY", client_ca="AUTHORITY")
    mutual = dataclasses.replace(gateway, listeners=(dataclasses.replace(listener, tls=tls),))
    explanation, _ = explained(mutual)
    (part,) = explanation.gateways
    assert part.tls == "mtls"
    assert part.routes[0].checks[0].name == "certificate of the client"
    plain, _ = explained(gateway)
    assert part.routes[0].checks[1:] == plain.gateways[0].routes[0].checks
