"""The model that a query names, as OpenAI's realtime API has it: `/realtime?model=gpt-realtime`.

WHATWG URL, "application/x-www-form-urlencoded", with what servers read differently refused.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_plus

_MODEL = "model"


class AmbiguousQuery(ValueError):
    """Two readers could find two models in it."""


def model_of_query(path: str) -> str:
    """The model; empty: the query names none."""
    found = [value for name, value in _members(path) if name == _MODEL]
    if len(found) > 1:
        raise AmbiguousQuery("the query names the model twice")
    return found[0] if found else ""


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


def _name(member: str) -> str:
    return _decoded(member.partition("=")[0])


def _decoded(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise AmbiguousQuery("the query is not utf-8") from None
