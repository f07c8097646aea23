"""Resources that operators wrote are Envoy's, or a Problem at the field that is not."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from gateway import names
from gateway.model import RawResource
from gateway.problem import Problem
from gateway.resolve import resolve
from tests.gateway.config.loading import loaded
from tests.gateway.config.writing import config_of
from xds_server.render import to_json
from xds_server.resources.raw import BrokenResource, raw_problems, raw_resource
from xds_server.snapshot import CLUSTER

TYPE = CLUSTER
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
EXAMPLE = Path(__file__).parents[3] / "examples/xds-groups.yaml"


def written(text: str) -> RawResource:
    config = loaded(f"xds:\n  resources:\n{indent(dedent(text), '  ')}")
    (raw,) = resolve(config).xds.resources
    return raw


def complaints(text: str) -> list[str]:
    config = loaded(f"xds:\n  resources:\n{indent(dedent(text), '  ')}")
    return [str(each) for each in raw_problems(config)]


def test_a_resource_is_what_was_written() -> None:
    made = raw_resource(
        written(
            f"""
            - "@type": {TYPE}
              name: c
              ttl: 5s
              type: STRICT_DNS
              connect_timeout: 1s
              loadAssignment: {{cluster_name: c}}
            """
        )
    )
    assert (made.type_url, made.name, made.ttl_seconds) == (CLUSTER, "c", 5.0)
    assert to_json(made) == {
        "name": "c",
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "c"},
    }


def test_equal_resources_have_equal_versions_however_they_are_spelled() -> None:
    one = written(f"- {{'@type': {TYPE}, name: c, connect_timeout: 1s, lb_policy: RANDOM}}")
    other = written(f"- {{'@type': {TYPE}, lbPolicy: 3, connectTimeout: 1.000s, name: c}}")
    assert raw_resource(one).version == raw_resource(other).version


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ("lb_polic: RANDOM", "lb_polic: unknown key 'lb_polic' (did you mean 'lb_policy'?)"),
        (
            "lb_policy: SOME",
            "lb_policy: Invalid enum value SOME for enum type"
            " envoy.config.cluster.v3.Cluster.LbPolicy",
        ),
        (
            "load_assignment: {cluster_name: c, endpoints: [{}, {lb_endpoints: [{endpont: {}}]}]}",
            "load_assignment.endpoints.1.lb_endpoints.0.endpont: unknown key 'endpont'"
            " (did you mean 'endpoint'?)",
        ),
        ("connect_timeout: 5x", 'connect_timeout: Duration must end with letter "s": 5x'),
        (
            "transport_socket: {name: a, typed_config: {'@type': type.googleapis.com/nope.X}}",
            "transport_socket.typed_config: Can not find message descriptor by type_url:"
            " type.googleapis.com/nope.X",
        ),
        (
            "transport_socket: {name: a, typed_config: {a: 1}}",
            "transport_socket.typed_config: @type is missing when parsing any message",
        ),
        ("health_checks: 3", "health_checks: must be a list"),
    ],
)
def test_what_envoys_api_does_not_have_is_a_problem_at_its_field(
    fields: str, complaint: str
) -> None:
    (found,) = complaints(f"- '@type': {TYPE}\n  name: c\n  {fields}\n")
    assert found == f"test.yaml:5: xds.resources.0.{complaint}"


def test_a_type_that_does_not_exist_is_guessed() -> None:
    (found,) = complaints("- {'@type': envoy.config.cluster.v3.Clutser, name: c}")
    assert found.startswith(
        "test.yaml:3: xds.resources.0.@type: Envoy's API has no message"
        " 'envoy.config.cluster.v3.Clutser' (did you mean 'envoy.config.cluster.v3.Cluster'?)"
    )


def test_a_name_that_the_message_does_not_have_is_told() -> None:
    text = "- {'@type': envoy.config.endpoint.v3.ClusterLoadAssignment, name: c}"
    assert "unknown key 'name'" in complaints(text)[0]


def test_every_problem_of_every_group_is_reported() -> None:
    config = loaded(
        f"""
        xds:
          resources: [{{"@type": {TYPE}, name: a, x: 1}}, {{"@type": {TYPE}, name: b}}]
          groups:
            g.1:
              resources:
              - {{"@type": {TYPE}, name: c}}
              - {{"@type": {TYPE}, name: d, y: 1}}
        """
    )
    found = raw_problems(config)
    assert [(each.line, each.path) for each in found] == [
        (3, "xds.resources.0.x"),
        (8, "xds.groups.g.1.resources.1.y"),
    ]


def test_the_resources_of_the_example_are_envoys() -> None:
    config = config_of(EXAMPLE)
    group = resolve(config).xds.groups[-1]
    assert raw_problems(config) == ()
    assert [raw_resource(each).name for each in group.resources] == ["orders"] * 4


def test_values_of_secrets_are_not_told() -> None:
    text = (
        "- '@type': envoy.extensions.transport_sockets.tls.v3.Secret\n"
        "  name: s\n"
        "  generic_secret: {secret: hunter2}\n"
    )
    (found,) = complaints(text)
    assert "hunter2" not in found
    with pytest.raises(BrokenResource) as raised:
        raw_resource(written(text))
    assert "hunter2" not in str(raised.value)


def asking_for(table: str, identity: str) -> list[Problem]:
    """Of a listener of one's own that serves routes of a gateway."""
    text = f"""
        gateways: {{default: {{port: 8080}}}}
        routes: [{{name: a, backend: "http://127.0.0.1:9"}}]
        {identity}
        xds:
          resources:
            - "@type": type.googleapis.com/envoy.config.listener.v3.Listener
              name: own
              api_listener:
                api_listener:
                  "@type": type.googleapis.com/{MANAGER}
                  stat_prefix: own
                  rds: {{route_config_name: "{table}", config_source: {{ads: {{}}}}}}
    """
    return list(raw_problems(loaded(text)))


def test_a_listener_asks_for_the_routes_of_a_gateway_by_the_name_that_they_have() -> None:
    services = 'external_authz: {one: {http: "http://127.0.0.1:9"}}'
    added = [names.external_filter("one"), names.EXTERNAL_TOLD_FILTER]
    with_filters = names.route_table("default", added)
    assert asking_for("gateway/default", "") == []
    assert asking_for("gateway/elsewhere", services) == []
    assert asking_for(with_filters, services) == []
    (found,) = asking_for("gateway/default", services)
    assert found.path.endswith("rds.route_config_name")
    assert found.line is not None
    assert found.hint == f"here they are called {with_filters!r}"
    (found,) = asking_for(with_filters, "")
    assert found.hint == "here they are called 'gateway/default'"
