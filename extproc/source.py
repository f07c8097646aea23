"""Where a worker's configuration comes from: the control plane, or a file.

Each configuration is loaded, resolved and built; then it takes the place of the last one and is
acknowledged. One that cannot be built is rejected, and the last one stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import envoy_api
import grpc

from gateway import names
from gateway.config.load import load, load_file
from gateway.config.published import published
from gateway.config.schema import Config
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve

logger = logging.getLogger(__name__)

Built = TypeVar("Built")
Build: TypeAlias = Callable[[Gateway, str], Built]
"""Compiles a gateway for requests; the text is its version."""
OnProgram: TypeAlias = Callable[[Built], None]

DELTA_ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel connects at once: the waiting is ours
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)
SHOWN_PROBLEMS = 5
_INVALID_ARGUMENT = 3


class ConfigurationRefused(ValueError):
    """There is a configuration, but it cannot be used."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        rest = len(problems) - SHOWN_PROBLEMS
        shown = [str(problem) for problem in problems[:SHOWN_PROBLEMS]]
        super().__init__("; ".join(shown + ([f"and {rest} more"] if rest > 0 else [])))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after failures in a row: twice as long each time, up to the last."""

    first_seconds: float
    last_seconds: float

    def after(self, failures: int, chance: float) -> float:
        """`chance` in [0, 1) spreads the workers of a machine over half of the time."""
        longest = min(self.last_seconds, self.first_seconds * 2.0 ** min(failures - 1, 32))
        return longest * (1 - chance / 2)


BACKOFF = Backoff(first_seconds=0.1, last_seconds=1.0)
"""Back soon: for 5 s the control plane holds a change back from Envoy until every worker has it."""


def channel_target(address: str) -> str:
    """`unix:PATH` or `HOST:PORT`, for gRPC: else a host of the name `xds` would be a scheme."""
    return address if address.startswith("unix:") else f"dns:///{address}"


class XdsSource(Generic[Built]):
    """Subscribes to `dragoman.v1.Configuration` at a control plane, by delta ADS.

    While there is no control plane, what was built last keeps serving.
    """

    def __init__(
        self, target: str, node_id: str, build: Build[Built], *, backoff: Backoff = BACKOFF
    ) -> None:
        self._target = target
        self._node_id = node_id
        self._build = build
        self._backoff = backoff
        self._held: dict[str, str] = {}
        """Resource name → version, of what serves now."""
        self._failures = 0

    async def run(self, on_program: OnProgram[Built]) -> None:
        """Follow the control plane for ever, over as many streams as it takes."""
        while True:
            try:
                await self._follow(on_program)
                reason = "the control plane ended the stream"
            except grpc.aio.AioRpcError as error:
                reason = f"{error.code().name.lower()}: {error.details()}"
            except asyncio.InvalidStateError:  # what writing to an ended stream raises
                reason = "the stream broke"
            self._failures += 1
            if self._failures == 1:
                logger.warning("no control plane at %s (%s): retrying", self._target, reason)
            await asyncio.sleep(self._backoff.after(self._failures, random.random()))

    async def _follow(self, on_program: OnProgram[Built]) -> None:
        target = channel_target(self._target)
        async with grpc.aio.insecure_channel(target, options=OPTIONS) as channel:
            method = channel.stream_stream(
                DELTA_ADS,
                request_serializer=_message("DeltaDiscoveryRequest").SerializeToString,
                response_deserializer=_message("DeltaDiscoveryResponse").FromString,
            )
            call = method()
            await call.write(self._hello())
            while (response := await call.read()) is not grpc.aio.EOF:
                self._failures = 0
                await call.write(await self._answer(response, on_program))

    def _hello(self) -> Any:
        return _request(
            node={
                "id": self._node_id,
                "user_agent_name": "dragoman-extproc",
                "user_agent_version": importlib.metadata.version("dragoman"),
            },
            resource_names_subscribe=[names.CONFIGURATION_NAME],
            initial_resource_versions=self._held,
        )

    async def _answer(self, response: Any, on_program: OnProgram[Built]) -> Any:
        try:
            for resource in response.resources:
                await self._take(resource, on_program)
        except ConfigurationRefused as refusal:
            return _request(
                response_nonce=response.nonce,
                error_detail={"code": _INVALID_ARGUMENT, "message": str(refusal)},
            )
        return _request(response_nonce=response.nonce)

    async def _take(self, resource: Any, on_program: OnProgram[Built]) -> None:
        if self._held.get(resource.name) == resource.version:
            return
        sent = envoy_api.message("dragoman.v1.Configuration").FromString(resource.resource.value)
        config = load(sent.yaml, file=f"configuration {sent.version}", environment={})
        on_program(await _built(config, sent.version, self._build))
        self._held = {resource.name: resource.version}


class FileSource(Generic[Built]):
    """Reads a configuration file, and reads it again whenever it is saved.

    At the start the file must be right; later mistakes are logged, and the last program stays.
    """

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, str],
        build: Build[Built],
        *,
        interval_seconds: float = 0.2,
    ) -> None:
        self._path = path
        self._environment = environment
        self._build = build
        self._interval_seconds = interval_seconds

    async def run(self, on_program: OnProgram[Built]) -> None:
        """Raises `ConfigurationRefused` when the file is wrong at the start."""
        handled = seen = _stamp(self._path)
        on_program(await self._read())
        while True:
            await asyncio.sleep(self._interval_seconds)
            last, seen = seen, _stamp(self._path)
            if seen == last and seen != handled:  # it has rested: nobody is writing it
                handled = seen
                try:
                    on_program(await self._read())
                except ConfigurationRefused as refusal:
                    logger.error("the configuration stays as it was: %s", refusal)

    async def _read(self) -> Built:
        config = load_file(self._path, self._environment)
        return await _built(config, _version(config), self._build)


async def _built(config: Config | tuple[Problem, ...], version: str, build: Build[Built]) -> Built:
    """Built in a thread, so that requests are answered meanwhile."""
    if isinstance(config, tuple):
        raise ConfigurationRefused(config)
    try:
        return await asyncio.to_thread(lambda: build(resolve(config), version))
    except Exception as error:  # a mistake of ours must not take down what serves now
        logger.exception("configuration %s cannot be built", version)
        raise ConfigurationRefused((Problem("", f"cannot be built: {error}"),)) from error


def _version(config: Config | tuple[Problem, ...]) -> str:
    if isinstance(config, tuple):
        return ""
    return hashlib.blake2b(published(config).encode(), digest_size=8).hexdigest()


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when the file is written, renamed over, or led to by another link."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _request(**fields: Any) -> Any:
    return _message("DeltaDiscoveryRequest")(type_url=names.CONFIGURATION_TYPE, **fields)


def _message(name: str) -> Any:
    return envoy_api.message(f"envoy.service.discovery.v3.{name}")
