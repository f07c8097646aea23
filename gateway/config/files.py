"""Where the configuration's files come from: the disk, what is remembered of them, nowhere.

Globs are ours, so that whoever watches knows which folders they looked into.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol, TypeAlias

from gateway.config.reading import read_whole

SUFFIXES = (".yaml", ".yml")
"""Of the files that a folder is read for."""
MAX_FOLDERS_DEEP = 32
"""Below a `**`."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of a file or folder from another. Its times are only compared."""

    device: int
    inode: int
    size: int = 0
    modified_ns: int = 0
    changed_ns: int = 0
    names: tuple[str, ...] = ()
    """Of a folder: what is in it, but for what is hidden. Its files have stamps of their own."""


Watched: TypeAlias = Mapping[Path, Stamp | None]
"""What was read or looked for, as it was before; None: it was not there."""


class Files(Protocol):
    """What can be read. All raise OSError."""

    def read_bytes(self, path: Path) -> bytes:
        """What a file holds."""

    def is_dir(self, path: Path) -> bool:
        """Whether it is a folder; what is not there is none."""

    def names(self, folder: Path) -> tuple[str, ...]:
        """What is in a folder."""

    def stamp(self, path: Path) -> Stamp | None:
        """The state of what the path leads to now; None when that is nothing. Never raises."""


class Disk:
    """The files as they are now."""

    def read_bytes(self, path: Path) -> bytes:
        return read_whole(path)

    def is_dir(self, path: Path) -> bool:
        return path.is_dir()

    def names(self, folder: Path) -> tuple[str, ...]:
        return tuple(os.listdir(folder))

    def stamp(self, path: Path) -> Stamp | None:
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                names = sorted(name for name in os.listdir(path) if not name.startswith("."))
                return Stamp(status.st_dev, status.st_ino, names=tuple(names))
        except (OSError, ValueError):
            return None
        return Stamp(
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


class Nowhere:
    """For a text that came alone: it can name no file of this machine."""

    def read_bytes(self, path: Path) -> bytes:
        raise PermissionError(0, "files are not read for a configuration that came without them")

    def is_dir(self, path: Path) -> bool:
        return False

    def names(self, folder: Path) -> tuple[str, ...]:
        raise PermissionError(0, "folders are not read for a configuration that came without them")

    def stamp(self, path: Path) -> Stamp | None:
        return None


class Remembered:
    """YAML files as they were once; all others come from behind."""

    def __init__(self, texts: Mapping[str, str], behind: Files) -> None:
        self._texts = {os.path.abspath(path): text for path, text in texts.items()}
        self._behind = behind

    def read_bytes(self, path: Path) -> bytes:
        text = self._texts.get(os.path.abspath(path))
        return text.encode() if text is not None else self._behind.read_bytes(path)

    def is_dir(self, path: Path) -> bool:
        if os.path.abspath(path) in self._texts:
            return False
        return bool(self.names(path)) or self._behind.is_dir(path)

    def names(self, folder: Path) -> tuple[str, ...]:
        """What was remembered of a folder: a file that came later is no part of it."""
        prefix = os.path.join(os.path.abspath(folder), "")
        found = (
            path.removeprefix(prefix).partition(os.sep)[0]
            for path in self._texts
            if path.startswith(prefix)
        )
        return tuple(dict.fromkeys(found))

    def stamp(self, path: Path) -> Stamp | None:
        return self._behind.stamp(path)


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a glob found, and where it looked."""

    paths: tuple[Path, ...] = ()
    """Files, sorted."""
    folders: Watched = field(default_factory=dict)
    """A change of what is in them may change what is found."""
    troubles: tuple[str, ...] = ()
    """Folders that could not be read, and why."""


def is_glob(pattern: str) -> bool:
    """Whether it stands for any number of files."""
    return any(sign in pattern for sign in "*?[")


def yaml_files(files: Files, folder: Path) -> Expanded:
    """The YAML files of a folder, by name. Hidden ones are no part of it, nor are its folders."""
    search = _Search(files)
    for suffix in SUFFIXES:
        search.walk(folder, (f"*{suffix}",), 0)
    return search.found()


def expand(files: Files, pattern: Path) -> Expanded:
    """The files that match. `**` is any number of folders; `*` never matches a leading dot."""
    parts = pattern.parts
    fixed = next((i for i, part in enumerate(parts) if is_glob(part)), len(parts) - 1)
    search = _Search(files)
    search.walk(Path(*parts[:fixed]), parts[fixed:], 0)
    return search.found()


class _Search:
    """One walk through folders."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.paths: dict[Path, None] = {}
        self.walked: set[tuple[object, tuple[str, ...]]] = set()
        """Folders, whatever their path, and what was looked for in them: links may lead in circles,
        and several of them in more ways than anybody can go."""
        self.folders: dict[Path, Stamp | None] = {}
        self.troubles: dict[str, None] = {}

    def found(self) -> Expanded:
        return Expanded(tuple(sorted(self.paths)), self.folders, tuple(self.troubles))

    def walk(self, folder: Path, parts: tuple[str, ...], depth: int) -> None:
        names = self.names(folder)
        if not parts or depth > MAX_FOLDERS_DEEP or self.was_walked(folder, parts):
            return
        head, rest = parts[0], parts[1:]
        if head == "**":
            self.walk(folder, rest, depth)
        for name in names:
            if name.startswith(".") and not head.startswith("."):
                continue
            path = folder / name
            if head == "**":
                if self.is_dir(path):
                    self.walk(path, parts, depth + 1)
            elif fnmatchcase(name, head):
                if rest and self.is_dir(path):
                    self.walk(path, rest, depth + 1)
                elif not rest and not self.is_dir(path):
                    self.paths[path] = None

    def was_walked(self, folder: Path, parts: tuple[str, ...]) -> bool:
        """Whether this was done before; the next time, it was."""
        stamp = self.folders[folder]
        walk = (folder if stamp is None else (stamp.device, stamp.inode), parts)
        if walk in self.walked:
            return True
        self.walked.add(walk)
        return False

    def is_dir(self, path: Path) -> bool:
        """What cannot be looked at is trouble, and no file."""
        try:
            return self.files.is_dir(path)
        except OSError as error:
            self._trouble(path, error)
            return True

    def names(self, folder: Path) -> tuple[str, ...]:
        self.folders.setdefault(folder, self.files.stamp(folder))
        try:
            return tuple(sorted(self.files.names(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            self._trouble(folder, error)
            return ()

    def _trouble(self, path: Path, error: OSError) -> None:
        self.troubles[f"{path} cannot be read: {reason(error)}"] = None


def reason(error: OSError) -> str:
    """Why a file could not be read, in lower case."""
    return (error.strerror or str(error)).lower()
