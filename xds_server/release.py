"""One configuration, compiled for everybody who is told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass

import envoy_api

from gateway import names
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.model import Gateway
from xds_server.audience import Audience
from xds_server.offers import EVERYBODY, EnvoyOffer, WorkerOffer
from xds_server.snapshot import CLUSTER, Snapshot, all_resources, resource_of, snapshot_of


@dataclass(frozen=True, slots=True)
class Release:
    """One configuration, compiled for both kinds of clients."""

    version: str
    """Hash of all that is meant."""
    config: Config
    gateway: Gateway
    workers_version: str
    """Hash of what workers are told, which may be the same in many releases."""
    workers: WorkerOffer
    envoys: EnvoyOffer

    @property
    def snapshot(self) -> Snapshot:
        """What an Envoy gets that has everything; for people to read."""
        return self.envoys.snapshot(EVERYBODY)


def compiled_release(
    config: Config,
    gateway: Gateway,
    envoys: EnvoyOffer,
    audiences: Iterable[Audience],
) -> Release:
    """Compiles for these audiences and for `EVERYBODY`, so that what cannot be compiled shows."""
    for audience in (EVERYBODY, *audiences):
        envoys.snapshot(audience)
    yaml = for_workers(config)
    version = version_of(yaml, gateway, envoys.snapshot(EVERYBODY))
    told = workers_version(yaml)
    workers = WorkerOffer(configuration(told, yaml), gateway.xds)
    return Release(version, config, gateway, told, workers, envoys)


def version_of(yaml: str, gateway: Gateway, snapshot: Snapshot) -> str:
    """Of what workers and Envoys are told, and of who is told what; the same on every machine and
    after every start, so not of where our own workers are."""
    ours = (CLUSTER, names.EXTPROC_CLUSTER)
    resources = [
        (each.type_url, each.name, each.version)
        for each in all_resources(snapshot)
        if (each.type_url, each.name) != ours
    ]
    return _digest(repr((yaml, resources, astuple(gateway.xds), astuple(gateway.admin))))


def workers_version(yaml: str) -> str:
    """Of what workers are told alone."""
    return _digest(yaml)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def configuration(version: str, yaml: str) -> Snapshot:
    """What workers subscribe to."""
    message = envoy_api.message("dragoman.v1.Configuration")(version=version, yaml=yaml)
    body = message.SerializeToString(deterministic=True)
    return snapshot_of((resource_of(names.CONFIGURATION_NAME, names.CONFIGURATION_TYPE, body),))
