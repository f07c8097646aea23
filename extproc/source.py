"""A worker's configuration from a file, and how any configuration is built.

One that cannot be built is refused, and the last one stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from gateway.config.files import Watched
from gateway.config.published import published
from gateway.config.schema import Config
from gateway.config.settling import Settling, look
from gateway.config.sources import Loader
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve

logger = logging.getLogger(__name__)

Built = TypeVar("Built")
Build: TypeAlias = Callable[[Gateway, str], Built]
"""Compiles a gateway for requests; the text is its version."""
OnProgram: TypeAlias = Callable[[Built], None]

SHOWN_PROBLEMS = 5


class ConfigurationRefused(ValueError):
    """There is a configuration, but it cannot be used."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        rest = len(problems) - SHOWN_PROBLEMS
        shown = [str(problem) for problem in problems[:SHOWN_PROBLEMS]]
        super().__init__("; ".join(shown + ([f"and {rest} more"] if rest > 0 else [])))
        self.problems = problems


class FileSource(Generic[Built]):
    """Reads a configuration, of one file or of several, and again whenever one is saved.

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
        self._loader = Loader(path, environment)
        self._read_last: Watched = {}
        self._build = build
        self._interval_seconds = interval_seconds

    async def run(self, on_program: OnProgram[Built]) -> None:
        """Raises `ConfigurationRefused` when the file is wrong at the start."""
        on_program(await self._read())
        settling = Settling(self._read_last)
        while True:
            await asyncio.sleep(self._interval_seconds)
            if settling.is_settled(self._read_last, look(self._read_last)):
                try:
                    on_program(await self._read())
                except ConfigurationRefused as refusal:
                    logger.error("the configuration stays as it was: %s", refusal)

    async def _read(self) -> Built:
        loaded = await asyncio.to_thread(self._loader.load)
        self._read_last = loaded.watched
        config = loaded.problems if loaded.config is None else loaded.config
        return await built(config, _version(config), self._build)


async def built(config: Config | tuple[Problem, ...], version: str, build: Build[Built]) -> Built:
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
