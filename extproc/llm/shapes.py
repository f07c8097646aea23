"""How a dialect says what in its bodies is structure and not text, field by field.

What is not listed is text: other fields with their names, other words where words are listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import TypeAlias


class Unread(Enum):
    """What is not read of a field's value."""

    ALL = auto()
    """A setting, which steers the model or the provider."""
    STRING = auto()
    """An id, or data; what has words in it is read, and anything but a string."""
    FILE = auto()
    """A file, in base64 or as a data URL; what is text in it is read."""
    FILE_TWICE = auto()
    """A file in base64, which some write in base64 once more."""
    DATA_URL = auto()
    """A URL that holds its data, of which what is text is read; others are read."""
    IMAGE = auto()
    """An image in base64, which is known by how it begins; what is none is read."""


Rule: TypeAlias = "Mapping[str, Rule] | frozenset[str] | Unread"
"""The fields of an object, or of each object of an array; or the words that a value may be."""
Fields: TypeAlias = Mapping[str, Rule]


class Parts(dict[str, Rule]):
    """The fields of the parts of a content: the texts of an array of them are one text."""


class Messages(dict[str, Rule]):
    """The fields of a message that may be a `content`, in `Parts` or a string, and a `role`."""


class Attachment(dict[str, Rule]):
    """The fields of an attachment, which is also given as its URL alone."""


class ByType(dict[str, Rule]):
    """The fields of an object whose `type` is one of these; objects of others have other fields."""

    def __init__(self, types: frozenset[str], fields: Fields, otherwise: Fields) -> None:
        super().__init__(fields)
        self.types = types
        self.otherwise = otherwise


def of_type(value: Mapping[str, object], fields: ByType) -> Fields:
    """The fields of an object, as its type says."""
    kind = value.get("type")
    return fields if type(kind) is str and kind in fields.types else fields.otherwise


FREE: Fields = {}
"""Nothing is known: all is read."""
