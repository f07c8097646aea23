"""What was expected of a request, against what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from extproc.trial.cases import CaseBlock, ExpectBlock, Suite
from extproc.trial.trying import Seen, Subject, Unusable, tried


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that does not hold."""

    field: str
    """`rule`; empty: the test itself cannot be made."""
    message: str
    line: int


@dataclass(frozen=True, slots=True)
class Result:
    """Of one test."""

    name: str
    line: int
    failures: tuple[Failure, ...]
    became: str
    """What became of the request, for people."""


def results(of: Subject, suite: Suite) -> Iterator[Result]:
    """Of each test, in the order of the file."""
    for index, case in enumerate(suite.block.tests):
        yield _result(of, suite, index, case)


def _result(of: Subject, suite: Suite, index: int, case: CaseBlock) -> Result:
    line = suite.line(index)
    try:
        seen = tried(of, case.request, response=case.response)
    except Unusable as error:
        where = suite.line(index, "request")
        return Result(case.name, line, (Failure("", str(error), where),), "not tried")
    failures = tuple(
        Failure(field, message, suite.line(index, "expect", field))
        for field, message in differences(case.expect, seen)
    )
    return Result(case.name, line, failures, became(seen))


def became(seen: Seen) -> str:
    """In one line."""
    if seen.denied is not None:
        return f"refused: {seen.denied.status} {seen.denied.code}: {seen.denied.reason}"
    if seen.answered:
        return "answered without a provider"
    tries = ", ".join("/".join(each) for each in seen.tries)
    return f"passed to {tries}" if tries else "passed"


def differences(expected: ExpectBlock, seen: Seen) -> Iterator[tuple[str, str]]:
    """The field that does not hold, and what is so instead."""
    is_denied = seen.denied is not None
    if expected.is_denied is not None and expected.is_denied is not is_denied:
        wanted = "refused" if expected.is_denied else "let through"
        yield "verdict", f"was to be {wanted}, and was {became(seen)}"
    elif seen.denied is not None:
        yield from _of_refusal(expected, seen)
    else:
        yield from _of_plan(expected, seen)
    for name, verdict in expected.audit.items():
        found = seen.audits.get(name)
        if found != verdict.value:
            yield "audit", f"'{name}' was to say {verdict.value}, and said {found or 'nothing'}"


def _of_refusal(expected: ExpectBlock, seen: Seen) -> Iterator[tuple[str, str]]:
    deny = seen.denied
    if deny is None:
        return
    for field, wanted, found in (
        ("status", expected.status, deny.status),
        ("code", expected.code, deny.code),
    ):
        if wanted is not None and wanted != found:
            yield field, f"was to be {wanted}, and is {found}: {deny.reason}"
    if expected.rule is not None and f"'{expected.rule}'" not in deny.reason:
        yield "rule", f"'{expected.rule}' was to refuse it, and it was {became(seen)}"
    if expected.reason is not None and expected.reason not in deny.reason:
        yield "reason", f"was to say '{expected.reason}', and says: {deny.reason}"


def _of_plan(expected: ExpectBlock, seen: Seen) -> Iterator[tuple[str, str]]:
    tries = tuple("/".join(each) for each in seen.tries)
    first = seen.tries[0] if seen.tries else ("nobody", "nothing")
    for field, wanted, found in (
        ("provider", expected.provider, first[0]),
        ("model", expected.model, first[1]),
        ("tries", expected.tries, tries),
    ):
        if wanted is not None and wanted != found:
            yield field, f"was to be {_shown(wanted)}, and is {_shown(found)}"


def _shown(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(value) or "nothing"
