"""Names that every model can say: of tools, and of their arguments."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container

LONGEST = 64
"""Of most models' APIs, for tools and arguments alike."""

_ILLEGAL_IN_TOOLS = re.compile(r"[^A-Za-z0-9_-]+")
_ILLEGAL_IN_ARGUMENTS = re.compile(r"[^A-Za-z0-9_.-]+")
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_HASH_LENGTH = 8


def tool_name(text: str) -> str:
    """A text as the name of a tool; empty when nothing of it can be said."""
    return shortened(_ILLEGAL_IN_TOOLS.sub("_", text).strip("_"))


def argument_name(text: str) -> str:
    """The name of a parameter, or of a property, as an argument's."""
    if text and len(text) <= LONGEST and not _ILLEGAL_IN_ARGUMENTS.search(text):
        return text
    return shortened(_ILLEGAL_IN_ARGUMENTS.sub("_", text).strip("_") or "argument")


def generated_name(method: str, path: str) -> str:
    """Of an operation without a name: `get_pets_by_id`."""
    return tool_name(method.lower() + _PARAMETER.sub(r"by_\1", path))


def unique(name: str, taken: Container[str]) -> str:
    """The name, or the first `name_2` that is free."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name[: LONGEST - len(str(number)) - 1]}_{number}"
    return found


def shortened(name: str) -> str:
    """At most `LONGEST`: the beginning, and a hash of all."""
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: LONGEST - _HASH_LENGTH - 1]}_{digest}"
