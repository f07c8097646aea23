from __future__ import annotations

from gateway import names
from gateway.config.load import load
from gateway.config.schema import Config
from gateway.model import Gateway
from gateway.resolve import resolve
from xds_server.compile import compile_gateway
from xds_server.offers import without_inline_secrets
from xds_server.render import to_json
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, FILTER, LISTENER, ROUTES, SECRET, Snapshot, with_kept

TOPOLOGY = Topology(workers=("unix:/run/0.sock",), services="unix:/run/services.sock")
GUARDS = """
guardrails:
  - {type: webhook, name: own, url: "https://g.example/check", timeout: 2s}
  - {type: openai-moderation, name: mod, key: sk-1}
  - type: bedrock-guardrails
    name: aws
    guardrail_id: abc
    auth: {type: aws, access_key: AKIA, secret_key: hidden}
"""


def gateway_of(text: str) -> Gateway:
    config = load(text, file="test.yaml", environment={})
    assert isinstance(config, Config), config
    return resolve(config)


def compiled(text: str, topology: Topology = TOPOLOGY) -> Snapshot:
    return compile_gateway(gateway_of(text), topology)


def test_without_guards_that_ask_there_is_no_way_out() -> None:
    snapshot = compiled("guardrails: [{type: regex, patterns: [x]}]")
    assert names.SERVICES not in snapshot.of(LISTENER)
    timeout = to_json(snapshot.of(FILTER)[names.EXT_PROC_FILTER])["typed_config"]["message_timeout"]
    assert timeout == "5s"


def test_the_socket_of_the_way_out_is_its_owners_alone() -> None:
    listener = to_json(compiled(GUARDS).of(LISTENER)[names.SERVICES])
    assert listener["address"] == {"pipe": {"path": "/run/services.sock", "mode": 0o600}}
    apart = Topology(workers=("10.0.0.1:1",))
    listener = to_json(compiled(GUARDS, apart).of(LISTENER)[names.SERVICES])
    assert listener["address"]["socket_address"]["address"] == "127.0.0.1"


def test_it_leads_to_services_and_to_no_provider() -> None:
    listener = to_json(compiled(GUARDS).of(LISTENER)[names.SERVICES])
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (host,) = manager["route_config"]["virtual_hosts"]
    (route,) = host["routes"]
    (header,) = route["match"]["headers"]
    assert header == {"name": "x-dragoman-service", "string_match": {"prefix": "service/"}}
    assert route["route"]["cluster_header"] == "x-dragoman-service"


def test_services_come_and_go_without_the_listener() -> None:
    one = compiled('guardrails: [{type: webhook, name: a, url: "http://a"}]').of(LISTENER)
    other = compiled('guardrails: [{type: webhook, name: b, url: "http://b"}]').of(LISTENER)
    assert one[names.SERVICES].version == other[names.SERVICES].version


def test_each_service_has_a_cluster_with_its_credential() -> None:
    snapshot = compiled(GUARDS)
    own = to_json(snapshot.of(CLUSTER)["service/guard/own"])
    assert own["transport_socket"]["typed_config"]["sni"] == "g.example"
    moderation = str(to_json(snapshot.of(CLUSTER)["service/guard/mod"]))
    assert "service/guard/mod/key" in moderation
    assert "sk-1" not in moderation
    assert "sk-1" in str(to_json(snapshot.of(SECRET)["service/guard/mod/key"]))
    aws = str(to_json(snapshot.of(CLUSTER)["service/guard/aws"]))
    assert "aws_request_signing" in aws
    assert "bedrock-runtime.us-east-1.amazonaws.com" in aws


def test_who_may_have_no_secrets_has_none_of_services() -> None:
    bare = without_inline_secrets(gateway_of(GUARDS))
    assert "hidden" not in str(
        to_json(compile_gateway(bare, TOPOLOGY).of(CLUSTER)["service/guard/aws"])
    )


def test_envoy_waits_for_as_long_as_all_services_may_take() -> None:
    found = to_json(compiled(GUARDS).of(FILTER)[names.EXT_PROC_FILTER])
    assert found["typed_config"]["message_timeout"] == "13s"  # 5, and 2 + 3 + 3


