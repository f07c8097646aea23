"""A worker's configuration from a management server: ours, or any that speaks xDS.

It subscribes to `dragoman.v1.Configuration` over ADS. Each configuration is built, takes the place
of the last one, and is acknowledged; one that cannot be built is rejected, and the last one stays.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import random
from dataclasses import dataclass
from typing import Any, Generic

import envoy_api
import grpc
from envoy_api.dial import BadCredential, Server, follow
from envoy_api.discovery import Variant
from envoy_api.subscriber import Garbage, Subscriber

from extproc.source import Build, Built, ConfigurationRefused, OnProgram, built
from gateway import names
from gateway.config.load import load

logger = logging.getLogger(__name__)


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


class XdsSource(Generic[Built]):
    """Follows a management server. While there is none, what was built last keeps serving."""

    def __init__(
        self,
        server: Server,
        node_id: str,
        build: Build[Built],
        *,
        variant: Variant | None = None,
        backoff: Backoff = BACKOFF,
        agent: str = names.WORKER_AGENT,
    ) -> None:
        """No variant: delta, and State of the World when the server does not speak that."""
        self._server = server
        self._is_variant_open = variant is None
        self._build = build
        self._backoff = backoff
        self._failures = 0
        self._subscriber = Subscriber(
            variant or Variant.DELTA,
            names.CONFIGURATION_TYPE,
            (names.CONFIGURATION_NAME,),
            _node(node_id, agent),
        )

    async def run(self, on_program: OnProgram[Built]) -> None:
        """Follow the server for ever, over as many streams as it takes."""

        async def answer(response: Any) -> Any:
            self._failures = 0
            return await self._answer(response, on_program)

        while True:
            try:
                await follow(self._server, self._subscriber, answer)
                reason = "the control plane ended the stream"
            except grpc.aio.AioRpcError as error:
                reason = f"{error.code().name.lower()}: {error.details()}"
                self._reconsider(error.code())
            except asyncio.InvalidStateError:  # what writing to an ended stream raises
                reason = "the stream broke"
            except BadCredential as error:
                reason = str(error)
            self._failures += 1
            if self._failures == 1:
                address = self._server.address
                logger.warning("no control plane at %s (%s): retrying", address, reason)
            await asyncio.sleep(self._backoff.after(self._failures, random.random()))

    def _reconsider(self, code: grpc.StatusCode) -> None:
        if self._is_variant_open and code is grpc.StatusCode.UNIMPLEMENTED:
            is_delta = self._subscriber.variant is Variant.DELTA
            self._subscriber.speak(Variant.SOTW if is_delta else Variant.DELTA)

    async def _answer(self, response: Any, on_program: OnProgram[Built]) -> Any:
        try:
            news = self._subscriber.news(response)
            for item in news.updated:
                if item.name == names.CONFIGURATION_NAME:
                    on_program(await self._program(item.body))
                    logger.info("a configuration of %s is in force", self._server.address)
        except (ConfigurationRefused, Garbage) as refusal:
            logger.error("the configuration stays as it was: %s", refusal)
            return self._subscriber.reject(response, str(refusal))
        if news.removed:
            outcome = "what there was stays in force" if self._subscriber.held else "waiting"
            logger.warning("%s has no configuration: %s", self._server.address, outcome)
        return self._subscriber.accept(response, news)

    async def _program(self, body: bytes) -> Built:
        message = envoy_api.message("dragoman.v1.Configuration")
        try:
            sent = message.FromString(body)
        except ValueError as error:  # protobuf's DecodeError
            raise Garbage("a dragoman.v1.Configuration that cannot be decoded") from error
        config = load(sent.yaml, file=f"configuration {sent.version}", environment={})
        return await built(config, sent.version, self._build)


def _node(node_id: str, agent: str) -> Any:
    return envoy_api.message("envoy.config.core.v3.Node")(
        id=node_id,
        user_agent_name=agent,
        user_agent_version=importlib.metadata.version("dragoman"),
    )
