"""Findings of an import as text for people, security first, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from gateway.imported import Imported, Mapped, Outcome, counts

_NAMES = {"agentgateway": "AgentGateway", "litellm": "LiteLLM"}
_TITLES: tuple[tuple[Outcome, str], ...] = (
    (Outcome.UNSUPPORTED, "not taken over"),
    (Outcome.DIFFERENT, "taken over with a difference"),
    (Outcome.EXACT, "taken over as it is"),
)
_WIDEST_PATH = 60


class Row(TypedDict):
    """One finding in JSON."""

    path: str
    line: int
    outcome: str
    to: str
    note: str
    security: bool
    sum: bool


class Document(TypedDict):
    """What `dragoman import --json` prints, but for the YAML."""

    file: str
    dialect: str
    counts: dict[str, int]
    security: int
    findings: list[Row]


def has_unsupported(imported: Imported) -> bool:
    """Whether anything was left out."""
    return any(each.outcome is Outcome.UNSUPPORTED for each in imported.mappings)


def document(imported: Imported, file: str) -> Document:
    """Everything, in the order of the file."""
    return Document(
        file=file,
        dialect=imported.dialect,
        counts={outcome.value: count for outcome, count in counts(imported.mappings).items()},
        security=sum(each.is_security for each in imported.mappings),
        findings=[_row(each) for each in imported.mappings],
    )


def text(imported: Imported, file: str, *, with_exact: bool = True) -> str:
    """Lines for a terminal: the sum, then security, what is missing, what differs, what is exact.

    A finding about security stands in its own group alone. Blocks that only sum up what is below
    are left out.
    """
    lines = [summary(imported, file)]
    mappings = [each for each in imported.mappings if not each.is_sum]
    about_security = [each for each in mappings if each.is_security]
    lines += _group("security: read these first", about_security)
    for outcome, title in _TITLES:
        if outcome is Outcome.EXACT and not with_exact:
            continue
        rest = [each for each in mappings if each.outcome is outcome and not each.is_security]
        lines += _group(title, rest)
    return "\n".join(lines) + "\n"


def summary(imported: Imported, file: str) -> str:
    """One line: whose file it is, and how many keys fared how; a block that fared as one is one."""
    found = counts(imported.mappings)
    whose = _NAMES.get(imported.dialect, imported.dialect)
    said = ", ".join(f"{found[outcome]} {outcome.value}" for outcome in Outcome)
    security = sum(each.is_security for each in imported.mappings)
    about = f"; {security} about security" if security else ""
    return f"{file}: a configuration of {whose}: {sum(found.values())} keys: {said}{about}"


def _group(title: str, mappings: Sequence[Mapped]) -> Iterator[str]:
    if not mappings:
        return
    yield ""
    yield f"{title} ({len(mappings)})"
    width = min(max(len(each.path) for each in mappings), _WIDEST_PATH)
    number = max(len(str(each.line)) for each in mappings)
    for each in mappings:
        yield f"  {each.line:>{number}}  {each.path:<{width}}  {_said(each)}".rstrip()


def _said(mapping: Mapped) -> str:
    parts = [f"→ {mapping.to}"] if mapping.to else []
    if mapping.note:
        parts.append(f"({mapping.note})" if mapping.to else mapping.note)
    return " ".join(parts)


def _row(mapping: Mapped) -> Row:
    return Row(
        path=mapping.path,
        line=mapping.line,
        outcome=mapping.outcome.value,
        to=mapping.to,
        note=mapping.note,
        security=mapping.is_security,
        sum=mapping.is_sum,
    )
