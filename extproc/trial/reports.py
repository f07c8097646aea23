"""Results of policy tests: for people, for programs, and as JUnit's XML for CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from extproc.trial.verdicts import Result


@dataclass(frozen=True, slots=True)
class Report:
    """Of one file."""

    file: Path
    results: Sequence[Result]

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return sum(1 for each in self.results if each.failures)


def lines(reports: Sequence[Report]) -> Iterator[str]:
    """What failed, and where; then how many."""
    for report in reports:
        for result in report.results:
            for failure in result.failures:
                where = f"{report.file}:{failure.line}"
                field = f"{failure.field}: " if failure.field else ""
                yield f"{where}: {result.name}: {field}{failure.message}"
    failed = sum(each.failed for each in reports)
    passed = sum(len(each.results) for each in reports) - failed
    yield f"{passed} passed, {failed} failed" if failed else f"{passed} passed"


def document(reports: Sequence[Report]) -> list[dict[str, object]]:
    """For `--json`."""
    return [
        {
            "file": str(report.file),
            "tests": [
                {**asdict(result), "is_passed": not result.failures} for result in report.results
            ],
        }
        for report in reports
    ]


def junit(reports: Sequence[Report]) -> str:
    """A `testsuites` element with a suite for each file."""
    root = ElementTree.Element("testsuites")
    for report in reports:
        counts = {"tests": str(len(report.results)), "failures": str(report.failed), "errors": "0"}
        suite = ElementTree.SubElement(root, "testsuite", {"name": str(report.file), **counts})
        for result in report.results:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                {
                    "classname": str(report.file),
                    "name": result.name,
                    "file": str(report.file),
                    "line": str(result.line),
                },
            )
            if result.failures:
                told = "\n".join(
                    f"line {each.line}: {each.field}: {each.message}" for each in result.failures
                )
                failure = ElementTree.SubElement(
                    case, "failure", {"message": result.failures[0].message}
                )
                failure.text = told
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
