"""What is wrong with a client's body, in the words of a refusal: one wording for all dialects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import NoneType

from extproc.protocols.json_spans import DuplicateKey, InvalidJson, TooComplex, TooDeep
from extproc.verdict import Deny

MAX_MODEL_CHARACTERS = 256
MAX_COUNT = 2**31 - 1
"""The largest number of tokens or choices that is accepted."""

_KINDS: Mapping[type, str] = {
    str: "a string",
    list: "an array",
    dict: "an object",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    NoneType: "null",
}
_NO_MODEL_NAME = Deny(
    400,
    "invalid_value",
    f"model must be a name of 1 to {MAX_MODEL_CHARACTERS} characters, without spaces",
    param="model",
)
_DOTS = frozenset({".", ".."})


class Unfit(Exception):
    """A request, somewhere within, is not of the form that its API documents."""

    def __init__(self, deny: Deny) -> None:
        super().__init__(deny.reason)
        self.deny = deny


def unreadable(error: InvalidJson) -> Deny:
    """Of a body that is no JSON, or too much of it."""
    match error:
        case DuplicateKey():
            return Deny(400, "duplicate_key", str(error))
        case TooDeep():
            return Deny(400, "too_deep", f"the body is nested too deeply: {error}")
        case TooComplex():
            return Deny(400, "too_complex", f"the body has too many values: {error}")
        case _:
            return Deny(400, "invalid_json", f"the body is not valid JSON: {error}")


def not_a(kind: type, parent: Mapping[str, object], name: str, where: str = "") -> Deny:
    """Of a member that ought to be of this kind and is not, or is not there."""
    if name in parent:
        return wrong_type(kind, parent[name], where + name)
    reason = f"missing required parameter: {where}{name}"
    return Deny(400, "missing_required_parameter", reason, param=where + name)


def wrong_type(kind: type, value: object, where: str) -> Deny:
    reason = f"{where} must be {_KINDS[kind]}, not {_KINDS[type(value)]}"
    return Deny(400, "invalid_type", reason, param=where)


def wrong_value(where: str, rule: str) -> Deny:
    """`rule` says what would be right: `must be 1 or more`."""
    return Deny(400, "invalid_value", f"{where} {rule}", param=where)


def of_count(value: object, where: str, least: int = 1) -> Deny | None:
    """Of a number of tokens or choices, which may be absent."""
    if value is None:
        return None
    if type(value) is not int:
        return wrong_type(int, value, where)
    if not least <= value <= MAX_COUNT:
        return wrong_value(where, f"must be between {least} and {MAX_COUNT}")
    return None


def of_model(name: str) -> Deny | None:
    """Names end up in paths, headers and logs."""
    if not 0 < len(name) <= MAX_MODEL_CHARACTERS or " " in name or not name.isprintable():
        return _NO_MODEL_NAME
    return _NO_MODEL_NAME if "." in name and leads_elsewhere(name) else None


def leads_elsewhere(name: str) -> bool:
    """Whether a path with this name in it could be read as another."""
    return (name[0] == "." or "/." in name) and not _DOTS.isdisjoint(name.split("/"))


def of_others(document: Mapping[str, object]) -> Deny | None:
    """OpenRouter's servers ask these models, too; here that is for the configuration to say."""
    if document.get("models"):
        return wrong_value("models", "must not be given: one model is asked for, in model")
    return None


def of_names(document: Mapping[str, object], decided_on: Collection[str]) -> Deny | None:
    """Some readers (Go's) match names without regard to case: to them `Model` is `model`."""
    for name in document:
        if name not in decided_on:
            folded = name.casefold()
            if folded in decided_on:
                reason = f"{name!r} could be read as {folded!r}"
                return Deny(400, "ambiguous_key", reason, param=name)
    return None
