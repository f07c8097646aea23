"""A listener is a skeleton: all that changes comes from elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import names
from gateway.model import Listener, ServerTls
from gateway.resolve import resolve
from tests.gateway.config.loading import loaded
from tests.kit.certificates import Authority
from xds_server.audience import Level
from xds_server.compile import compile_gateway
from xds_server.render import static_bootstrap, to_json
from xds_server.resources import listeners
from xds_server.resources.extension import Json
from xds_server.resources.features import FEATURES, Features
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, FILTER, ROUTES, SECRET

NEW = FEATURES[Level.V1_40]
LISTENER = Listener("default", "0.0.0.0", 8080, 1 << 20)

TLS = replace(LISTENER, tls=ServerTls("cert", "key"))
MUTUAL = replace(LISTENER, tls=ServerTls("cert", "key", "ca"))


def http(listener: Listener = LISTENER, features: Features = NEW) -> Json:
    [chain] = to_json(listeners.listener(listener, features))["filter_chains"]
    return dict(chain["filters"][0]["typed_config"])


def test_it_needs_its_table_and_the_discovered_filters() -> None:
    assert set(listeners.listener(LISTENER, NEW).needs) == {
        (ROUTES, names.route_table("default")),
        (FILTER, names.EXT_PROC_FILTER),
        (CLUSTER, names.EXTPROC_CLUSTER),
    }


def test_streams_that_pass_unseen_are_logged_only_where_they_do() -> None:
    assert logs(http()) == ["dragoman.streams", "dragoman.refusals"]
    assert logs(http(LISTENER, FEATURES[Level.V1_37])) == ["dragoman.refusals"]


def logs(manager: Json) -> list[str]:
    """The access logs that extproc is told."""
    configs = [each["typed_config"]["common_config"] for each in manager["access_log"]]
    for config in configs:
        service = config["grpc_service"]["envoy_grpc"]
        assert service["cluster_name"] == names.EXTPROC_CLUSTER
    return [config["log_name"] for config in configs]


def test_the_limit_of_bodies_is_not_in_it() -> None:
    larger = Listener("default", "0.0.0.0", 8080, 1 << 30)
    assert listeners.listener(larger, NEW).version == listeners.listener(LISTENER, NEW).version


def test_clients_are_not_believed() -> None:
    assert http()["use_remote_address"] is True
    [nobody] = http()["internal_address_config"]["cidr_ranges"]
    assert nobody == {"address_prefix": "255.255.255.255", "prefix_len": 32}


def test_a_path_has_one_spelling() -> None:
    assert http()["normalize_path"] is True
    assert http()["merge_slashes"] is True
    assert http()["path_with_escaped_slashes_action"] == "UNESCAPE_AND_FORWARD"


def socket(listener: Listener) -> Json:
    [chain] = to_json(listeners.listener(listener, NEW))["filter_chains"]
    return dict(chain["transport_socket"]["typed_config"])


def test_certificates_come_by_sds() -> None:
    made = listeners.listener(TLS, NEW)
    assert (SECRET, names.gateway_certificate("default")) in made.needs
    context = socket(TLS)["common_tls_context"]
    [secret] = context["tls_certificate_sds_secret_configs"]
    assert secret["name"] == names.gateway_certificate("default")
    assert "ads" in secret["sds_config"]
    assert context["alpn_protocols"] == ["h2", "http/1.1"]
    assert "require_client_certificate" not in socket(TLS)


def test_a_renewed_certificate_changes_no_listener() -> None:
    renewed = replace(LISTENER, tls=ServerTls("new cert", "new key"))
    assert listeners.listener(renewed, NEW) == listeners.listener(TLS, NEW)
    assert listeners.listener(TLS, NEW).version != listeners.listener(LISTENER, NEW).version


def test_mutual_tls_demands_a_certificate() -> None:
    assert (SECRET, names.gateway_client_ca("default")) in listeners.listener(MUTUAL, NEW).needs
    assert socket(MUTUAL)["require_client_certificate"] is True
    asked = socket(MUTUAL)["common_tls_context"]["validation_context_sds_secret_config"]
    assert asked["name"] == names.gateway_client_ca("default")


def test_connections_are_logged_only_where_certificates_are_asked_for() -> None:
    logged = {
        each.name: to_json(listeners.listener(each, NEW)).get("access_log", [])
        for each in (LISTENER, replace(MUTUAL, name="mutual"))
    }
    assert logged["default"] == []
    (log,) = logged["mutual"]
    assert log["typed_config"]["common_config"]["log_name"] == "dragoman.handshakes"


def test_a_certificate_may_be_asked_for_and_not_demanded() -> None:
    assert MUTUAL.tls is not None
    optional = replace(MUTUAL, tls=replace(MUTUAL.tls, is_client_required=False))
    assert socket(optional)["require_client_certificate"] is False
    assert "validation_context_sds_secret_config" in socket(optional)["common_tls_context"]


@pytest.mark.envoy
def test_envoy_accepts_a_gateway_with_mutual_tls(tmp_path: Path) -> None:
    authority = Authority()
    secured = replace(LISTENER, tls=ServerTls(*authority.server(), authority.pem))
    gateway = replace(resolve(loaded("routes: []")), listeners=(secured,))
    snapshot = compile_gateway(gateway, Topology(workers=("127.0.0.1:1",)))
    path = tmp_path / "bootstrap.json"
    path.write_text(json.dumps(static_bootstrap(snapshot)))
    envoy = Path(sys.executable).parent / "envoy"
    command = [envoy, "--mode", "validate", "-c", path, "--disable-hot-restart"]
    done = subprocess.run(
        [*command, "--log-level", "warning"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_what_clients_say_in_headers_of_ours_is_not_heard() -> None:
    [early] = http()["early_header_mutation_extensions"]
    [mutation] = early["typed_config"]["mutations"]
    assert mutation == {"remove_on_match": {"key_matcher": {"prefix": "x-dragoman-"}}}
