"""One configuration, compiled for everybody who is told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import envoy_api

from gateway import names
from gateway.model import Gateway
from xds_server.audience import Audience
from xds_server.offers import EVERYBODY, EnvoyOffer, WorkerOffer
from xds_server.snapshot import Snapshot, resource_of, snapshot_of


@dataclass(frozen=True, slots=True)
class Release:
    """One configuration, compiled for both kinds of clients."""

    version: str
    """Hash of `yaml`."""
    yaml: str
    """What the workers get: complete, and without secrets."""
    gateway: Gateway
    workers: WorkerOffer
    envoys: EnvoyOffer

    @property
    def snapshot(self) -> Snapshot:
        """What an Envoy gets that has everything; for people to read."""
        return self.envoys.snapshot(EVERYBODY)


def compiled_release(
    yaml: str,
    gateway: Gateway,
    envoys: EnvoyOffer,
    audiences: Iterable[Audience],
) -> Release:
    """Compiles for these audiences and for `EVERYBODY`, so that what cannot be compiled shows."""
    for audience in (EVERYBODY, *audiences):
        envoys.snapshot(audience)
    version = hashlib.blake2b(yaml.encode(), digest_size=8).hexdigest()
    workers = WorkerOffer(configuration(version, yaml), gateway.xds)
    return Release(version, yaml, gateway, workers, envoys)


def configuration(version: str, yaml: str) -> Snapshot:
    """What workers subscribe to."""
    message = envoy_api.message("dragoman.v1.Configuration")(version=version, yaml=yaml)
    body = message.SerializeToString(deterministic=True)
    return snapshot_of((resource_of(names.CONFIGURATION_NAME, names.CONFIGURATION_TYPE, body),))
