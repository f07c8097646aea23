"""One configuration, compiled for everybody who is told of it."""

from __future__ import annotations

from dataclasses import dataclass

import envoy_api

from gateway import names
from gateway.model import Gateway
from xds_server.snapshot import Snapshot, resource_of, snapshot_of


@dataclass(frozen=True, slots=True)
class Release:
    """One configuration, compiled for both kinds of clients."""

    version: str
    """Hash of `yaml`."""
    yaml: str
    """What the workers get: complete, and without secrets."""
    gateway: Gateway
    configuration: Snapshot
    """For workers."""
    snapshot: Snapshot
    """For Envoys."""


def configuration(version: str, yaml: str) -> Snapshot:
    """What workers subscribe to."""
    message = envoy_api.message("dragoman.v1.Configuration")(version=version, yaml=yaml)
    body = message.SerializeToString(deterministic=True)
    return snapshot_of((resource_of(names.CONFIGURATION_NAME, names.CONFIGURATION_TYPE, body),))
