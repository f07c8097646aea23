"""The card of several agents that are asked as one: what any of them can do (A2A 1.0 §4.4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from extproc.a2a.cards import Card, read_card
from extproc.protocols import json_spans
from gateway.a2a import Binding, Revision

_VERSION = "1"
_NOWHERE = [
    {
        "url": "/",
        "protocolBinding": Binding.JSONRPC.value,
        "protocolVersion": Revision.V1_0.value,
    }
]
"""A card must name a place. Clients are told the gateway's."""


class Part(Struct, frozen=True):
    """What an agent adds."""

    card: Card
    skills: frozenset[str] = frozenset()
    """Of which skills alone; empty: all."""

    def has(self, skill: str) -> bool:
        """Whether it is asked for that skill."""
        return not self.skills or skill in self.skills


def group_card(title: str, description: str, parts: Iterable[Part]) -> Card:
    """A skill that several have is told once, as the first has it; each says its modes, which may
    not be those of the others. Of what does not fit in a card, the skills of the last agents are
    left out."""
    told = tuple(parts)
    for length in range(len(told), 0, -1):
        card = read_card(_encoded(title, description, told[:length]))
        if isinstance(card, Card):
            return card
    raise ValueError("there are no agents")


def _encoded(title: str, description: str, told: tuple[Part, ...]) -> bytes:
    skills = {skill["id"]: skill for part in reversed(told) for skill in reversed([*_skills(part)])}
    names = dict.fromkeys(part.card.name for part in told)
    document = {
        "name": title,
        "description": description or f"Whatever {_listed(names)} can do",
        "version": _VERSION,
        "supportedInterfaces": _NOWHERE,
        "capabilities": {
            "streaming": any(part.card.capabilities.streaming for part in told),
            "pushNotifications": all(part.card.capabilities.push_notifications for part in told),
        },
        "defaultInputModes": _all(part.card.input_modes for part in told),
        "defaultOutputModes": _all(part.card.output_modes for part in told),
        "skills": list(reversed(skills.values())),
    }
    return json_spans.encode(document)


def _skills(part: Part) -> Iterable[dict[str, Any]]:
    said = part.card.document.get("skills")
    for skill in said if isinstance(said, list) else ():
        if part.has(skill["id"]):
            yield _with_modes(skill, part.card)


def _with_modes(skill: Mapping[str, Any], card: Card) -> dict[str, Any]:
    modes = {
        "inputModes": skill.get("inputModes") or list(card.input_modes),
        "outputModes": skill.get("outputModes") or list(card.output_modes),
    }
    return {**skill, **{name: said for name, said in modes.items() if said}}


def _all(modes: Iterable[tuple[str, ...]]) -> list[str]:
    """Where one declares none, it takes anything, and so do they together."""
    each = tuple(modes)
    return list(dict.fromkeys(mode for of in each for mode in of)) if all(each) else []


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
