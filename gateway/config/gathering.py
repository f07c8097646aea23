"""Finds and reads the files of a configuration: the root, what it includes, and files of prices."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.document import Document
from gateway.config.files import (
    Expanded,
    Files,
    Stamp,
    Watched,
    expand,
    is_glob,
    reason,
    yaml_files,
)
from gateway.config.finding import Finding
from gateway.config.finding import Path as DocumentPath
from gateway.config.merging import Part
from gateway.problem import Problem

MAX_FILES = 5_000
MAX_INCLUDES_DEEP = 32

PRICES: DocumentPath = ("llm", "prices")
PRICE_FILES: DocumentPath = ("llm", "price_files")
INCLUDE: DocumentPath = ("include",)
_CATALOG_PRICES = "prices"


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds."""

    text: str = field(repr=False)
    digest: str


def content_of(files: Files, path: Path) -> Content | str:
    """The text of a file, or why there is none: `cannot be read: no such file or directory`."""
    try:
        data = files.read_bytes(path)
        text = data.decode("utf-8-sig")
    except OSError as error:
        return f"cannot be read: {reason(error)}"
    except UnicodeDecodeError as error:
        return f"not utf-8: byte {error.start} is invalid"
    except ValueError:  # a zero byte in the path
        return "cannot be read: no such file or directory"
    return Content(text, hashlib.sha256(data).hexdigest())


def absolute(path: Path) -> str:
    """The one name of a file, however it is reached; links are not followed."""
    return os.path.abspath(path)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The files, as they were found."""

    parts: tuple[Part, ...] = ()
    """In the order in which they count; the root first."""
    problems: tuple[Problem, ...] = ()
    """Files that could not be read, where no other file is to blame."""
    findings: tuple[Finding, ...] = ()
    """What files say of other files that is wrong."""
    warnings: tuple[Finding, ...] = ()
    texts: dict[str, str] = field(default_factory=dict, repr=False)
    referenced: dict[str, str] = field(default_factory=dict)
    watched: Watched = field(default_factory=dict)
    root_text: str | None = field(default=None, repr=False)
    """None when the root is a folder, or cannot be read."""


class Gathering:
    """One walk from the root."""

    def __init__(self, files: Files, document: Callable[[str], Document]) -> None:
        self.files = files
        self.document = document
        self.parts: list[Part] = []
        self.problems: list[Problem] = []
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []
        self.texts: dict[str, str] = {}
        self.referenced: dict[str, str] = {}
        self.watched: dict[Path, Stamp | None] = {}

    def gather(self, root: Path, text: str | None = None) -> Gathered:
        """All files. `text` stands for the root's own, if it is given."""
        root_text = text
        self.watch(root)
        if text is None and self.is_folder(root):
            self.folder(root)
        elif text is not None:
            self.source(root, text, 0)
        else:
            content = content_of(self.files, root)
            if isinstance(content, str):
                self.problems.append(Problem("", content, file=str(root)))
            else:
                root_text = content.text
                self.source(root, content.text, 0)
        return Gathered(
            tuple(self.parts),
            tuple(self.problems),
            tuple(self.findings),
            tuple(self.warnings),
            self.texts,
            self.referenced,
            self.watched,
            root_text,
        )

    def folder(self, root: Path) -> None:
        found = yaml_files(self.files, root)
        self.watched = {**found.folders, **self.watched}
        self.problems += [Problem("", each) for each in found.troubles]
        if not found.paths and not found.troubles:
            self.problems.append(Problem("", "has no .yaml file", file=str(root)))
        for path in found.paths:
            self.found(path, 0)

    def found(self, path: Path, depth: int) -> None:
        """A file that a search has found."""
        if absolute(path) in self.texts:
            return
        self.watch(path)
        content = content_of(self.files, path)
        if isinstance(content, str):
            self.problems.append(Problem("", content, file=str(path)))
        else:
            self.filled(path, content.text, depth)

    def filled(self, path: Path, text: str, depth: int) -> None:
        """A file beside others; half written, what it held before must not vanish."""
        if text.strip():
            self.source(path, text, depth)
        else:
            hint = "remove it, or write a comment into it"
            self.problems.append(Problem("", "is empty", 1, str(path), hint))

    def source(self, path: Path, text: str, depth: int) -> None:
        """A file of our language, and what it includes."""
        self.texts[absolute(path)] = text
        part = Part(str(path), self.document(text))
        self.parts.append(part)
        for where, written in _texts(part.document, PRICE_FILES):
            self.prices(part, where, written)
        for where, written in _texts(part.document, INCLUDE):
            self.include(part, where, written, depth + 1)

    def include(self, part: Part, where: DocumentPath, written: str, depth: int) -> None:
        path = Path(part.file).parent / written
        if depth > MAX_INCLUDES_DEEP or len(self.parts) >= MAX_FILES:
            message = f"more than {MAX_FILES} files, or {MAX_INCLUDES_DEEP} inside each other"
            self.blame(part, where, message)
        elif is_glob(written):
            self.search(part, where, expand(self.files, path), depth)
        elif self.is_folder(path):
            self.search(part, where, yaml_files(self.files, path), depth)
        elif absolute(path) not in self.texts:
            self.watch(path)
            content = content_of(self.files, path)
            if isinstance(content, str):
                self.blame(part, where, f"'{path}' {content}")
            else:
                self.filled(path, content.text, depth)

    def search(self, part: Part, where: DocumentPath, found: Expanded, depth: int) -> None:
        self.watched = {**found.folders, **self.watched}
        for trouble in found.troubles:
            self.blame(part, where, trouble)
        if not found.paths and not found.troubles:
            self.warnings.append(_at(part, where, "no file matches"))
        for path in found.paths:
            self.found(path, depth)

    def prices(self, part: Part, where: DocumentPath, written: str) -> None:
        """A file of prices counts as if its content stood at `llm.prices`; of a file like the
        built-in catalog, what it has under `prices`."""
        path = Path(part.file).parent / written
        if absolute(path) in self.referenced:
            return
        self.watch(path)
        content = content_of(self.files, path)
        if isinstance(content, str):
            self.blame(part, where, f"'{path}' {content}")
            return
        self.referenced[absolute(path)] = content.digest
        document = self.document(content.text)
        if _is_catalog(document):
            document = document.inside(_CATALOG_PRICES)
        self.parts.append(Part(str(path), document, PRICES))

    def is_folder(self, path: Path) -> bool:
        """What cannot be looked at is none: reading it says why."""
        try:
            return self.files.is_dir(path)
        except OSError:
            return False

    def watch(self, path: Path) -> None:
        """Before it is read, so that no change falls between."""
        self.watched.setdefault(path, self.files.stamp(path))

    def blame(self, part: Part, where: DocumentPath, message: str) -> None:
        self.findings.append(_at(part, where, message))


def _is_catalog(document: Document) -> bool:
    return isinstance(document.value, dict) and "as_of" in document.value


def _at(part: Part, where: DocumentPath, message: str) -> Finding:
    return Finding(where, message, line=part.document.line(where) or 1, file=part.file)


def _texts(document: Document, path: DocumentPath) -> Iterator[tuple[DocumentPath, str]]:
    """The texts of a list, and where they stand; what else is there, the schema refuses."""
    value = document.value
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    for index, item in enumerate(value if isinstance(value, list) else ()):
        where = (*path, index)
        if isinstance(item, str) and where not in document.lost:
            yield where, item
