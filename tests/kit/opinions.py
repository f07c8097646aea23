"""Services that guards ask, in a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from extproc.inquiring import Inquirer
from extproc.policies.remote.words import Stamp
from extproc.ports import Posted, Returned, ServiceUnavailable
from gateway.guards import Webhook
from gateway.model import GuardTerms, RemoteGuard

Say = Callable[[list[str]], dict[str, Any]]
"""What a webhook says about texts."""
PASS_ALL: dict[str, Any] = {"verdict": "pass"}


@dataclass(slots=True)
class Webhooks:
    """Answers as the guard of each name would; one that is not here cannot be reached."""

    say: dict[str, Say]
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    """Which guard about which texts, in order."""
    most_at_once: int = 0
    _now: int = 0

    async def post(self, service: str, posted: Posted, timeout_seconds: float) -> Returned:
        name = service.removeprefix("guard/")
        texts = [each["text"] for each in json.loads(posted.body)["texts"]]
        self.asked.append((name, texts))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if name not in self.say:
            raise ServiceUnavailable("nobody is there")
        return Returned(200, json.dumps(self.say[name](texts)).encode())

    @property
    def inquirer(self) -> Inquirer:
        return Inquirer(self, lambda: Stamp("msg_1", 1))


def webhook_guard(name: str, *, terms: GuardTerms | None = None, **fields: Any) -> RemoteGuard:
    """A guard that asks a webhook."""
    return RemoteGuard(
        name, "webhook", Webhook("/"), "", 3.0, terms=terms or GuardTerms(), **fields
    )


def objecting(*words: str, reason: str = "no") -> Say:
    """To texts that have one of these words."""

    def say(texts: list[str]) -> dict[str, Any]:
        is_hit = any(word in text for text in texts for word in words)
        return {"verdict": "block", "reason": reason} if is_hit else PASS_ALL

    return say


def replacing(word: str, by: str) -> Say:
    """Says something else."""
    return lambda texts: {"verdict": "replace", "texts": [each.replace(word, by) for each in texts]}
