"""The same results for people, programs and CI."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from extproc.trial.reports import Report, document, junit, lines
from extproc.trial.verdicts import Failure, Result

GOOD = Result("good", 3, (), "passed")
BAD = Result("<bad>", 5, (Failure("rule", "'x' was to refuse it", 7),), "passed")
REPORTS = [Report(Path("a.yaml"), (GOOD, BAD)), Report(Path("b.yaml"), (GOOD,))]


def test_people_read_what_failed_and_how_many() -> None:
    assert list(lines(REPORTS)) == [
        "a.yaml:7: <bad>: rule: 'x' was to refuse it",
        "2 passed, 1 failed",
    ]
    assert list(lines(REPORTS[1:])) == ["1 passed"]


def test_programs_read_everything() -> None:
    one, two = document(REPORTS)
    assert one["file"] == "a.yaml"
    tests = one["tests"]
    assert isinstance(tests, list)
    assert [(each["name"], each["is_passed"], each["line"]) for each in tests] == [
        ("good", True, 3),
        ("<bad>", False, 5),
    ]
    assert two["file"] == "b.yaml"


def test_ci_reads_a_suite_for_each_file() -> None:
    first, second = ElementTree.fromstring(junit(REPORTS))
    assert (first.get("tests"), first.get("failures")) == ("2", "1")
    assert (second.get("tests"), second.get("failures")) == ("1", "0")
    _, bad = first
    assert (bad.get("name"), bad.get("line")) == ("<bad>", "5")
    (failure,) = bad
    assert failure.get("message") == "'x' was to refuse it"
    assert failure.text is not None
    assert "line 7: rule: " in failure.text
