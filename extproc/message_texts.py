"""Texts of messages that are no conversation: all of one stand in one place, by their shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extproc.llm import texts
from extproc.llm.shapes import Fields
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Placed, Reword, Reworded, Rewording
from extproc.verdict import By, Deny, PolicyKind
from gateway.model import TextScope


class _Still:
    """A rewording for which everything stands in one place."""

    def __init__(self, rewording: Rewording) -> None:
        self._rewording = rewording

    def text(self, text: str) -> str:
        return self._rewording.text(text)

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return self._rewording.across(pieces)

    def fixed(self, text: str) -> None:
        self._rewording.fixed(text)


def texts_of(document: Mapping[str, object], shape: Fields) -> tuple[str, ...] | Deny:
    """All that a message says, in order."""
    try:
        return texts.texts(document, shape)
    except InvalidJson as error:
        return unreadable(error)


def rewords(shape: Fields, scope: TextScope) -> Reword:
    """How messages of this shape are reworded, of which all stands in this scope."""

    def reword(body: bytes, rewording: Rewording) -> Reworded | Deny:
        if isinstance(rewording, Placed):
            rewording.at(scope)
            rewording = _Still(rewording)
        try:
            return texts.reword(body, shape, rewording)
        except InvalidJson as error:
            return unreadable(error)

    return reword


def unreadable(error: Exception) -> Deny:
    """What guards cannot read does not pass them."""
    reason = f"guards cannot read the message: {error}"
    return Deny(400, "unreadable_message", reason, by=By(PolicyKind.REQUEST))
