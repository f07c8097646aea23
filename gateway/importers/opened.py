"""Which operations of the LLM APIs an imported file leaves open, as ours says it: families of paths
that are not served at all, and a rule about the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gateway.apis import DEFAULT_PREFIXES, ROWS, Family, Found, Paths, Row
from gateway.operations import Operation

LISTS = frozenset({Operation.MODELS, Operation.MODEL})
"""Answered by the gateway, under no rule: what clients may know of models, `listed` says."""
STORED = frozenset(
    {
        Operation.FILES,
        Operation.UPLOADS,
        Operation.BATCHES,
        Operation.MESSAGE_BATCHES,
        Operation.GEMINI_CACHE,
        Operation.GEMINI_CACHES,
        Operation.GEMINI_FILES,
        Operation.GEMINI_UPLOADS,
        Operation.MESSAGE_FILES,
        Operation.RESPONSE,
    }
)
"""What an account keeps: refused unless `llm.stored_at` names somebody."""
_MODEL = "{model}"
_BELOW = "/*"


@dataclass(frozen=True, slots=True)
class Place:
    """An operation at one of the default prefixes of its family."""

    prefix: str
    row: Row

    @property
    def path(self) -> str:
        """With `{model}` and `/*` as the table has them."""
        return self.row.at(self.prefix)

    def takes(self, path: str) -> bool:
        """Whether a path is this one, or of this kind."""
        before, _, after = self.path.partition(_MODEL)
        if self.is_exact:
            return path == self.path
        if self.path.endswith(_BELOW):
            bare = self.path.removesuffix(_BELOW)
            return path == bare or path.startswith(f"{bare}/")
        start = f"{self.prefix}/" if self.row.family is Family.GEMINI else before
        return path.startswith(start) and path.endswith(after)

    @property
    def is_exact(self) -> bool:
        """One path alone."""
        return _MODEL not in self.path and not self.path.endswith(_BELOW)

    @property
    def beginning(self) -> str:
        """What all of its paths begin with; no trailing slash."""
        return self.path.removesuffix(_BELOW).partition(_MODEL)[0].rstrip("/")

    @property
    def sample(self) -> str:
        """A path that is taken."""
        return self.path.removesuffix(_BELOW).replace(_MODEL, "m")


PLACES: tuple[Place, ...] = tuple(
    Place(prefix, row)
    for row in ROWS
    for prefix in DEFAULT_PREFIXES[row.family]
    if row.operation not in LISTS
)
"""All that could be open or closed, in the order of the table."""
EVERYTHING = frozenset(PLACES)
_WRITTEN_OUT = re.compile(r"/[A-Za-z0-9._~:@%/-]+")
"""A path without query, variable or pattern."""
METHODS = ("POST", "GET", "DELETE", "PUT", "PATCH")
_PATHS = Paths(DEFAULT_PREFIXES)


def paths(places: Collection[Place]) -> dict[str, object]:
    """`llm.paths`: families of which nothing is open are switched off."""
    served = {place.row.family for place in places}
    known = {place.row.family for place in PLACES}
    return {family.value: [] for family in Family if family in known - served}


def condition(places: Collection[Place], served: Collection[Place]) -> str:
    """CEL that holds for requests at these places; empty: they are all that is served.

    `served`: those of families that are not switched off.
    """
    closed = [place for place in PLACES if place in served and place not in places]
    if not closed:
        return ""
    tests = _tests([place for place in PLACES if place in places], closed)
    return " || ".join(tests) or "false"


def of_families(places: Collection[Place]) -> frozenset[Place]:
    """All places of the families that have one of these."""
    families = {place.row.family for place in places}
    return frozenset(place for place in PLACES if place.row.family in families)


def known_path(text: str) -> str:
    """Where ours has what is at a path of theirs, with or without `/v1`; empty: nowhere."""
    for path in (text, f"/v1{text}"):
        if _at(path):
            return path
    return ""


def at(paths: Iterable[str]) -> frozenset[Place]:
    """The places of these paths."""
    found = [_at(path) for path in paths]
    return frozenset(place for each in found for place in each)


def _at(path: str) -> list[Place]:
    if not _WRITTEN_OUT.fullmatch(path):
        return []
    known = [_PATHS.find(method, path) for method in METHODS]
    operations = {found.operation for found in known if isinstance(found, Found)} - LISTS
    if Operation.FILES in operations:  # a header tells whose
        operations |= {Operation.MESSAGE_FILES, Operation.GEMINI_FILES}
    placed = [place for place in PLACES if place.row.operation in operations]
    return [place for place in placed if place.takes(path)]


def _tests(places: Iterable[Place], closed: Iterable[Place]) -> list[str]:
    exact: dict[str, None] = {}
    others: dict[str, None] = {}
    barred = [place.path for place in closed if place.is_exact]
    for place in places:
        if place.is_exact:
            exact[place.path] = None
        elif place.path.endswith(_BELOW):
            others[_below(place.path.removesuffix(_BELOW), barred)] = None
        else:
            others[_named(place)] = None
    first = [f"request.path in {_list(exact)}"] if exact else []
    return [*first, *others]


def _below(path: str, barred: Iterable[str]) -> str:
    test = f"request.path == {_text(path)} || request.path.startsWith({_text(path + '/')})"
    inside = [each for each in barred if each == path or each.startswith(f"{path}/")]
    return f"(({test}) && !(request.path in {_list(inside)}))" if inside else f"({test})"


def _named(place: Place) -> str:
    before, _, after = place.path.partition(_MODEL)
    end = f"request.path.endsWith({_text(after)})"
    if place.row.family is Family.GEMINI:  # of Vertex, much may stand before the models
        start = f"request.path.startsWith({_text(place.prefix + '/')})"
    else:
        start = f"request.path.startsWith({_text(before)})"
    return f"({start} && {end})"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
