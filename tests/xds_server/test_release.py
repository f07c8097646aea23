"""One configuration for everybody: what cannot be compiled for somebody is no release."""

from __future__ import annotations

import envoy_api
import pytest

from gateway import names
from gateway.model import Gateway
from tests.kit.gateways import gateway_of
from xds_server.audience import Audience, Kind, Level
from xds_server.compile import BrokenSnapshot
from xds_server.offers import EVERYBODY, EnvoyOffer
from xds_server.release import compiled_release, configuration
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
    gateway = gateway_of("gateways: {default: {port: 1001}}")
    old = Audience(Kind.ENVOY, level=Level.V1_37)
    with pytest.raises(BrokenSnapshot, match="too old"):
        compiled_release("{}", gateway, EnvoyOffer(gateway, only_new), [old])
    release = compiled_release("{}", gateway, EnvoyOffer(gateway, only_new), [EVERYBODY])
    assert release.snapshot is release.envoys.snapshot(EVERYBODY)


def test_a_release_is_named_after_what_workers_get() -> None:
    gateway = gateway_of("gateways: {default: {port: 1001}}")
    versions = {
        compiled_release(yaml, gateway, EnvoyOffer(gateway, only_new), ()).version
        for yaml in ("a: 1", "a: 1", "a: 2")
    }
    assert len(versions) == 2
