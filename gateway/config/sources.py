"""All files of a configuration → what it means, what is wrong with it, and what has to be watched.

The root is a file or a folder. Files include others; what is included follows the file that says
so, in the order of the globs, and each file counts once. See `merging` for how they become one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from gateway.config.discovery import with_discovery
from gateway.config.document import Document, read
from gateway.config.fetched import Documents, Fetched, NotFetched, Wanted, named_documents
from gateway.config.files import Disk, Files, Stamp, Watched
from gateway.config.finding import Finding, dotted
from gateway.config.gathering import Gathered, Gathering, absolute, content_of
from gateway.config.kept import KeptBlocks
from gateway.config.merging import Merged, Part, merged
from gateway.config.referenced import FileText, named_files, put
from gateway.config.schema import Config
from gateway.config.validation import problems_of, understood
from gateway.imported import Imported
from gateway.problem import Problem

Convert: TypeAlias = Callable[[str, str], Imported | tuple[Problem, ...] | None]
"""Text and file → ours, what is wrong with it, or None when it is in our language already."""

_DISK = Disk()
_NOT_FETCHED = NotFetched()

READ_AGAIN = 3
"""Times, while files change as they are read. Whoever watches will notice the rest."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the files."""

    config: Config | None
    """None when there are problems."""
    problems: tuple[Problem, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Absolute path → YAML as it was read, before variables are replaced; the root first."""
    referenced: Mapping[str, str] = field(default_factory=dict)
    """Absolute path or URL → digest, of what is named: certificates, keys, prices, documents."""
    watched: Watched = field(default_factory=dict)
    """Files, and folders that were searched: a change of any may change what is loaded."""
    imported: Imported | None = None
    """The root was somebody else's file, and this is what became of it."""
    wanted: tuple[Wanted, ...] = ()
    """Documents that are fetched."""


def load_sources(
    path: Path,
    environment: Mapping[str, str],
    *,
    files: Files = _DISK,
    convert: Convert | None = None,
    documents: Documents = _NOT_FETCHED,
) -> Loaded:
    """Read everything once. Whoever reads again keeps a `Loader`."""
    return Loader(path, environment, files=files, convert=convert, documents=documents).load()


class Loader:
    """Loads one configuration again and again; what has not changed is not read again."""

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, str],
        *,
        files: Files = _DISK,
        convert: Convert | None = None,
        documents: Documents = _NOT_FETCHED,
    ) -> None:
        self._path = path
        self._environment = dict(environment)
        self._files = files
        self._convert = convert
        self._remote = documents
        self._documents: dict[bytes, Document] = {}
        self._blocks = KeptBlocks()

    @property
    def documents(self) -> Mapping[bytes, Document]:
        """What was parsed for the last load, by digests of the texts."""
        return self._documents

    def load(self, files: Files | None = None) -> Loaded:
        """What the files say now. `files`: others than usual, such as remembered ones.

        Read again when one of them changed meanwhile: half of a change is no configuration.
        """
        files = files or self._files
        loaded = self._load(files, None)
        for _ in range(READ_AGAIN):
            if all(files.stamp(path) == stamp for path, stamp in loaded.watched.items()):
                break
            loaded = self._load(files, None)
        return loaded

    def load_text(self, text: str) -> Loaded:
        """The same with this text in the place of the root."""
        return self._load(self._files, text)

    def _load(self, files: Files, text: str | None) -> Loaded:
        known, self._documents = self._documents, {}

        def document(text: str) -> Document:
            digest = hashlib.blake2b(text.encode(errors="surrogatepass")).digest()
            found = known.get(digest) or self._documents.get(digest)
            self._documents[digest] = found or read(text, self._environment)
            return self._documents[digest]

        gathered = Gathering(files, document).gather(self._path, text)
        loaded = self._meaning(gathered, files)
        if loaded.config is not None or self._convert is None or not gathered.root_text:
            return loaded
        converted = self._convert(gathered.root_text, str(self._path))
        match converted:
            case None:
                return loaded
            case Imported():
                ours = Gathering(files, document).gather(self._path, converted.yaml)
                return self._of_import(_placed(ours, converted), loaded, converted, files)
        return replace(loaded, problems=converted)

    def _of_import(
        self, ours: Gathered, theirs: Loaded, imported: Imported, files: Files
    ) -> Loaded:
        """What was made of their file; what is remembered is their own text."""
        loaded = self._meaning(ours, files)
        return replace(loaded, texts={**loaded.texts, **theirs.texts}, imported=imported)

    def _meaning(self, gathered: Gathered, files: Files) -> Loaded:
        loaded = Loaded(
            None, gathered.problems, gathered.texts, gathered.referenced, gathered.watched
        )
        if not gathered.parts:
            return loaded
        whole = merged(gathered.parts, Config)
        whole = replace(whole, findings=(*gathered.findings, *whole.findings))
        if not whole.findings and not gathered.problems and _says_nothing(whole.value):
            return replace(loaded, problems=(_nothing(whole.parts[0].file),))
        named = _Named(files, self._remote, whole)
        value = named.fetched(named.read())
        meant = understood(whole, value, named.findings, self._blocks)
        loaded = replace(
            loaded,
            referenced={**gathered.referenced, **named.digests},
            wanted=named.wanted,
            watched={**named.watched, **gathered.watched},
        )
        if isinstance(meant, tuple):
            return replace(loaded, problems=(*gathered.problems, *meant))
        if gathered.problems:
            return loaded
        warnings = problems_of(gathered.warnings, whole)
        return replace(loaded, config=meant.written_in(replace(meant.source, warnings=warnings)))


