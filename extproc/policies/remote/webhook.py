"""A guard of the operator's own: the JSON that docs/guardrails.md describes, signed as Standard
Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec

from extproc.policies.remote.reading import document, shown
from extproc.policies.remote.words import (
    FINE,
    Objection,
    Opinion,
    Question,
    Rewritten,
    Stamp,
    Unreadable,
)
from extproc.ports import Posted, Returned
from gateway.guards import Webhook

VERSION = "1"
_MOST_CATEGORIES = 32


class WebhookCodec:
    """Asks one service about all texts at once."""

    def __init__(self, of: Webhook) -> None:
        self._path = of.path
        self._headers = of.headers
        self._key = base64.b64decode(of.secret) if of.secret else b""

    def requests(self, question: Question, stamp: Callable[[], Stamp]) -> Sequence[Posted]:
        about = question.about
        body = msgspec.json.encode(
            {
                "version": VERSION,
                "guard": about.guard,
                "phase": about.phase.value,
                "partial": about.is_part,
                "request_id": about.request_id,
                "model": about.model,
                "provider": about.provider,
                "caller": {"key": about.key, "user": about.user, "team": about.team},
                "texts": [
                    {"scope": each.scope.value, "text": each.text} for each in question.texts
                ],
            }
        )
        headers = self._headers
        if self._key:
            headers = (*headers, *signed(self._key, stamp(), body))
        return (Posted(self._path, body, headers),)

    def opinion(self, question: Question, answers: Sequence[Returned]) -> Opinion:
        found = document(answers[0])
        match found:
            case {"verdict": "pass"}:
                return FINE
            case {"verdict": "block"}:
                reason, categories = found.get("reason"), found.get("categories")
                return Objection(
                    shown(reason) if isinstance(reason, str) else "",
                    tuple(shown(each) for each in categories[:_MOST_CATEGORIES] if each)
                    if isinstance(categories, list)
                    and all(isinstance(each, str) for each in categories)
                    else (),
                )
            case {"verdict": "replace", "texts": list(texts)}:
                return _rewritten(question, texts)
        raise Unreadable("its verdict is none of pass, block and replace with texts")


def signed(key: bytes, stamp: Stamp, body: bytes) -> tuple[tuple[str, str], ...]:
    """The headers by which the receiver knows who sent it, and when."""
    content = f"{stamp.id}.{stamp.seconds}.".encode() + body
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return (
        ("webhook-id", stamp.id),
        ("webhook-timestamp", str(stamp.seconds)),
        ("webhook-signature", f"v1,{base64.b64encode(digest).decode()}"),
    )


def _rewritten(question: Question, texts: list[object]) -> Opinion:
    if len(texts) != len(question.texts):
        raise Unreadable(f"it replaces {len(texts)} texts of {len(question.texts)}")
    new: dict[int, str] = {}
    for place, (said, text) in enumerate(zip(question.texts, texts, strict=True)):
        if isinstance(text, str):
            if text != said.text:
                new[place] = text
        elif text is not None:
            raise Unreadable("it replaces a text by something else")
    return Rewritten(new) if new else FINE
