"""What workers subscribe to."""

from __future__ import annotations

import envoy_api

from gateway import names
from xds_server.release import configuration


def test_a_configuration_is_one_resource_for_workers() -> None:
    snapshot = configuration("v7", "llm: {}\n")
    resource = snapshot.resources[names.CONFIGURATION_TYPE][names.CONFIGURATION_NAME]
    message = envoy_api.message("dragoman.v1.Configuration").FromString(resource.body)
    assert (message.version, message.yaml) == ("v7", "llm: {}\n")


def test_equal_configurations_are_equal_snapshots() -> None:
    assert configuration("v7", "llm: {}\n") == configuration("v7", "llm: {}\n")
    assert configuration("v7", "llm: {}\n") != configuration("v8", "llm: {}\n")
