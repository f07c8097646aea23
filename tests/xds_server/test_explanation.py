"""An explanation is true: a played Envoy asks the real request path, and both are counted."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import envoy_api
import pytest
from envoy_api import message, pack

from extproc.process import Process
from extproc.program import build
from gateway import names
from gateway.model import Gateway, ServerTls
from tests.kit.calls import RecordedCall
from tests.kit.gateways import CASES, gateway_of, golden_gateway
from tests.kit.golden import GOLDEN
from tests.kit.memory_ledger import MemoryLedger
from xds_server.audience import Level
from xds_server.checks import Failing
from xds_server.compile import compile_gateway
from xds_server.explained import Explanation, RoutePart, Try
from xds_server.explanation import explain, to_document
from xds_server.python_messages import mode_of
from xds_server.render import to_json
from xds_server.resources import ext_proc
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, FILTER, ROUTES, Snapshot, resource_of, snapshot_of

Request: Any = message("envoy.service.ext_proc.v3.ProcessingRequest")
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
TokenUsage: Any = message("envoy.data.ai.v3.TokenUsage")
NOON = datetime(2031, 3, 4, 12, tzinfo=UTC).timestamp()
TOPOLOGY = Topology(workers=("unix:/run/dragoman/0.sock",))
KEYS = {
    "budgets": "secret-of-alice",
    "keys-and-rules": "secret-of-alice",
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
    made.program = build(gateway, "1", ledger=MemoryLedger(), choose=lambda: 0.0, created=1)
    return made


class PlayedEnvoy:
    """Shows a worker what a processing mode says, until the worker ends the call."""

    def __init__(self, gateway: Gateway, mode: Any, metadata: list[dict[str, str]]) -> None:
        self.mode = mode
        named = {each["key"]: each["value"] for each in metadata}
        written = {key.replace("-", "_"): value for key, value in named.items()}
        self.call = RecordedCall(process(gateway), **written)
        self.messages = 0
        self.is_answered = False

    def show(self, field: str, default: str, request: Any) -> Any:
        """One message, when the mode has it and the call is open; the worker's answer."""
        sent = ("SEND", "BUFFERED", "STREAMED", "FULL_DUPLEX_STREAMED")
        if self.mode.get(field, default) not in sent or not self.call.is_open or self.is_answered:
            return None
        self.messages += 1
        answer = Response.FromString(self.call.say(request.SerializeToString()))
        self.is_answered = answer.HasField("immediate_response")
        return answer

    def headers(self, sent: dict[str, str]) -> None:
        fields = [{"key": key, "raw_value": value.encode()} for key, value in sent.items()]
        request = Request(request_headers={"headers": {"headers": fields}})
        self.show("request_header_mode", "SEND", request)

    def body(self, document: dict[str, Any]) -> None:
        body = {"body": json.dumps(document).encode(), "end_of_stream": True}
        self.show("request_body_mode", "NONE", Request(request_body=body))

    def answer(self, cluster: str) -> None:
        fields = [
            {"key": ":status", "raw_value": b"200"},
            {"key": "content-type", "raw_value": b"application/json"},
        ]
        request = Request(response_headers={"headers": {"headers": fields}})
        attributes = request.attributes["envoy.filters.http.ext_proc"].fields
        attributes["xds.cluster_name"].string_value = cluster
        self.show("response_header_mode", "SEND", request)
        size = -(-len(ANSWER) // PIECES)
        for place in range(PIECES):
            piece = {
                "body": ANSWER[place * size : (place + 1) * size],
                "end_of_stream": place == PIECES - 1,
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


def asked(gateway: Gateway, snapshot: Snapshot, route: RoutePart, case: str) -> PlayedEnvoy:
    """One good request on a route, played to its end."""
    config = to_json(snapshot.resources[FILTER][names.EXT_PROC_FILTER])["typed_config"]
    per_route = compiled_route(snapshot, route.name)
    mode = mode_of(config, per_route)
    metadata = per_route.get("overrides", {}).get("grpc_initial_metadata", [])
    envoy = PlayedEnvoy(gateway, mode or dict.fromkeys(MODES, "SKIP"), metadata)
    path = "/v1/chat/completions" if route.kind == "llm" else "/"
    key = KEYS.get(case)
    envoy.headers(
        {":method": "POST", ":path": path, "x-region": "here"}
        | ({"authorization": f"Bearer {key}"} if key else {})
    )
    if route.kind == "llm":
        model = gateway.models[0].name.replace("*", "any")
        envoy.body({"model": model, "messages": [{"role": "user", "content": "hi"}]})
        assert not envoy.is_answered, envoy.call.sent
        envoy.answer(names.provider_cluster(gateway.providers[0].name))
    return envoy


MODES = ("request_header_mode", "response_header_mode")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", Level)
def test_as_many_messages_are_sent_as_are_explained(case: str, level: Level) -> None:
    gateway = golden_gateway(case)
    explanation, snapshot = explained(gateway, level)
    routes = [route for part in explanation.gateways for route in part.routes]
    assert routes
    for route in routes:
        envoy = asked(gateway, snapshot, route, case)
        if route.kind != "llm":
            assert envoy.messages == route.messages_least == route.messages_most
        elif not gateway.budgets:  # of some requests it must be known who answered
            assert route.messages_most is not None
            assert route.messages_least <= envoy.messages <= route.messages_most
        elif route.messages_most is not None:
            assert envoy.messages == route.messages_most
        else:
            once = sum(not each.is_each_part for each in route.messages)
            assert envoy.messages == once + PIECES


@pytest.mark.parametrize("level", Level)
def test_without_a_budget_that_applies_the_least_is_sent(level: Level) -> None:
    text = (GOLDEN / "budgets.yaml").read_text("utf-8").replace('{team: "*"}', "{team: other}")
    gateway = gateway_of(text)
    explanation, snapshot = explained(gateway, level)
    (route,) = (one for one in explanation.gateways[0].routes if one.kind == "llm")
    assert route.messages_least == 2
    assert asked(gateway, snapshot, route, "budgets").messages == 2


@pytest.mark.parametrize("level", Level)
def test_a_try_that_renames_costs_what_is_explained(level: Level) -> None:
    gateway = golden_gateway("llm-failover-paths")
    explanation, snapshot = explained(gateway, level)
    (both, _) = explanation.models
    assert [one.messages for one in both.tries] == [0, 2]
    second = both.tries[1]
    for cluster in second.clusters:
        (config,) = asking(to_json(snapshot.resources[CLUSTER][cluster]))
        envoy = PlayedEnvoy(
            gateway, config["processing_mode"], config["grpc_service"]["initial_metadata"]
        )
        envoy.headers({":method": "POST"})
        envoy.body({"model": "small"})
        envoy.answer(cluster)
        assert envoy.messages == second.messages


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
    assert [(one.place, one.weight) for one in tries] == [(1, 3), (1, 1), (2, 1), (2, 1)]
    # it is renamed where the first choice was called otherwise
    assert {one.clusters: one.messages for one in tries[2:]} == {("llm/b",): 0, ("llm/b#2",): 2}


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
    (route, _) = explanation.gateways[0].routes
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
    by_name = {one.name: one for part in explanation.gateways for one in part.routes}
    assert by_name["rest"].unseen == ("the whole request", "the whole answer")
    assert by_name["rest"].when_extproc_fails == "nothing: it is not asked"
    assert by_name["dragoman/unmatched"].kind == "answer"


def test_routes_come_in_the_order_in_which_they_are_asked() -> None:
    explanation, _ = explained(golden_gateway("routes-plain"))
    for part in explanation.gateways:
        order = [one.name for one in part.routes if one.kind == "plain"]
        written = [route.name for route in golden_gateway("routes-plain").routes]
        assert order == [name for name in written if name in order]
        assert part.routes[-1].name == "dragoman/unmatched"


def test_the_json_form_is_json() -> None:
    explanation, _ = explained(golden_gateway("budgets"))
    document = json.loads(json.dumps(to_document(explanation)))
    assert document["gateways"][0]["routes"][0]["messages_least"] == 2
    assert document["models"][0]["tries"][0] == json.loads(
        json.dumps(dataclasses.asdict(Try(1, "local", "gpt-5-mini", 1, ("llm/local",), 0)))
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
    assert (route.name, route.kind, route.hosts) == ("all#0", "other", ("backend",))
    assert [cluster.name for cluster in route.clusters] == ["elsewhere"]
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
