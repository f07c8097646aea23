"""What guards check of texts, and what each does with what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from gateway.model import (
    DetectionAction,
    DetectionGuard,
    Guard,
    GuardAction,
    GuardTerms,
    InjectionGuard,
    KeywordGuard,
    LengthGuard,
    Mode,
    RegexGuard,
    RemoteGuard,
    SchemaGuard,
)
from xds_server.check import Check, Failing, Where
from xds_server.form_checks import READ, form_guard
from xds_server.limit_checks import scope_words

OBJECTION = "400 content_policy_violation"
"""What clients of models, tools and agents are told; on plain routes, it is a 403."""


def guard_checks(guards: Iterable[Guard]) -> Iterator[Check]:
    """In the order in which they are asked."""
    for guard in guards:
        match guard:
            case RegexGuard():
                yield _finding_guard(guard, guard.action, _counted(len(guard.patterns), "pattern"))
            case DetectionGuard():
                kinds = _counted(len(guard.kinds), "kind")
                yield _finding_guard(guard, guard.action, f"{kinds} of {guard.type}")
            case InjectionGuard():
                signs = f"signs of injection from {guard.threshold}"
                yield _finding_guard(guard, GuardAction.BLOCK, signs)
            case KeywordGuard():
                yield _finding_guard(guard, guard.action, _counted(len(guard.words), "word"))
            case LengthGuard() | SchemaGuard():
                yield form_guard(guard, scope_words(guard.terms.scope))
            case RemoteGuard():
                yield _remote_guard(guard)
            case _:
                assert_never(guard)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def _finding_guard(
    guard: RegexGuard | DetectionGuard | InjectionGuard | KeywordGuard,
    action: GuardAction | DetectionAction,
    what: str,
) -> Check:
    is_mask = action not in (GuardAction.BLOCK, DetectionAction.BLOCK)
    terms = guard.terms
    held = f", {terms.window} characters of a stream held back" if terms.reads_answers else ""
    read = f"{what}{_texts(terms)}"
    if terms.mode is Mode.AUDIT:
        return _in_audit(f"guard {guard.name} ({action} in audit, {read})", terms)
    name = f"guard {guard.name} ({action}, {read}{held})"
    refusal = f"{OBJECTION}{', where it cannot mask' if is_mask else ''}"
    return Check(name, Where.EXTPROC, READ[terms.phase], refusal, Failing.CLOSED, "")


def _texts(terms: GuardTerms) -> str:
    texts = "" if terms.texts is None else f", {' '.join(sorted(terms.texts))} only"
    return f"{texts}{scope_words(terms.scope)}"


def _in_audit(name: str, terms: GuardTerms) -> Check:
    return Check(name, Where.EXTPROC, READ[terms.phase], "", Failing.OPEN, "counted and logged")


def _remote_guard(guard: RemoteGuard) -> Check:
    """A service is asked: for each request, each answer, each part of a stream."""
    terms = guard.terms
    asks = f"{guard.kind}, asks a service, up to {guard.timeout_seconds:g} s"
    asks += ", while the provider answers" * guard.is_parallel
    asks += f", {terms.window} characters of a stream at a time" * terms.reads_answers
    if terms.mode is Mode.AUDIT:
        return _in_audit(f"guard {guard.name} (in audit, {asks}{_texts(terms)})", terms)
    name, read = f"guard {guard.name} ({asks}{_texts(terms)})", READ[terms.phase]
    refusal, failure = OBJECTION, "what it cannot be asked about "
    if guard.is_open_on_error:
        return Check(name, Where.EXTPROC, read, refusal, Failing.OPEN, f"{failure}passes")
    refusal += ", 503 guardrail_unavailable"
    return Check(name, Where.EXTPROC, read, refusal, Failing.CLOSED, f"{failure}is refused")
