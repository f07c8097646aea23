"""A merged document → Config, or every Problem at once.

Schema and rules each go on past the mistakes of the one before: what is wrong is put aside, and
what is only wrong because of that is not reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count, islice

from pydantic import ValidationError

from gateway.config.check import check
from gateway.config.finding import Finding, Path, dotted
from gateway.config.kept import KeptBlocks
from gateway.config.merging import Merged
from gateway.config.schema import Config, Source
from gateway.config.wording import worded
from gateway.config.written import Written
from gateway.problem import Problem


def understood(
    merged: Merged, value: object, others: Iterable[Finding] = (), kept: KeptBlocks | None = None
) -> Config | tuple[Problem, ...]:
    """What the document means, or everything that is wrong with it.

    `value`: the merged one, with the files that it names read; `others`: what was wrong with them;
    `kept`: what was valid in the documents before.
    """
    findings = [*merged.findings, *others]
    validation = _Validation(merged, value, {each.path for each in others}, kept or KeptBlocks())
    config = validation.run()
    findings += validation.findings
    if config is not None and merged.is_readable:
        found = check(Written.of(config, merged.value))
        findings += [validation.in_document(each) for each in found]
    if config is not None and not findings:
        return config.written_in(Source(merged.parts[0].file, merged.place))
    return problems_of(findings, merged)


def problems_of(findings: Iterable[Finding], merged: Merged) -> tuple[Problem, ...]:
    """Findings with their places, in the order of the files and their lines."""
    order = {part.file: index for index, part in enumerate(merged.parts)}
    found = dict.fromkeys(_problem(each, merged) for each in findings)
    return tuple(
        sorted(found, key=lambda one: (order.get(one.file, 0), one.line, one.path, one.message))
    )


def _problem(found: Finding, merged: Merged) -> Problem:
    if found.file:
        return Problem(dotted(found.path), found.message, found.line, found.file, found.hint)
    place = merged.place(found.path)
    line = found.line or place.line or 1
    return Problem(dotted(place.path), found.message, line, place.file, found.hint)


class _Validation:
    """Validates, putting aside what is wrong until the rest holds or nothing is left."""

    def __init__(
        self, document: Merged, value: object, lost: Iterable[Path], kept: KeptBlocks
    ) -> None:
        self.document = document
        self.value = value
        self.lost = {*document.lost, *lost}
        self.kept = kept
        self.findings: list[Finding] = []

    def run(self) -> Config | None:
        """What can be understood of the document, if anything can."""
        while () not in self.lost:
            value = _without(self.value, self.lost) if self.lost else self.value
            blocks = value if self.lost else self.kept.put_in(value)
            try:
                return Config.model_validate({} if blocks is None else blocks)
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
            if not is_known and not self.lacks(path):
                self.findings.append(replace(each, path=path))
            is_written = self.document.is_written(path)
            wrong.add(path if is_written and not is_known else path[:-1])
        self.lost |= wrong

    def lacks(self, path: Path) -> bool:
        """Whether a block is without something that was put aside: a member, or all of one."""
        return any(
            other[:-1] == path
            or (len(other) == len(path) + 2 and other[:-2] == path and self.is_hollow(other[:-1]))
            for other in self.lost
        )

    def is_hollow(self, path: Path) -> bool:
        """Whether nothing is left of what was written there."""
        value = self.value
        for part in path:
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return True
        return not _without(value, self.lost, path)

    def in_document(self, found: Finding) -> Finding:
        """A rule's finding, its path led back to what was written."""
        path = whole = self.original(found.path)
        while path and not self.document.is_written(path):
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
