"""Modalities: the media types that an agent or a skill takes and gives, and those of a message.

A2A 1.0 §4.4.1 and §4.4.5 (`defaultInputModes`, `inputModes`), RFC 9110 §8.3.1. Where nothing is
declared, nothing is checked. Older cards have words (`text`, `file`) instead of media types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from extproc.a2a.cards import Card

_ANY: Final = "*"
_WORDS: Final[Mapping[str, str]] = {
    "*": "*/*",
    "text": "text/*",
    "data": "application/json",
    "json": "application/json",
    "file": "*/*",
    "image": "image/*",
    "audio": "audio/*",
    "video": "video/*",
}
_SUFFIX: Final = "+json"
_LONGEST_SHOWN: Final = 100
_MOST_SHOWN: Final = 20


class MediaType(Struct, frozen=True):
    """`text/plain;charset=utf-8`; a type or subtype may be `*`."""

    type: str
    subtype: str
    parameters: tuple[tuple[str, str], ...] = ()

    def fits(self, other: MediaType) -> bool:
        """Whether something can be both. A parameter that only one of them has is no hindrance."""
        if self.type != other.type and _ANY not in (self.type, other.type):
            return False
        if self.subtype != other.subtype and _ANY not in (self.subtype, other.subtype):
            return False
        if not self.parameters or not other.parameters:
            return True
        said = dict(other.parameters)
        return all(said.get(name, value) == value for name, value in self.parameters)

    @property
    def is_json(self) -> bool:
        """Whether structured data can be said in it."""
        return self.subtype in ("json", _ANY) or self.subtype.endswith(_SUFFIX)


def media_type(text: str) -> MediaType:
    """What is none fits only what is written the same."""
    essence, *parameters = text.lower().split(";")
    essence = essence.strip()
    kind, _, subtype = _WORDS.get(essence, essence).partition("/")
    return MediaType(kind, subtype, tuple(_parameter(each) for each in parameters if each.strip()))


class Mismatch(Struct, frozen=True):
    """What an agent does not take, or cannot give: for `ContentTypeNotSupportedError`."""

    message: str
    metadata: Mapping[str, str]
    """`mediaType` and `supported`, with commas between; of a message's part, also `part`."""


class Modes(Struct, frozen=True):
    """What is taken, or given. Empty: anything."""

    declared: tuple[str, ...] = ()
    types: tuple[MediaType, ...] = ()

    def fits(self, said: MediaType) -> bool:
        """Whether one of them fits."""
        return not self.types or any(each.fits(said) for each in self.types)


class CardModes(Struct, frozen=True):
    """What a card declares."""

    inputs: Modes
    """Of the agent and all its skills: which of these a message is for, nobody knows."""
    outputs: Modes
    inputs_of: Mapping[str, Modes]
    """By the id of a skill."""
    outputs_of: Mapping[str, Modes]

    def mismatch(
        self, parts: Sequence[Mapping[str, object]], accepted: Iterable[str], skill: str = ""
    ) -> Mismatch | None:
        """Why a message, in words of either revision, is not for the agent or its skill; None: it
        is. A skill that the card does not have is no hindrance."""
        inputs = self.inputs_of.get(skill, self.inputs)
        if inputs.types:
            for position, part in enumerate(parts):
                found = _mismatched(part, position, inputs)
                if found is not None:
                    return found
        return _not_given(tuple(accepted), self.outputs_of.get(skill, self.outputs))


def modes(declared: Iterable[str]) -> Modes:
    """Media types that are declared, once each."""
    texts = tuple(dict.fromkeys(declared))
    return Modes(texts, tuple(dict.fromkeys(media_type(each) for each in texts)))


def modes_of(card: Card) -> CardModes:
    """Of a card; its skills have the agent's where they declare none."""
    return CardModes(
        modes((*card.input_modes, *(mode for each in card.skills for mode in each.input_modes))),
        modes((*card.output_modes, *(mode for each in card.skills for mode in each.output_modes))),
        {each.id: modes(each.input_modes or card.input_modes) for each in card.skills},
        {each.id: modes(each.output_modes or card.output_modes) for each in card.skills},
    )


def _mismatched(part: Mapping[str, object], position: int, inputs: Modes) -> Mismatch | None:
    said = _said(part)
    if said:
        if inputs.fits(media_type(said)):
            return None
    elif "text" in part:
        if any(each.type in ("text", _ANY) for each in inputs.types):
            return None
        said = "text/plain"
    elif "data" in part:
        if any(each.is_json for each in inputs.types):
            return None
        said = "application/json"
    else:
        return None  # a file of which nothing is known
    supported = _shown(inputs.declared)
    message = f"part {position + 1} of the message is {_cut(said)}; accepted are {supported}"
    metadata = {"part": str(position + 1), "mediaType": _cut(said), "supported": supported}
    return Mismatch(message, metadata)


def _said(part: Mapping[str, object]) -> str:
    """The media type of a part, in whichever revision's words; empty: it says none."""
    file = part.get("file")
    for said in (part, file if isinstance(file, Mapping) else {}):
        for name in ("mediaType", "mimeType"):
            value = said.get(name)
            if isinstance(value, str) and value:
                return value
    return ""


def _not_given(accepted: tuple[str, ...], outputs: Modes) -> Mismatch | None:
    if not accepted or any(outputs.fits(media_type(each)) for each in accepted):
        return None
    wanted, supported = _shown(accepted), _shown(outputs.declared)
    message = f"none of the accepted output modes {wanted} is given; given are {supported}"
    return Mismatch(message, {"mediaType": wanted, "supported": supported})


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip().strip('"')


def _shown(texts: tuple[str, ...]) -> str:
    return ", ".join(_cut(each) for each in texts[:_MOST_SHOWN])


def _cut(text: str) -> str:
    return text[:_LONGEST_SHOWN]
