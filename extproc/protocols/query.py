"""The model that a query names, as OpenAI's realtime API has it: `/realtime?model=gpt-realtime`.

WHATWG URL, "application/x-www-form-urlencoded", with what servers read differently refused.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote, unquote_plus

_MODEL = "model"


class AmbiguousQuery(ValueError):
    """Two readers could find two models in it."""


def model_of_query(path: str, other: str = "") -> str:
    """The model; empty: the query names none. `other` is another name of the member: Azure's."""
    names = (_MODEL, other) if other else (_MODEL,)
    found = [value for name, value in _members(path) if name in names]
    if len(found) > 1:
        raise AmbiguousQuery("the query names the model twice")
    return found[0] if found else ""


def joined(path: str, rest: str) -> str:
    """A provider's path with what a client asks below it. What the path says in a query of its own,
    the client does not say."""
    bare, _, own = path.partition("?")
    below, _, asked = rest.partition("?")
    if not own:
        return path + rest
    said = {_loosely(each) for each in own.split("&")}
    kept = [each for each in asked.split("&") if each and _loosely(each) not in said]
    return f"{bare}{below}?{'&'.join([own, *kept])}"


def without(rest: str, names: Collection[str]) -> str:
    """What a client asks, without these members of its query."""
    below, _, asked = rest.partition("?")
    kept = [each for each in asked.split("&") if each and _loosely(each) not in names]
    return f"{below}?{'&'.join(kept)}" if kept else below


def with_model(path: str, model: str) -> str:
    """The path with a query that names this model."""
    bare, mark, query = path.partition("?")
    said = f"{_MODEL}={quote(model, safe='')}"
    if not mark or not query:
        return f"{bare}?{said}"
    members = query.split("&")
    kept = [said if _name(each) == _MODEL else each for each in members]
    return f"{bare}?{'&'.join(kept if said in kept else [*kept, said])}"


def _members(path: str) -> list[tuple[str, str]]:
    query = path.partition("?")[2]
    if ";" in query:
        raise AmbiguousQuery("a ';' in the query, which separates for some")
    found: list[tuple[str, str]] = []
    for member in query.split("&"):
        name = _name(member)
        if name != _MODEL and name.partition("[")[0].strip().casefold() == _MODEL:
            raise AmbiguousQuery(f"{name!r} could be read as '{_MODEL}'")
        found.append((name, _decoded(member.partition("=")[2])))
    return found


def _loosely(member: str) -> str:
    """The name of a member, of which nothing depends but whether it is said twice."""
    return unquote_plus(member.partition("=")[0])


def _name(member: str) -> str:
    return _decoded(member.partition("=")[0])


def _decoded(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise AmbiguousQuery("the query is not utf-8") from None
