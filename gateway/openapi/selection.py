"""Which operations of a document become tools."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.globs import is_like
from gateway.openapi.values import Selection, Terms


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of an operation before it is read."""

    names: tuple[str, ...]
    """Its operationId, and the name that its tool would have."""
    tags: tuple[str, ...]
    method: str
    path: str


def is_of(selection: Selection, candidate: Candidate) -> bool:
    """Whether an operation is of those that a selection means."""
    if selection.names and not any(is_like(selection.names, each) for each in candidate.names):
        return False
    if selection.tags and not any(is_like(selection.tags, tag) for tag in candidate.tags):
        return False
    if selection.methods and candidate.method.upper() not in map(str.upper, selection.methods):
        return False
    return not selection.paths or is_like(selection.paths, candidate.path)


def is_chosen(terms: Terms, candidate: Candidate) -> bool:
    """Whether an operation becomes a tool."""
    if terms.include and not any(is_of(each, candidate) for each in terms.include):
        return False
    return not any(is_of(each, candidate) for each in terms.exclude)
