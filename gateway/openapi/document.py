"""A document that is being read: its edition, its references, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from gateway.openapi.reading import Place, Tree

_LONGEST_SHOWN = 100


class Edition(Enum):
    """Which specification it follows."""

    SWAGGER_2 = "2.0"
    OPENAPI_3_0 = "3.0"
    OPENAPI_3_1 = "3.1"
    """And 3.2, whose schemas are the same."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that is wrong, and where."""

    place: Place
    message: str
    hint: str = ""


class Unreadable(Exception):
    """What depends on it cannot be read. The mistake is noted."""


class Document:
    """Looks up, and collects mistakes. The tree is not changed."""

    def __init__(self, root: dict[str, Tree], edition: Edition) -> None:
        self.root = root
        self.edition = edition
        self.mistakes: list[Mistake] = []

    def wrong(self, place: Place, message: str, hint: str = "") -> None:
        """Note a mistake, once."""
        mistake = Mistake(place, message, hint)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def followed(self, node: Tree, place: Place) -> tuple[Tree, Place]:
        """What a reference leads to, with its own place; anything else is itself.

        Raises `Unreadable`.
        """
        seen = set()
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            if place in seen:
                self.wrong(place, "the reference leads to itself")
                raise Unreadable
            seen.add(place)
            node, place = self._target(node["$ref"], place)
        return node, place

    def mapping(self, node: Tree, place: Place) -> dict[str, Tree]:
        """An object, behind references; nothing (None) is an empty one. Raises `Unreadable`."""
        found, found_place = self.followed(node, place)
        if found is None:
            return {}
        if not isinstance(found, dict):
            self.wrong(found_place, "must be an object")
            raise Unreadable
        return found

    def items(self, node: Tree, place: Place) -> list[Tree]:
        """A list; nothing is an empty one. Raises `Unreadable`."""
        if node is None:
            return []
        if not isinstance(node, list):
            self.wrong(place, "must be a list")
            raise Unreadable
        return node

    def _target(self, reference: str, place: Place) -> tuple[Tree, Place]:
        shown = reference[:_LONGEST_SHOWN]
        if not reference.startswith("#"):
            hint = "put all into one file, with a bundler"
            self.wrong(place, f"the reference '{shown}' leads out of the document", hint)
            raise Unreadable
        if reference != "#" and not reference.startswith("#/"):
            self.wrong(place, f"the reference '{shown}' is no path in the document")
            raise Unreadable
        node: Tree = self.root
        found: list[str | int] = []
        for part in unquote(reference[1:]).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and name in node:
                node = node[name]
                found.append(name)
            elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
                node = node[int(name)]
                found.append(int(name))
            else:
                self.wrong(place, f"the reference '{shown}' leads to nothing")
                raise Unreadable
        return node, tuple(found)