def test_the_way_out_is_there_before_workers_ask_and_as_long_as_they_do() -> None:
    without, having = compiled("{llm: {}}"), compiled(GUARDS)
    before = with_kept(without, having)
    assert names.SERVICES in before.of(LISTENER)
    assert "service/guard/own" in before.of(CLUSTER)
    assert set(before.of(LISTENER)) - {names.SERVICES} == set(without.of(LISTENER))


def test_answers_are_shown_where_a_guard_is_asked_beside_their_requests() -> None:
    guard = "{type: webhook, name: a, url: 'http://a'%s}"
    text = "llm: {providers: {o: {type: openai, key: k}}, models: {m: o/m}}\nguardrails: [%s]"
    shown = {
        parallel: "'response_header_mode': 'SEND'" in route_of(text % (guard % parallel))
        for parallel in ("", ", parallel: true")
    }
    assert shown == {"": False, ", parallel: true": True}


def route_of(text: str) -> str:
    """The route of conversations in OpenAI's words."""
    table = to_json(compiled(text).of(ROUTES)["gateway/default"])
    (host,) = table["virtual_hosts"]
    return str(next(each for each in host["routes"] if each["name"] == "dragoman/llm"))


def test_the_way_back_to_a_gateway_keeps_the_host_that_its_client_asked() -> None:
    text = "mcp: {sse_path: /sse, servers: {a: {url: 'http://a/mcp'}}}"
    snapshot = compiled(text)
    listener = to_json(snapshot.of(LISTENER)[names.SERVICES])
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    back, *others = manager["route_config"]["virtual_hosts"][0]["routes"]
    (header,) = back["match"]["headers"]
    assert header["string_match"] == {"prefix": "service/gateway/"}
    assert back["route"]["timeout"] == "0s"
    assert not back["route"].get("auto_host_rewrite", False)
    assert all(each["route"]["auto_host_rewrite"] for each in others)
    assert {"service/gateway/default", names.HUB_CLUSTER} <= set(snapshot.of(CLUSTER))


def test_agents_are_asked_for_clients_of_grpc_by_a_route_that_gives_trailers() -> None:
    snapshot = compiled("a2a: {agents: {travel: {url: 'http://t:9999'}}}")
    listener = to_json(snapshot.of(LISTENER)[names.SERVICES])
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    bridge, of_nothing, _ = manager["http_filters"]
    assert bridge["disabled"]
    assert of_nothing["disabled"]
    assert of_nothing["typed_config"]["withhold_grpc_frames"]
    (host,) = manager["route_config"]["virtual_hosts"]
    ours = {names.A2A_TYPE_HEADER, names.A2A_ACCEPT_HEADER, names.A2A_FRAMED_HEADER}
    assert set(host["request_headers_to_remove"]) == ours  # after what is made of them
    framed, by_bridge, *others = host["routes"]
    assert framed["match"]["headers"][1]["name"] == names.A2A_FRAMED_HEADER
    assert of_nothing["name"] in framed["typed_per_filter_config"]
    made_of = {each["header"]["value"] for each in by_bridge["request_headers_to_add"]}
    assert made_of == {f"%REQ({names.A2A_TYPE_HEADER})%", f"%REQ({names.A2A_ACCEPT_HEADER})%"}
    assert ours.isdisjoint(by_bridge["request_headers_to_remove"])
    service, kind = by_bridge["match"]["headers"]
    assert service["string_match"] == {"prefix": "service/a2a/"}
    assert (kind["name"], kind["present_match"]) == (names.A2A_TYPE_HEADER, True)
    assert bridge["name"] in by_bridge["typed_per_filter_config"]
    assert not any("typed_per_filter_config" in each for each in others)
    told = {
        each["header"]["key"]: each["header"]["value"]
        for each in by_bridge["response_headers_to_add"]
    }
    assert told["content-type"] == bridge["typed_config"]["content_type"]
    assert told[names.A2A_STATUS_HEADER] == "%RESP(:status)%"
    cluster = to_json(snapshot.of(CLUSTER)[names.A2A_BRIDGE_CLUSTER])
    (group,) = cluster["load_assignment"]["endpoints"]
    address = group["lb_endpoints"][0]["endpoint"]["address"]
    assert address == {"pipe": {"path": "/run/services.sock"}}
    without = compiled("mcp: {servers: {a: {url: 'http://a/mcp'}}}")
    assert names.A2A_BRIDGE_CLUSTER not in without.of(CLUSTER)
