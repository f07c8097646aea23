"""`${VAR}` and `${VAR:-default}` inside one string; `$${` stands for a literal `${`.

Works on a scalar that YAML has already read, so a value can never become structure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_MARK = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")


@dataclass(frozen=True, slots=True)
class Substituted:
    """The text with its variables replaced, and what could not be."""

    text: str
    unset: tuple[str, ...] = ()
    """Variables that have neither a value nor a default."""
    is_malformed: bool = False
    """A `${` that starts no variable."""


def substitute(text: str, environment: Mapping[str, str]) -> Substituted:
    """Replace every variable once; what a value contains is not looked at again."""
    if "${" not in text:
        return Substituted(text)
    unset: list[str] = []
    malformed: list[str] = []

    def value(match: re.Match[str]) -> str:
        whole, name, default = match[0], match[1], match[2]
        if whole == "$${":
            return "${"
        if name is None:
            malformed.append(whole)
            return whole
        found = environment.get(name)
        if default is not None:
            return found or default
        if found is None:
            unset.append(name)
        return found or ""

    replaced = _MARK.sub(value, text)
    return Substituted(replaced, tuple(dict.fromkeys(unset)), bool(malformed))


def escape(text: str) -> str:
    """What has to be written for `substitute` to give `text`."""
    return text.replace("${", "$${")


def each_text(value: object, change: Callable[[str], str]) -> object:
    """A document with every text in it changed; keys stay as they are."""
    match value:
        case str():
            return change(value)
        case dict():
            return {key: each_text(item, change) for key, item in value.items()}
        case list():
            return [each_text(item, change) for item in value]
    return value
