"""Tokens in the place of values in a request, and values in the place of tokens in its answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from extproc.policies.finding import Found, Rewrite
from extproc.policies.steps import Step
from extproc.tokens import LONGEST_TOKEN, Tokens
from extproc.verdict import By, Deny, PolicyKind

_ESCAPES = 10
"""Characters more, when the brackets of a token are spelled as JSON may."""


class Tokened:
    """A `Finder` of the tokens of an exchange."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether one of them is said."""
        return any(any(self._tokens.places(text)) for text in texts)

    def spans(self, text: str, start: int = 0) -> list[Found]:
        """Where they are said."""
        return [Found(*place) for place in self._tokens.places(text, start)]


def tokenising(tokens: Tokens) -> Rewrite:
    """Tokens for values."""
    return lambda found, text: tokens.token(found.kind, text)


def restoring(tokens: Tokens) -> Step:
    """What puts values back into the texts of an answer."""
    reason = "the answer has a token where no value can stand"
    deny = Deny(502, "unreadable_answer", reason, by=By(PolicyKind.ANSWER))
    return Step(
        name="restoring",
        deny=deny,
        finder=Tokened(tokens),
        rewrite=lambda _found, text: tokens.value(_spelled(text)),
        window=LONGEST_TOKEN + _ESCAPES,
    )


def _spelled(text: str) -> str:
    """The token, which may stand in JSON with escapes."""
    if "\\" not in text:
        return text
    try:
        said = json.loads(f'"{text}"')
    except ValueError:
        return text
    return said if type(said) is str else text
