"""One configuration for everybody: what cannot be compiled for somebody is no release."""

from __future__ import annotations

import envoy_api
import pytest

from gateway import names
from gateway.model import Gateway
from gateway.resolve import resolve
from tests.gateway.config.loading import loaded
from xds_server.audience import Audience, Kind, Level
from xds_server.compile import BrokenSnapshot, compile_gateway
from xds_server.offers import EVERYBODY, EnvoyOffer
from xds_server.release import Release, compiled_release, configuration
from xds_server.resources.topology import Topology
from xds_server.snapshot import Snapshot, snapshot_of


def test_a_configuration_is_one_resource_for_workers() -> None:
    snapshot = configuration("v7", "llm: {}\n")
    resource = snapshot.resources[names.CONFIGURATION_TYPE][names.CONFIGURATION_NAME]
    message = envoy_api.message("dragoman.v1.Configuration").FromString(resource.body)
    assert (message.version, message.yaml) == ("v7", "llm: {}\n")


def test_equal_configurations_are_equal_snapshots() -> None:
    assert configuration("v7", "llm: {}\n") == configuration("v7", "llm: {}\n")
    assert configuration("v7", "llm: {}\n") != configuration("v8", "llm: {}\n")


def only_new(_: Gateway, *, level: Level) -> Snapshot:
    if level is Level.V1_37:
        raise BrokenSnapshot("too old")
    return snapshot_of(())


def test_everything_is_compiled_before_anybody_is_told() -> None:
    config = loaded("gateways: {default: {port: 1001}}")
    gateway = resolve(config)
    old = Audience(Kind.ENVOY, level=Level.V1_37)
    with pytest.raises(BrokenSnapshot, match="too old"):
        compiled_release(config, gateway, EnvoyOffer(gateway, only_new), [old])
    release = compiled_release(config, gateway, EnvoyOffer(gateway, only_new), [EVERYBODY])
    assert release.snapshot is release.envoys.snapshot(EVERYBODY)


BASE = """
gateways: {default: {port: 1001}}
llm: {providers: {a: {type: openai, key: one}}, models: {m: a/m}}
routes: [{name: r, backend: "http://b"}]
xds: {clients: [{name: c, nodes: ["*.example"], token: t}]}
"""


def released(text: str, *workers: str) -> Release:
    config = loaded(text)
    gateway = resolve(config)

    def compiled(one: Gateway, *, level: Level) -> Snapshot:
        return compile_gateway(one, Topology(workers or ("127.0.0.1:1",)), level)

    return compiled_release(config, gateway, EnvoyOffer(gateway, compiled), ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 1001", "port: 1002"),
        ("key: one", "key: other"),
        ('backend: "http://b"', 'backend: "http://b", timeout: 5s'),
        ("*.example", "*.test"),
        ("xds: {", "xds: {history: 3, "),
        ("xds: {", "xds: {groups: {g: {match: {id: a}}}, "),
    ],
)
def test_a_release_is_named_after_all_that_is_meant(old: str, new: str) -> None:
    """Also after what workers need not know, which changes nothing for them."""
    first, second = released(BASE), released(BASE.replace(old, new))
    assert first.version != second.version
    assert first.workers_version == second.workers_version
    assert first.workers.snapshot(EVERYBODY) == second.workers.snapshot(EVERYBODY)


def test_what_workers_are_told_has_a_version_of_its_own() -> None:
    first, second = (
        released(BASE),
        released(f"{BASE}budgets: [{{name: b, limit: 5 tokens, per: day}}]"),
    )
    assert first.version != second.version
    assert first.workers_version != second.workers_version


def test_a_release_has_the_same_name_wherever_our_workers_are() -> None:
    assert released(BASE).version == released(f"# a comment\n{BASE}", "unix:/run/w.sock").version
