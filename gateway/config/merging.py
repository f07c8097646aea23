"""Several documents as one, which knows where each part of it was written.

Blocks are merged key by key down to the names that the operator chose, lists follow one another in
the order of the files, and everything else may stand in one file only, or say the same in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.config.document import Document
from gateway.config.finding import Finding, Path, Place
from gateway.config.kinds import fields, items, plain, values


@dataclass(frozen=True, slots=True)
class Part:
    """A document, the file that it was read from, and what of the configuration it holds."""

    file: str
    document: Document
    at: Path = ()
    """The whole by default; else the path at which its value stands."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The configuration, before anybody asks what it means."""

    value: object
    parts: tuple[Part, ...]
    lists: Mapping[Path, tuple[int, ...]]
    """Of lists with items of several documents: how many items each part adds."""
    findings: tuple[Finding, ...] = ()
    """With their files and lines; their paths are those of their own files."""
    lost: frozenset[Path] = frozenset()
    """Values that could not be read; whatever else is wrong with them follows from that."""

    @property
    def is_readable(self) -> bool:
        """Whether every document could be read."""
        return all(part.document.is_readable for part in self.parts)

    def place(self, path: Path) -> Place:
        """Where a path, or the nearest thing around it, was written."""
        whole = path
        while True:
            for part, inner in self._inside(path):
                line = part.document.lines.get(inner)
                if line is not None:
                    own = (*part.at, *inner, *whole[len(path) :])
                    return Place(part.file, line, own)
            if not path:
                return Place(self.parts[0].file if self.parts else "", path=whole)
            path = path[:-1]

    def is_written(self, path: Path) -> bool:
        """Whether the path itself is in a file."""
        return any(inner in part.document.lines for part, inner in self._inside(path))

    def text(self, path: Path) -> str | None:
        """A scalar as it stands in its file, before variables are replaced. Safe to show."""
        found = (part.document.written.get(inner) for part, inner in self._inside(path))
        return next((text for text in found if text is not None), None)

    def _inside(self, path: Path) -> Iterator[tuple[Part, Path]]:
        """The documents that may hold a path, and what it is there."""
        if not self.lists:
            candidates: Iterable[tuple[int, Path]] = ((i, path) for i in range(len(self.parts)))
        else:
            candidates = self._shifted(path)
        for index, shifted in candidates:
            part = self.parts[index]
            if shifted[: len(part.at)] == part.at:
                yield part, shifted[len(part.at) :]

    def _shifted(self, path: Path) -> Iterator[tuple[int, Path]]:
        for position, key in enumerate(path):
            counts = self.lists.get(path[:position])
            if counts is not None and isinstance(key, int):
                for index, count in enumerate(counts):
                    if key < count:
                        yield index, (*path[:position], key, *path[position + 1 :])
                        return
                    key -= count
                return
        yield from ((index, path) for index in range(len(self.parts)))


def merged(parts: Sequence[Part], kind: object) -> Merged:
    """All parts as one. `kind`: the type of the configuration, which says what can be merged."""
    merger = _Merger(parts)
    wholes = list(merger.wholes())
    value = merger.value(kind, (), wholes)
    findings = [
        replace(
            found,
            path=(*part.at, *found.path),
            line=found.line or part.document.line(found.path) or 1,
            file=part.file,
        )
        for part in parts
        for found in part.document.findings
    ]
    lost = {
        merger.outside(index, path)
        for index, part in enumerate(parts)
        for path in part.document.lost
    }
    found = (*findings, *merger.findings)
    return Merged(value, tuple(parts), merger.lists, found, frozenset(lost))


def _at(path: Path, value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


class _Merger:
    """One merge: its findings, and the lists that it made."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.lists: dict[Path, tuple[int, ...]] = {}
        self.findings: list[Finding] = []

    def wholes(self) -> Iterator[tuple[int, object]]:
        """What each part says. One alone may be anything: the schema will say what is wrong."""
        for index, part in enumerate(self.parts):
            value = part.document.value
            if len(self.parts) == 1 or value is None or isinstance(value, dict):
                yield index, _at(part.at, value)
            else:
                line = part.document.line(()) or 1
                message = "must be a block of keys and values"
                self.findings.append(Finding(part.at, message, line=line, file=part.file))

    def value(self, kind: object, path: Path, written: list[tuple[int, object]]) -> object:
        """What several parts say of one path."""
        said = [each for each in written if each[1] is not None]
        if len(said) < 2:
            return said[0][1] if said else None
        kind = plain(kind)
        inner = fields(kind)
        if inner and all(isinstance(value, dict) for _, value in said):
            return self.block(inner, path, said)
        if values(kind) is not None and all(isinstance(value, dict) for _, value in said):
            return self.block({}, path, said)
        if items(kind) is not None and all(isinstance(value, list) for _, value in said):
            return self.list(path, said)
        first, *others = said
        for other in others:
            if other[1] != first[1]:
                self.findings.append(self.conflict(path, first[0], other[0]))
        return first[1]

    def block(
        self, inner: Mapping[str, object], path: Path, said: list[tuple[int, object]]
    ) -> dict[str, object]:
        by_key: dict[str, list[tuple[int, object]]] = {}
        for index, value in said:
            for key, each in value.items() if isinstance(value, dict) else ():
                by_key.setdefault(key, []).append((index, each))
        return {
            key: self.value(inner.get(key), (*path, key), written)
            for key, written in by_key.items()
        }

    def list(self, path: Path, said: list[tuple[int, object]]) -> list[object]:
        by_part = {index: value for index, value in said if isinstance(value, list)}
        self.lists[path] = tuple(len(by_part.get(i, ())) for i in range(len(self.parts)))
        return [item for value in by_part.values() for item in value]

    def conflict(self, path: Path, first: int, other: int) -> Finding:
        here, there = self.place(path, other), self.place(path, first)
        return Finding(
            path,
            f"also written in {there.file}:{there.line}, and not the same",
            "keep one of them",
            here.line,
            here.file,
        )

    def place(self, path: Path, index: int) -> Place:
        part = self.parts[index]
        return Place(part.file, part.document.line(path[len(part.at) :]) or 1)

    def outside(self, index: int, path: Path) -> Path:
        """A path in one part, as it is in the whole."""
        whole = (*self.parts[index].at, *path)
        for position, key in enumerate(whole):
            counts = self.lists.get(whole[:position])
            if counts is not None and isinstance(key, int):
                return (*whole[:position], key + sum(counts[:index]), *whole[position + 1 :])
        return whole
