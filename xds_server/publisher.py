"""The whole story of a change: files → load → resolve → compile → release → everybody.

What is wrong changes nothing; `rollout` brings what is right to workers and Envoys. What they took
is remembered, and can be gone back to: it is then in force until the files say something else.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from gateway import names
from gateway.config.fetched import Documents, NotFetched, Wanted
from gateway.config.files import Disk, Remembered, Watched
from gateway.config.finding import dotted
from gateway.config.schema import Config
from gateway.config.sources import Convert, Loaded, Loader
from gateway.model import Gateway, Xds
from gateway.problem import Problem
from xds_server.audience import Kind
from xds_server.clients import Clients
from xds_server.compile import BrokenSnapshot
from xds_server.deeds import Deeds
from xds_server.history import Entry, History, Origin, Pin, Sources
from xds_server.moves import Without, closed_between
from xds_server.offers import Compile, EnvoyOffer
from xds_server.refusals import mentions
from xds_server.release import Release, compiled_release
from xds_server.resources.raw import raw_problems
from xds_server.rollout import Rollout
from xds_server.snapshot import DuplicateResource, short_type

logger = logging.getLogger(__name__)

Made = TypeVar("Made")

Secure: TypeAlias = Callable[[Xds], Awaitable[tuple[Problem, ...]]]
"""Shows and asks for other certificates where clients connect, before anything else is offered."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where the configuration is, and what it may draw on."""

    path: Path
    """A file or a folder."""
    environment: Mapping[str, str]
    convert: Convert | None = None
    """Makes ours of other gateways' files."""
    documents: Documents = field(default_factory=NotFetched, repr=False)
    """Fetches what is named by URLs."""

    def loader(self, root: Path | None = None) -> Loader:
        return Loader(
            root or self.path, self.environment, convert=self.convert, documents=self.documents
        )


@dataclass(frozen=True, slots=True)
class Times:
    """When the configuration was read and taken; for people."""

    attempted: datetime | None = None
    """Something was last read."""
    taken: datetime | None = None
    """Something was last taken by workers and Envoys."""
    since: datetime | None = None
    """What is in force has been so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt to put something into force."""

    problems: tuple[Problem, ...] = ()
    is_in_force: bool = False
    """False without problems: a later change took its place."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Something that is right as far as we can see, and may be brought to everybody."""

    release: Release
    sources: Sources
    origin: Origin
    pin: Pin | None = None


class Make(Protocol):
    """Compiles a configuration for everybody; without some listeners, by name."""

    def __call__(self, config: Config, *, closed: Set[str] = frozenset()) -> Release: ...


