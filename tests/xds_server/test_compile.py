"""A gateway becomes Envoy's resources: golden, deterministic, accepted by Envoy itself."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from gateway import names
from gateway.credentials import StaticKey
from gateway.model import Llm
from tests.kit.envoy import envoy_binary
from tests.kit.gateways import CASES, gateway_of, golden_gateway
from tests.kit.golden import GOLDEN, matches
from tests.kit.independent_decoder import (
    Cluster,
    Listener,
    RouteConfiguration,
    Secret,
    TypedExtensionConfig,
)
from xds_server.audience import Level
from xds_server.compile import Compiler, compile_gateway
from xds_server.render import static_bootstrap, to_json, to_yaml
from xds_server.resources.topology import Topology
from xds_server.snapshot import (
    CLUSTER,
    FILTER,
    LISTENER,
    ROUTES,
    SECRET,
    Snapshot,
    changed_types,
    dangling,
)

ROOT = Path(__file__).parents[2]
TOPOLOGY = Topology(workers=("unix:/run/dragoman/0.sock", "unix:/run/dragoman/1.sock"))

DECODERS = {
    CLUSTER: Cluster,
    FILTER: TypedExtensionConfig,
    LISTENER: Listener,
    ROUTES: RouteConfiguration,
    SECRET: Secret,
}


GOLDEN_NAMES = {Level.V1_37: "{}.v1_37.xds.yaml", Level.V1_40: "{}.xds.yaml"}

each_level = pytest.mark.parametrize("level", Level)
each_case = pytest.mark.parametrize("case", CASES)


def compiled(case: str, level: Level = Level.V1_40) -> Snapshot:
    return compile_gateway(golden_gateway(case), TOPOLOGY, level)


@each_level
@each_case
def test_the_golden_file_says_what_is_compiled(case: str, level: Level) -> None:
    path = GOLDEN / GOLDEN_NAMES[level].format(case)
    assert matches(to_yaml(compiled(case, level)), path), f"{path} differs; REWRITE=1 rewrites it"


@each_level
@each_case
def test_nothing_dangles(case: str, level: Level) -> None:
    assert dangling(compiled(case, level)) == ()


@pytest.mark.envoy
@each_level
@each_case
def test_an_envoy_of_its_level_accepts_it(case: str, level: Level, tmp_path: Path) -> None:
    bootstrap = static_bootstrap(compiled(case, level))
    authorities = tmp_path / "ca.pem"
    authorities.write_bytes(Path(certifi.where()).read_bytes())
    text = json.dumps(bootstrap).replace(TOPOLOGY.ca_bundle, str(authorities))
    path = tmp_path / "bootstrap.json"
    path.write_text(text)
    command = [
        envoy_binary(level.value),
        "--mode",
        "validate",
        "-c",
        path,
        "--log-level",
        "warning",
    ]
    done = subprocess.run(
        [*command, "--disable-hot-restart"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    deprecated = [line for line in done.stderr.splitlines() if "eprecated" in line]
    assert deprecated == []


@each_case
def test_an_independent_decoder_reads_the_same_names(case: str) -> None:
    for type_url, named in compiled(case).resources.items():
        for name, resource in named.items():
            assert DECODERS[type_url].parse(resource.body).name == name


def test_an_independent_decoder_reads_the_same_values() -> None:
    resources = compiled("llm-failover-paths").resources
    cluster = Cluster.parse(resources[CLUSTER][names.provider_cluster("b")].body)
    assert cluster.connect_timeout is not None
    assert cluster.connect_timeout.total_seconds() == 1
    assert cluster.load_assignment is not None
    [locality] = cluster.load_assignment.endpoints
    endpoint = locality.lb_endpoints[0].endpoint
    assert endpoint is not None
    assert endpoint.hostname == "127.0.0.1:9001"
    secret = Secret.parse(resources[SECRET][names.provider_secret("b")].body)
    assert secret.generic_secret is not None
    assert secret.generic_secret.secret is not None
    assert secret.generic_secret.secret.inline_string == "key-of-b"
    table = RouteConfiguration.parse(resources[ROUTES][names.route_table("default")].body)
    action = table.virtual_hosts[0].routes[0].route
    assert action is not None
    assert action.retry_policy is not None
    assert action.retry_policy.per_try_idle_timeout is not None
    assert action.retry_policy.per_try_idle_timeout.total_seconds() == 5


def test_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "from tests.xds_server.test_compile import compiled, CASES\n"
        "print(*(compiled(case).version for case in CASES))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}",
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {" ".join(compiled(case).version for case in CASES) + "\n"}


def test_only_its_address_changes_a_listener() -> None:
    listeners = [
        compiled(case).resources[LISTENER][names.listener("default")]
        for case in CASES
        if case
        not in (
            "routes-plain",
            "tokens",
            "envoy-rules",
            "envoys-limits",
            "external-authz",
            "logins",
            "a2a",  # what Envoy says there has a form of its own
            "a2a-instances",
            "mcp",
            "mcp-auth",
        )  # has no listener of that name; see below
    ]
    assert len({listener.version for listener in listeners}) == 1


def test_the_first_issuer_changes_listeners_and_the_others_do_not() -> None:
    gateway = golden_gateway("tokens")
    none, one, two = (
        dataclasses.replace(
            gateway,
            identity=dataclasses.replace(
                gateway.identity, issuers=gateway.identity.issuers[:count]
            ),
        )
        for count in range(3)
    )
    made = [compile_gateway(each, TOPOLOGY) for each in (none, one, two)]
    assert LISTENER in changed_types(made[0], made[1])
    assert changed_types(made[1], made[2]) == (FILTER,)


def test_a_budget_changes_clusters_and_routes_alone() -> None:
    gateway = golden_gateway("budgets")
    without = dataclasses.replace(gateway, budgets=())
    before, after = compile_gateway(without, TOPOLOGY), compile_gateway(gateway, TOPOLOGY)
    assert changed_types(before, after) == (CLUSTER, ROUTES)


def test_a_key_changes_its_secret_alone() -> None:
    gateway = golden_gateway("llm-failover-paths")
    first, *others = gateway.providers
    rotated = dataclasses.replace(
        first, credential=StaticKey("authorization", "Bearer ", "another")
    )
    before = compile_gateway(gateway, TOPOLOGY)
    changed = dataclasses.replace(gateway, providers=(rotated, *others))
    assert changed_types(before, compile_gateway(changed, TOPOLOGY)) == (SECRET,)


def test_a_rename_has_a_cluster_of_its_own() -> None:
    clusters = compiled("llm-failover-paths").resources[CLUSTER]
    assert sorted(clusters) == [
        names.EXTPROC_CLUSTER,
        names.UNPLANNED_CLUSTER,
        names.provider_cluster("a"),
        names.addressed_cluster("a"),
        names.websocket_cluster("a"),
        names.provider_cluster("b"),
        names.attempt_cluster("b", 2),
        names.addressed_cluster("b"),
        names.websocket_cluster("b"),
    ]
    assert "per_connection_buffer_limit_bytes" in to_json(clusters[names.attempt_cluster("b", 2)])


def test_headers_that_rules_read_are_forwarded() -> None:
    filters = compiled("keys-and-rules").resources[FILTER]
    config = to_json(filters[names.EXT_PROC_FILTER])["typed_config"]
    allowed = config["forward_rules"]["allowed_headers"]["patterns"]
    assert {"exact": "x-region"} in allowed


def test_what_choices_of_models_read_is_shown() -> None:
    filters = compiled("virtual-models").resources[FILTER]
    config = to_json(filters[names.EXT_PROC_FILTER])["typed_config"]
    allowed = config["forward_rules"]["allowed_headers"]["patterns"]
    assert {"exact": "x-tier"} in allowed  # of a condition
    assert {"exact": "x-session-id"} in allowed  # by which something sticks
    assert config["request_attributes"] == ["source.address"]


def test_a_rule_that_reads_any_header_sees_all() -> None:
    gateway = gateway_of(
        "gateways: {default: {port: 8080}}\n"
        "authorize: [{name: r, for: {llm: '*'},"
        " allow: 'request.headers.exists(name, name == principal.user)'}]\n"
    )
    filters = compile_gateway(gateway, TOPOLOGY).resources[FILTER]
    assert "forward_rules" not in to_json(filters[names.EXT_PROC_FILTER])["typed_config"]


def test_an_unchecked_rule_is_an_exception() -> None:
    gateway = golden_gateway("keys-and-rules")
    broken = dataclasses.replace(gateway.rules[0], expression="no such thing")
    with pytest.raises(ValueError, match="'staff' was not checked"):
        compile_gateway(dataclasses.replace(gateway, rules=(broken,)), TOPOLOGY)


def test_levels_differ_in_listeners_by_the_field_for_content_types_and_the_log_alone() -> None:
    for case in CASES:
        if case == "external-authz":
            continue  # see below
        old, new = (compiled(case, level).resources[LISTENER] for level in Level)
        assert list(old) == list(new)
        for name in old:
            listener = to_json(new[name])
            for chain in listener["filter_chains"]:
                if name != names.SERVICES:  # where no client comes
                    del chain["filters"][0]["typed_config"]["access_log"][0]
            newer = json.dumps(listener)
            for kind in ("application/json", "text/event-stream", "text/html", "text/plain"):
                matchers = f'{{"exact": "{kind}"}}, {{"prefix": "{kind};"}}'
                newer = newer.replace(matchers, f'"{kind}"')
            newer = newer.replace('"content_type_matcher"', '"content_type"')
            assert json.loads(newer) == to_json(old[name])


def test_older_listeners_answer_for_services_that_are_silent() -> None:
    old, new = (
        to_json(compiled("external-authz", level).resources[LISTENER][names.listener("default")])
        for level in Level
    )
    assert json.dumps(old).count('"status_code": 503') > json.dumps(new).count('"status_code": 503')


def test_each_service_that_is_added_changes_listeners_and_its_settings_do_not() -> None:
    gateway = golden_gateway("external-authz")
    first, second = gateway.external
    other = dataclasses.replace(second, timeout_seconds=9.0, headers=(), body=None)
    none, both, changed = (
        compile_gateway(dataclasses.replace(gateway, external=each, routes=(), llm=Llm()), TOPOLOGY)
        for each in ((), (first, second), (first, other))
    )
    versions = [
        each.resources[LISTENER][names.listener("default")].version
        for each in (none, both, changed)
    ]
    assert versions[0] != versions[1] == versions[2]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", Level)
def test_a_listener_asks_for_a_table_that_counts_on_no_filter_which_it_lacks(
    case: str, level: Level
) -> None:
    snapshot = compiled(case, level)
    listeners = [each for each in snapshot.of(LISTENER).values() if each.name != names.SERVICES]
    for each in listeners:
        [chain] = to_json(each)["filter_chains"]
        manager = chain["filters"][0]["typed_config"]
        table = to_json(snapshot.of(ROUTES)[manager["rds"]["route_config_name"]])
        assert (ROUTES, table["name"]) in each.needs
        counted_on = {
            name
            for host in table["virtual_hosts"]
            for part in (host, *host["routes"])
            for name in part.get("typed_per_filter_config", {})
        }
        of_clusters = {names.USAGE_FILTER}
        assert counted_on - of_clusters <= {one["name"] for one in manager["http_filters"]}
    assert len(listeners) == len(snapshot.of(ROUTES))


def test_filters_that_come_and_go_give_the_table_another_name_and_their_settings_do_not() -> None:
    gateway = golden_gateway("external-authz")
    first, second = gateway.external
    bare = dataclasses.replace(gateway, external=(), routes=(), llm=Llm())
    assert [*compile_gateway(bare, TOPOLOGY).of(ROUTES)] == ["gateway/default"]
    one, same, both, turned = (
        [*compile_gateway(dataclasses.replace(bare, external=each), TOPOLOGY).of(ROUTES)]
        for each in (
            (first,),
            (dataclasses.replace(first, timeout_seconds=9.0),),
            (first, second),
            (second, first),
        )
    )
    assert one == same != both == turned
    assert re.fullmatch("gateway/default#[0-9a-f]{8}", one[0])


def test_without_plans_in_envoy_each_order_of_providers_has_a_cluster() -> None:
    clusters = compiled("llm-failover-paths", Level.V1_37).resources[CLUSTER]
    assert sorted(clusters) == [
        names.EXTPROC_CLUSTER,
        names.provider_cluster("a"),
        names.addressed_cluster("a"),
        names.websocket_cluster("a"),
        names.provider_cluster("b"),
        names.addressed_cluster("b"),
        names.websocket_cluster("b"),
        names.plan_cluster(["a", "b"]),
        names.plan_cluster(["b", "a"]),  # when the first is set aside
    ]


def test_routes_to_equal_upstreams_share_a_cluster() -> None:
    gateway = golden_gateway("routes-plain")
    again = tuple(
        dataclasses.replace(route, name=f"{route.name}-again") for route in gateway.routes
    )
    doubled = dataclasses.replace(gateway, routes=(*gateway.routes, *again))
    one, two = compile_gateway(gateway, TOPOLOGY), compile_gateway(doubled, TOPOLOGY)
    assert changed_types(one, two) == (ROUTES,)


@each_level
def test_what_was_kept_does_not_show(level: Level) -> None:
    compiler = Compiler()
    for case in (*CASES, *reversed(CASES)):
        gateway = golden_gateway(case)
        assert compiler.compile(gateway, TOPOLOGY, level) == compiled(case, level)


@each_level
def test_what_was_kept_of_the_rest_does_not_show_when_one_thing_changes(level: Level) -> None:
    text = (GOLDEN / "routes-plain.yaml").read_text("utf-8")
    model = "llm: {providers: {a: {type: openai}}, models: {m: a/m}}\n"
    compiler = Compiler()
    for changed in (text, f"{text}{model}", text, text.replace("10s", "11s")):
        for head in ("", "admin: {address: '127.0.0.1:9'}\n"):
            gateway = gateway_of(f"{changed}{head}")
            limited = tuple(
                dataclasses.replace(each, max_request_bytes=each.max_request_bytes + len(head))
                for each in gateway.listeners
            )
            one = dataclasses.replace(gateway, listeners=limited)
            found = compiler.compile(one, TOPOLOGY, level)
            assert found == compile_gateway(one, TOPOLOGY, level)


def test_levels_and_topologies_are_not_taken_for_each_other() -> None:
    compiler, gateway = Compiler(), golden_gateway("tls-provider")
    elsewhere = dataclasses.replace(TOPOLOGY, ca_bundle="/elsewhere.pem")
    for topology in (TOPOLOGY, elsewhere, TOPOLOGY):
        for level in Level:
            found = compiler.compile(gateway, topology, level)
            assert found == compile_gateway(gateway, topology, level)


def test_without_plans_in_envoy_a_provider_that_stands_alone_is_always_addressed() -> None:
    clusters = compiled("llm-single", Level.V1_37).resources[CLUSTER]
    assert sorted(clusters) == [
        names.EXTPROC_CLUSTER,
        names.addressed_cluster("local"),
        names.websocket_cluster("local"),
    ]


def test_no_route_stands_behind_one_that_takes_all_of_its_paths() -> None:
    for case in CASES:
        (table, *_) = compiled(case).resources[ROUTES].values()
        for host in to_json(table)["virtual_hosts"]:
            taken: list[str] = []
            routes = [route for route in host["routes"] if route["name"].startswith("dragoman/llm")]
            for match in (route["match"] for route in routes):
                path = match.get("path", match.get("prefix", ""))
                assert not any(path.startswith(each) for each in taken), (case, path)
                if "prefix" in match and match.keys() == {"prefix"}:
                    taken.append(match["prefix"])
