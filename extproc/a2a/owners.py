"""Whose a task or a context is, said in its id, so that nobody has to remember it.

Ids that an agent gave end in whose they are, for clients: `3f2c~blue`. A context that a client has
named itself stays as the client says it; the agent sees it with a mark (`mine~`), by which it is
known again in answers. https://a2a-protocol.org/v1.0.0/specification/, "Context Identifier
Semantics": agents keep contexts that clients name.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from extproc.a2a.requests import A2aRequest
from extproc.a2a.substitution import Substitution
from gateway.a2a import INSTANCE_SEPARATOR

_MOST_REMEMBERED: Final = 1024
_MARK: Final = INSTANCE_SEPARATOR
"""Behind the contexts that clients have named: before nobody's name."""


class Owned(NamedTuple):
    """An id, as it is read."""

    key: str
    """Whose it is; empty: it does not say."""
    own: str
    """What its owner calls it."""


class Owners:
    """Those whose ids are told apart, by their keys. No key ends in another and a separator before
    it, since the last part of each is an agent's, or the instance of one agent's."""

    __slots__ = ("_ends",)

    def __init__(self, keys: Iterable[str]) -> None:
        self._ends = tuple((f"{INSTANCE_SEPARATOR}{key}", key) for key in keys)

    def task(self, said: str) -> Owned:
        """Of a task that a client names."""
        if INSTANCE_SEPARATOR in said:
            for end, key in self._ends:
                own = said.removesuffix(end)
                if own != said and own.strip("."):  # dots alone would be another path
                    return Owned(key, own)
        return Owned("", said)

    def context(self, said: str) -> Owned:
        """The same of a context; what does not say whose it is, a client has named."""
        if not said:
            return Owned("", "")
        found = self.task(said)
        return found if found.key else Owned("", said + _MARK)

    def asked(self, request: A2aRequest) -> str:
        """Whose the task or the context of a request is, or the tasks that it refers to; empty: it
        does not say."""
        for said in (request.task_id, request.context_id, *request.reference_task_ids):
            if said and (key := self.task(said).key):
                return key
        return ""


@lru_cache(_MOST_REMEMBERED)
def shown(key: str) -> Substitution:
    """What becomes of the ids in answers of the owner with that key."""
    end = f"{INSTANCE_SEPARATOR}{key}"

    def context(own: str) -> str:
        return own[: -len(_MARK)] if own.endswith(_MARK) else own + end

    return Substitution(task_id=lambda own: own + end, context_id=context)