class Publisher:
    """Brings the configuration to everybody who is connected."""

    def __init__(
        self,
        rollout: Rollout,
        written: Written,
        release_of: Make,
        history: History,
        secure: Secure,
        deeds: Deeds | None = None,
    ) -> None:
        """`deeds` is told what came into force, and what did not."""
        self._rollout = rollout
        self._written = written
        self._loader = written.loader()
        self._release_of = release_of
        self._history = history
        self._secure = secure
        self._deeds = deeds
        self._problems: tuple[Problem, ...] = ()
        self._tried: _Attempt | None = None
        self._in_force: _Attempt | None = None
        self._times = Times()
        self._watched: Watched = {}
        self._wanted: tuple[Wanted, ...] = ()
        self._reading = asyncio.Lock()
        self._recording = asyncio.Lock()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files as they are; empty when they are in force, or would be."""
        is_of_files = self._tried is not None and self._tried.pin is None
        return self._problems or (self._rollout.refused if is_of_files else ())

    @property
    def in_force(self) -> Release | None:
        """What workers and Envoys took last."""
        return self._in_force.release if self._in_force else None

    @property
    def wanted(self) -> Release | None:
        """What everybody is to have: on its way, or in force."""
        return self._rollout.wanted

    @property
    def origin(self) -> Origin | None:
        """What brought the configuration in force there."""
        return self._in_force.origin if self._in_force else None

    @property
    def times(self) -> Times:
        return self._times

    def watched(self) -> Watched:
        """What was read, as it was then; its change is a reason to publish again."""
        return self._watched

    def wanted_documents(self) -> tuple[Wanted, ...]:
        """What was fetched for the last load; of one that failed, for the one before as well."""
        return self._wanted

    def missing(self) -> tuple[str, ...]:
        """What stands between us and serving the wanted configuration; empty: ready."""
        return self._rollout.missing()

    async def publish_file(self) -> tuple[Problem, ...]:
        """Read the files and publish them, unless a rollback still stands above them; what is
        wrong with them.

        Returns when everybody has it, or when a later change has taken its place. While workers are
        expected and none has accepted it, that may take forever: own it by a task.
        """
        async with self._reading:
            attempt = await self._of_the_file()
            self._problems = attempt if isinstance(attempt, tuple) else ()
        return (await self._bring(attempt)).problems

    async def roll_back(self, entry: Entry | None) -> Outcome:
        """Put this into force until the files change; `None`: what the files say.

        What is refused changes nothing. The same may take as long as `publish_file`.
        """
        async with self._reading:
            attempt = await self._back_to(entry)
            if not isinstance(attempt, tuple) and attempt.pin is None:
                self._problems = ()
        return await self._bring(attempt)

    async def _of_the_file(self) -> _Attempt | tuple[Problem, ...]:
        loaded = await self._load()
        if isinstance(loaded, tuple):
            return loaded
        pin = self._history.pin
        if pin is not None and pin.overrides == _sources(self._written.path, loaded).digest():
            return await self._remembered(pin)
        return await self._prepared(loaded, None)

    async def _back_to(self, entry: Entry | None) -> _Attempt | tuple[Problem, ...]:
        loaded = await self._load()
        if isinstance(loaded, tuple):
            return loaded
        overrides = _sources(self._written.path, loaded).digest()
        if entry is None or entry.sources.digest() == overrides:
            return await self._prepared(loaded, None)
        return await self._remembered(Pin(entry, overrides))

    async def _load(self) -> Loaded | tuple[Problem, ...]:
        loaded = await _in_thread(self._loader.load)
        self._times = replace(self._times, attempted=self._history.now())
        if isinstance(loaded, Loaded):
            self._watched = loaded.watched
            before = () if loaded.config is not None else self._wanted
            self._wanted = tuple(dict.fromkeys((*before, *loaded.wanted)))
        return loaded

    async def _remembered(self, pin: Pin) -> _Attempt | tuple[Problem, ...]:
        loaded = await _in_thread(functools.partial(_loaded_again, self._written, pin))
        if isinstance(loaded, tuple):
            return loaded
        self._watched = {**loaded.watched, **self._watched}
        self._wanted = tuple(dict.fromkeys((*self._wanted, *loaded.wanted)))
        return await self._prepared(loaded, pin)

    async def _prepared(self, loaded: Loaded, pin: Pin | None) -> _Attempt | tuple[Problem, ...]:
        config = loaded.config
        if config is None:
            return loaded.problems
        release = await _in_thread(lambda: raw_problems(config) or self._release_of(config))
        if isinstance(release, tuple):
            return release
        problems = await self._secure(release.gateway.xds)
        if problems:
            return problems
        root = Path(pin.entry.sources.root) if pin else self._written.path
        return _Attempt(release, _sources(root, loaded), self._origin_of(pin), pin)

    def _origin_of(self, pin: Pin | None) -> Origin:
        if pin is not None:
            return Origin.ROLLBACK
        return Origin.START if self._in_force is None else Origin.CHANGE

    async def _bring(self, attempt: _Attempt | tuple[Problem, ...]) -> Outcome:
        if isinstance(attempt, tuple):
            self._tell_refused(attempt)
            return Outcome(attempt)
        self._tried = attempt
        refused = await self._in_turns(attempt.release)
        problems = tuple(_located(each, attempt.release) for each in refused)
        if problems:
            if attempt.pin is None and attempt is self._tried:
                self._problems = problems
            self._tell_refused(problems)
            await self._secure_accepted()
            return Outcome(problems)
        if not self._rollout.accepted is self._rollout.wanted is attempt.release:
            return Outcome()
        self._take(attempt)
        async with self._recording:
            await asyncio.to_thread(self._record, attempt)
        return Outcome(is_in_force=True)

    def _tell_refused(self, problems: tuple[Problem, ...]) -> None:
        if self._deeds is not None:
            self._deeds.refused(problems)

    async def _in_turns(self, release: Release) -> tuple[Problem, ...]:
        """Bring it; where listeners take addresses from each other, close them first."""
        before = self.in_force
        closed = closed_between(before, release) if before is not None else frozenset()
        if before is None or not closed:
            return await self._rollout.bring(release)
        make = functools.partial(self._release_of, before.config, closed=closed)
        between = await asyncio.to_thread(make)
        problems = await self._rollout.bring(between)
        if problems or self._rollout.wanted is not between:
            return problems
        problems = await self._rollout.bring(release)
        if problems and self._rollout.wanted is between:
            await self._rollout.bring(before)
        return problems

    async def _secure_accepted(self) -> None:
        async with self._reading:
            accepted = self._rollout.accepted
            if accepted is not None and accepted is self._rollout.wanted:
                await self._secure(accepted.gateway.xds)

    def _take(self, attempt: _Attempt) -> None:
        before, now = self._in_force, self._history.now()
        is_same = (
            before is not None
            and before.release.version == attempt.release.version
            and before.sources == attempt.sources
        )
        since = self._times.since if is_same else now
        self._in_force = before if is_same else attempt
        self._times = replace(self._times, taken=now, since=since)

    def _record(self, attempt: _Attempt) -> None:
        self._written.documents.accept(attempt.sources.referenced)
        if self._deeds is not None:
            self._deeds.in_force(attempt.release, attempt.origin)
        if attempt.pin is None:
            self._history.remove_pin()
        else:
            self._history.set_pin(attempt.pin)
        limit = attempt.release.gateway.xds.history_limit
        self._history.remember(attempt.release.version, attempt.sources, attempt.origin, limit)


async def _in_thread(make: Callable[[], Made]) -> Made | tuple[Problem, ...]:
    """Streams want to be served meanwhile, and what falls must be told."""
    try:
        return await asyncio.to_thread(make)
    except DuplicateResource as twice:
        return (Problem("xds", f"a resource has the name of another: {_named(twice)}"),)
    except BrokenSnapshot as broken:
        return (Problem("", f"cannot be compiled, by a fault of ours: {broken}"),)
    except Exception as fault:  # whatever it is, it must be told, and what is served stays
        logger.exception("the configuration cannot be published")
        kind = type(fault).__name__
        return (Problem("", f"cannot be published, by a fault of ours ({kind}); see the log"),)


def _located(refused: Problem, release: Release) -> Problem:
    """With the place of what the peer speaks of, where somebody wrote it as it is."""
    gateway, source = release.gateway, release.config.source
    own = (
        *gateway.xds.resources,
        *(each for group in gateway.xds.groups for each in group.resources),
    )
    written: dict[str, tuple[str | int, ...]] = {each.name: each.at for each in own}
    for each in gateway.listeners:
        written[names.listener(each.name)] = ("gateways", each.name)
    for name, path in written.items():
        if mentions(refused.message, name):
            place = source.place(path)
            return replace(refused, path=dotted(place.path), line=place.line, file=place.file)
    return refused


def _named(twice: DuplicateResource) -> str:
    type_url, name = twice.args
    return f"{short_type(type_url)} {name!r}"


def first_config(written: Written, history: History) -> Config | tuple[Problem, ...]:
    """What a publisher will begin with, or what is wrong with it. Documents that others have
    changed for the worse meanwhile do not count."""
    found = _first(written, history)
    if isinstance(found, Config) or not written.documents.fall_back():
        return found
    again = _first(written, history)
    if not isinstance(again, Config):
        return found
    for problem in found:
        logger.warning("what was in force last is used instead: %s", problem)
    return again


def _first(written: Written, history: History) -> Config | tuple[Problem, ...]:
    loaded = written.loader().load()
    pin = history.pin
    if pin is not None and pin.overrides == _sources(written.path, loaded).digest():
        loaded = _loaded_again(written, pin)
    return loaded.problems if loaded.config is None else loaded.config


def _loaded_again(written: Written, pin: Pin) -> Loaded:
    """What is pinned, with the variables and the referenced files of today."""
    sources = pin.entry.sources
    return written.loader(Path(sources.root)).load(Remembered(sources.texts, Disk()))


def _sources(root: Path, loaded: Loaded) -> Sources:
    return Sources(os.path.abspath(root), dict(loaded.texts), dict(loaded.referenced))


def release_of(
    config: Config,
    meaning: Callable[[Config], Gateway],
    compile_snapshot: Compile,
    clients: Clients,
    closed: Set[str] = frozenset(),
) -> Release:
    """What a configuration is for everybody; compiled for all who are connected."""
    gateway = meaning(config)
    envoys = EnvoyOffer(gateway, Without(compile_snapshot, closed) if closed else compile_snapshot)
    return compiled_release(config, gateway, envoys, clients.audiences(Kind.ENVOY, envoys))
