"""The configurations that were taken, so that one can be gone back to; and the one we are back at.

Each is a file of its own, written whole or not at all. Their order is that of their numbers, not of
clocks. They may hold secrets: the folder is ours alone. What cannot be read or written is trouble
to be told, and stops nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from gateway.config.reading import read_whole

logger = logging.getLogger(__name__)

FOLDER = "history"
"""In the state directory."""
PIN_FILE = "pin.json"
_UNFINISHED = "unfinished"
"""One name, so that what a crash leaves is overwritten."""


class Origin(StrEnum):
    """What brought a configuration into force."""

    START = "start"
    CHANGE = "change"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Sources:
    """What a configuration was made of."""

    root: str
    """The path of the file that includes the others."""
    texts: Mapping[str, str] = field(repr=False)
    """Path → YAML as it was read, before variables are replaced. May hold secrets."""
    referenced: Mapping[str, str] = field(default_factory=dict)
    """Path → digest, of the files that are named in it: certificates, keys, prices."""

    def digest(self) -> str:
        """Of the texts; the same wherever the folder that holds them lies."""
        digest = hashlib.sha256()
        folder = os.path.dirname(os.path.abspath(self.root))
        for path in sorted(self.texts):
            place = os.path.relpath(path, folder)
            for part in (place.encode(), self.texts[path].encode()):
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One configuration that was taken."""

    version: str
    time: str
    """UTC, ISO 8601; for people."""
    origin: Origin
    sources: Sources
    number: int = 0
    """Larger is later."""


@dataclass(frozen=True, slots=True)
class Pin:
    """An earlier configuration that is in force instead of the file."""

    entry: Entry
    overrides: str
    """The digest of the file's texts; when they change, the pin has had its time."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a file of ours holds, and a digest by which damage is noticed."""

    entry: Entry
    digest: str
    overrides: str = ""


class History:
    """The last configurations, and the pin: in memory, and in a folder."""

    def __init__(self, state_dir: Path, now: Callable[[], datetime]) -> None:
        self._folder = state_dir / FOLDER
        self.now = now
        self._entries: tuple[Entry, ...] = ()
        self._pin: Pin | None = None
        self._unreadable: tuple[str, ...] = ()
        self._undone: dict[str, _Stored | None] = {}
        self._failures: dict[str, str] = {}
        self._load()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The latest first."""
        return self._entries

    @property
    def pin(self) -> Pin | None:
        return self._pin

    @property
    def trouble(self) -> tuple[str, ...]:
        """What could not be read or written; it is in memory all the same."""
        return (*self._unreadable, *self._failures.values())

    def find(self, wanted: str) -> Entry | None:
        """By version, the latest of that version; or by number."""
        by_version = (each for each in self._entries if each.version == wanted)
        by_number = (each for each in self._entries if str(each.number) == wanted)
        return next(by_version, None) or next(by_number, None)

    def remember(self, version: str, sources: Sources, origin: Origin, limit: int) -> None:
        """Put it first, unless it stands there already; forget those beyond the limit."""
        latest = self._entries[0] if self._entries else None
        if latest is None or (latest.version, latest.sources) != (version, sources):
            time = self.now().isoformat(timespec="seconds")
            number = 1 + max((each.number for each in self._entries), default=0)
            entry = Entry(version, time, origin, sources, number)
            self._entries = (entry, *self._entries)
            self._undone[_file_of(entry)] = _stored(entry)
        for entry in self._entries[limit:]:
            self._undone[_file_of(entry)] = None
        self._entries = self._entries[:limit]
        self._catch_up()

    def set_pin(self, pin: Pin) -> None:
        """From now on, also after a start."""
        self._pin = pin
        self._undone[PIN_FILE] = _stored(pin.entry, pin.overrides)
        self._catch_up()

    def remove_pin(self) -> None:
        if self._pin is not None:
            self._pin = None
            self._undone[PIN_FILE] = None
            self._catch_up()

    def _load(self) -> None:
        found, unreadable = [], []
        try:
            paths = sorted(self._folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):  # told when something is to be written
            return
        except OSError as error:
            self._unreadable = (f"{self._folder}: {_reason(error)}",)
            return
        for path in paths:
            if path.suffix != ".json":
                continue
            try:
                stored = _read(path)
            except (OSError, msgspec.DecodeError, _Damaged) as error:
                unreadable.append(f"{path} is left out: {_reason(error)}")
                continue
            if path.name == PIN_FILE:
                self._pin = Pin(stored.entry, stored.overrides)
            elif path.name == _file_of(stored.entry):
                found.append(stored.entry)
            else:  # what is forgotten is removed by its name
                unreadable.append(f"{path} is left out: it has the name of another")
        self._unreadable = tuple(unreadable)
        self._entries = tuple(sorted(found, key=lambda each: each.number, reverse=True))

    def _catch_up(self) -> None:
        """Write and remove what is to be, and what could not be the last time."""
        for name, stored in tuple(self._undone.items()):
            path = self._folder / name
            try:
                if stored is None:
                    path.unlink(missing_ok=True)
                else:
                    _make_private(self._folder)
                    _write_whole(path, msgspec.json.encode(stored))
            except OSError as error:
                what = "removed" if stored is None else "written"
                self._failures[name] = f"{path} could not be {what}: {_reason(error)}"
                logger.error("history: %s", self._failures[name])
            else:
                del self._undone[name]
                self._failures.pop(name, None)


class _Damaged(ValueError):
    """The file is not what was written."""


def _file_of(entry: Entry) -> str:
    return f"{entry.number:08d}-{entry.version}.json"


def _stored(entry: Entry, overrides: str = "") -> _Stored:
    return _Stored(entry, _digest(entry, overrides), overrides)


def _read(path: Path) -> _Stored:
    stored = msgspec.json.decode(read_whole(path), type=_Stored)
    if stored.digest != _digest(stored.entry, stored.overrides):
        raise _Damaged("its digest does not match")
    return stored


def _digest(entry: Entry, overrides: str) -> str:
    written = replace(entry, sources=replace(entry.sources, texts=dict(entry.sources.texts)))
    return hashlib.sha256(msgspec.json.encode((written, overrides), order="sorted")).hexdigest()


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def _write_whole(path: Path, data: bytes) -> None:
    """Everything is on the disk when it returns, else nothing; `OSError` says why."""
    unfinished = path.with_name(_UNFINISHED)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the new name as well
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error).lower()