class _Named:
    """What a document names, read into the places of paths and URLs."""

    def __init__(self, files: Files, documents: Documents, whole: Merged) -> None:
        self.files = files
        self.documents = documents
        self.whole = whole
        self.findings: list[Finding] = []
        self.digests: dict[str, str] = {}
        self.watched: dict[Path, Stamp | None] = {}
        self.wanted: tuple[Wanted, ...] = ()

    def read(self) -> object:
        """With files."""
        value = self.whole.value
        for path, written in tuple(named_files(Config, value)):
            if path in self.whole.lost:
                continue
            file = Path(self.whole.place(path).file).parent / written
            self.watched.setdefault(file, self.files.stamp(file))
            content = content_of(self.files, file)
            if isinstance(content, str):
                self.findings.append(Finding(path, f"'{file}' {content}"))
                continue
            self.digests[absolute(file)] = content.digest
            value = put(value, path, FileText(written, content.text))
        return value

    def fetched(self, value: object) -> object:
        """With documents, too."""
        value = with_discovery(value)
        lost = {*self.whole.lost, *(each.path for each in self.findings)}
        named = [each for each in named_documents(Config, value) if each[0] not in lost]
        self.wanted = tuple(dict.fromkeys(wanted for _, wanted in named))
        for wanted in self.wanted:
            file = self.documents.file(wanted)
            if file is not None:
                self.watched.setdefault(file, self.files.stamp(file))
        found = self.documents.read(self.wanted) if self.wanted else {}
        for path, wanted in named:
            document = found[wanted]
            if isinstance(document, str):
                self.findings.append(Finding(path, f"'{wanted.url}' {document}"))
                continue
            if document is not None:
                self.digests[wanted.url] = document.digest
            text = None if document is None else document.text
            value = put(value, path, Fetched(wanted.url, text))
        return value


def _says_nothing(value: object) -> bool:
    return value is None or (isinstance(value, dict) and value.keys() <= {"include"})


def _nothing(file: str) -> Problem:
    # What an editor leaves for a moment while it saves must not take the gateway down.
    return Problem("", "configures nothing", 1, file, "an empty block will do: gateways: {}")


def _placed(ours: Gathered, imported: Imported) -> Gathered:
    """Lines of their file in the place of those of the text that was made of it."""
    lines = {each.to: each.line for each in reversed(imported.mappings) if each.to}
    root, *others = ours.parts
    placed = dict.fromkeys(root.document.lines, 0)
    for path in placed:
        known = (lines.get(dotted(path[:size])) for size in range(len(path), 0, -1))
        placed[path] = next((line for line in known if line is not None), 1)
    document = replace(root.document, lines=placed)
    return replace(ours, parts=(Part(root.file, document, root.at), *others))
