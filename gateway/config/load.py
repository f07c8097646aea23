"""YAML text → Config, or every Problem at once.

Reading, schema and rules each go on past the mistakes of the one before: what is wrong is put
aside, and what is only wrong because of that is not reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count, islice
from pathlib import Path as FilePath

from pydantic import ValidationError

from gateway.config.check import check
from gateway.config.document import Document, read
from gateway.config.finding import Finding, Path, dotted
from gateway.config.schema import Config, Source
from gateway.config.wording import worded
from gateway.config.written import Written
from gateway.problem import Problem


def load(text: str, *, file: str, environment: Mapping[str, str]) -> Config | tuple[Problem, ...]:
    """Read, check, and say everything that is wrong."""
    document = read(text, environment)
    findings = list(document.findings)
    if document.is_readable and not findings and document.value in (None, {}):
        # What an editor leaves for a moment while it saves must not take the gateway down.
        return (Problem("", "configures nothing", 1, file, "an empty block will do: gateways: {}"),)
    if document.is_readable:
        validation = _Validation(document)
        config = validation.run()
        findings += validation.findings
        if config is not None:
            found = check(Written.of(config, document.value))
            findings += [validation.in_document(each) for each in found]
            if not findings:
                return config.written_in(Source(file, document.lines))
    return _problems(findings, document, file)


def load_file(path: FilePath, environment: Mapping[str, str]) -> Config | tuple[Problem, ...]:
    """The same for a file; one that cannot be read is a Problem too."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return (Problem("", f"cannot be read: {reason}", file=str(path)),)
    except UnicodeDecodeError as error:
        return (Problem("", f"not utf-8: byte {error.start} is invalid", file=str(path)),)
    return load(text, file=str(path), environment=environment)


def _problems(findings: list[Finding], document: Document, file: str) -> tuple[Problem, ...]:
    problems = {
        Problem(
            dotted(each.path),
            each.message,
            each.line or document.line(each.path) or 1,
            file,
            each.hint,
        ): None
        for each in findings
    }
    return tuple(sorted(problems, key=lambda each: (each.line, each.path, each.message)))


class _Validation:
    """Validates, putting aside what is wrong until the rest holds or nothing is left."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.lost = set(document.lost)
        self.findings: list[Finding] = []

    def run(self) -> Config | None:
        """What can be understood of the document, if anything can."""
        while () not in self.lost:
            value = _without(self.document.value, self.lost)
            try:
                return Config.model_validate({} if value is None else value)
            except ValidationError as error:
                self.put_aside(worded(error, value, self.document))
        return None

    def put_aside(self, found: list[Finding]) -> None:
        wrong = set()
        places = {each.path for each in found}
        for each in found:
            if any(other[: len(each.path)] == each.path != other for other in places):
                continue  # a list that is too short because of what is in it
            path = self.original(each.path)
            is_known = path in self.lost
            if not is_known and not any(other[:-1] == path for other in self.lost):
                self.findings.append(replace(each, path=path))
            is_written = path in self.document.lines
            wrong.add(path if is_written and not is_known else path[:-1])
        self.lost |= wrong

    def in_document(self, found: Finding) -> Finding:
        """A rule's finding, its path led back to what was written."""
        path = whole = self.original(found.path)
        while path and path not in self.document.lines:
            path = path[:-1]
        return replace(found, path=path or whole)  # defaults are written nowhere

    def original(self, path: Path) -> Path:
        """The path in the document of a path in what is left of it: positions in lists differ."""
        result: Path = ()
        for part in path:
            if isinstance(part, int):
                kept = (i for i in count() if (*result, i) not in self.lost)
                result = (*result, next(islice(kept, part, None)))
            else:
                result = (*result, part)
        return result


def _without(value: object, lost: set[Path], path: Path = ()) -> object:
    if isinstance(value, dict):
        return {
            key: _without(item, lost, (*path, key))
            for key, item in value.items()
            if (*path, key) not in lost
        }
    if isinstance(value, list):
        return [
            _without(item, lost, (*path, index))
            for index, item in enumerate(value)
            if (*path, index) not in lost
        ]
    return value
