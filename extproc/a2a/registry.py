"""The list of agents: who there is, what they can do, how they are; filtered, ranked, in pages.

What is asked for (`skill`, `tag`, `input`, `output`, `mode`) must hold of one skill at once; of
modes, those of the agent hold where a skill declares none. Pages are as those of `ListTasks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from extproc.a2a.cards import Card, Skill
from extproc.a2a.modes import MediaType, Modes, media_type, modes
from extproc.ranking import Ranking, in_order

MOST_FOUND: Final = 100
CARD: Final = "/.well-known/agent-card.json"
"""Behind an agent's address."""

_CHANGED: Final = "changedAt"
_USUALLY_FOUND: Final = 50
_LONGEST_QUERY: Final = 8192
_MOST_CONDITIONS: Final = 32
_TOKEN: Final = re.compile(r"[0-9]{1,9}")
_NAME, _SKILL, _TAG, _DESCRIPTION, _EXAMPLE = 4.0, 3.0, 3.0, 1.0, 0.5


class Status(StrEnum):
    """How an agent is."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """Nobody has asked it yet."""


class Health(Struct, frozen=True, omit_defaults=True):
    """How an agent is, as far as is known."""

    status: Status
    since: str = ""
    """RFC 3339."""
    reason: str = ""
    """Why it is not healthy."""


class Entry(Struct, frozen=True):
    """An agent of the gateway."""

    name: str
    """What the gateway calls it."""
    card: Card | None
    """The last that it told; None: it has told none."""
    changed_at: str = ""
    """When its card changed, or was told first: RFC 3339."""
    signed_by: str = ""
    """The id of the key that was verified; empty: none."""


class View(Struct, frozen=True):
    """How a caller sees agents, by the gateway's names for them."""

    is_seen: Callable[[str], bool]
    """Whether the caller may see an agent."""
    url_of: Callable[[str], str]
    """Its address at the gateway, as the caller knows the gateway."""
    health_of: Callable[[str], Health]
    instances_of: Callable[[str], Mapping[str, Health]] = lambda _: {}
    """How each of the servers is that are the agent; empty: it is one, or a group."""


class Query(Struct, frozen=True):
    """What is looked for. Each condition must hold; texts are compared without case."""

    text: str = ""
    """Words, by which agents are ranked."""
    skills: tuple[str, ...] = ()
    """Id or name."""
    tags: tuple[str, ...] = ()
    inputs: tuple[MediaType, ...] = ()
    outputs: tuple[MediaType, ...] = ()
    modes: tuple[MediaType, ...] = ()
    """Of inputs or outputs."""
    size: int = _USUALLY_FOUND
    start: int = 0
    """How many are left out, which pages before this had."""

    @property
    def has_conditions(self) -> bool:
        """Whether any is on skills or modes."""
        return any((self.skills, self.tags, self.inputs, self.outputs, self.modes))


class Misasked(ValueError):
    """What is no query; says why."""


class Registry:
    """The agents, and an index of what they can do. Made once for their cards."""

    __slots__ = ("_entries", "_ranking", "_said", "_skills")

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = tuple(entries)
        self._ranking = Ranking(map(_texts, self._entries))
        self._skills = [_skills(each.card) for each in self._entries]
        self._said = [_said(each) for each in self._entries]

    def search(self, query: Query, view: View) -> tuple[bytes, str]:
        """A page, in JSON: `agents`, `nextPageToken` (empty: that was all), `totalSize` and, where
        a card is known, `updatedAt`. And its `ETag`, which is the same for all workers that know
        the same cards and health, whenever they noticed."""
        found = [
            (position, matching)
            for position in self._ordered(query)
            if view.is_seen(self._entries[position].name)
            and (matching := self._matching(position, query)) is not None
        ]
        end = query.start + query.size
        agents: list[dict[str, Any]] = []
        for position, matching in found[query.start : end]:
            matched = {"matchingSkills": matching} if query.has_conditions else {}
            agents.append(self._placed(position, view) | matched)
        token = str(end) if end < len(found) else ""
        page = {"agents": agents, "nextPageToken": token, "totalSize": len(found)}
        tag = tag_of(msgspec.json.encode({**page, "agents": list(map(_lasting, agents))}))
        updated = max((each.get(_CHANGED, "") for each in agents), default="")
        more = {"updatedAt": updated} if updated else {}
        return msgspec.json.encode({**page, **more}), tag

    def _placed(self, position: int, view: View) -> dict[str, Any]:
        name = self._entries[position].name
        url = view.url_of(name)
        place = {"name": name, "url": url, "cardUrl": f"{url}{CARD}"}
        instances = view.instances_of(name)
        more = {"instances": instances} if instances else {}
        return {**place, "health": view.health_of(name), **more, **self._said[position]}

    def _ordered(self, query: Query) -> Sequence[int]:
        if not query.text:
            return range(len(self._entries))
        return in_order(self._ranking.scores(query.text))

    def _matching(self, position: int, query: Query) -> list[str] | None:
        """The ids of skills that are as is asked for; None: the agent is not."""
        if not query.has_conditions:
            return []
        of_agent, skills = self._skills[position]
        found = [each.id for each in skills if each.holds(query)]
        return found if found or of_agent.holds(query) else None


def tag_of(body: bytes) -> str:
    """An `ETag` of what is said in other words, too."""
    return f'W/"{sha256(body).hexdigest()[:32]}"'


def _lasting(agent: Mapping[str, Any]) -> dict[str, Any]:
    """Without when it was noticed, which each worker says for itself."""
    instances: Mapping[str, Health] = agent.get("instances", {})
    health: Health = agent["health"]
    return {
        **{name: said for name, said in agent.items() if name != _CHANGED},
        "health": health.status,
        "instances": {name: each.status for name, each in instances.items()},
    }


def read_query(text: str) -> Query:
    """The query of a URL: `q`, `skill`, `tag`, `input`, `output`, `mode`, `pageSize`, `pageToken`;
    all but `q` and the pages' more than once. `Misasked`: it is none."""
    if len(text) > _LONGEST_QUERY:
        raise Misasked("the query is too long")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_CONDITIONS)
    except ValueError:
        raise Misasked(f"the query has more than {_MOST_CONDITIONS} parts") from None
    said: dict[str, list[str]] = {name: [] for name in _PARAMETERS}
    for name, value in pairs:
        if name not in said:
            raise Misasked(f"no parameter {name[:64]!r}; known: {', '.join(_PARAMETERS)}")
        if name in _ONCE and said[name]:
            raise Misasked(f"the parameter {name!r} is there twice")
        if value.strip():
            said[name].append(value.strip())
    return Query(
        "".join(said["q"]),
        tuple(each.casefold() for each in said["skill"]),
        tuple(each.casefold() for each in said["tag"]),
        tuple(map(media_type, said["input"])),
        tuple(map(media_type, said["output"])),
        tuple(map(media_type, said["mode"])),
        _number("pageSize", said["pageSize"], _USUALLY_FOUND, range(1, MOST_FOUND + 1)),
        _number("pageToken", said["pageToken"], 0, range(10**9)),
    )


_ONCE: Final = ("q", "pageSize", "pageToken")
_PARAMETERS: Final = (*_ONCE, "skill", "tag", "input", "output", "mode")


def _number(name: str, said: list[str], otherwise: int, allowed: range) -> int:
    if not said:
        return otherwise
    if not _TOKEN.fullmatch(said[0]) or int(said[0]) not in allowed:
        limits = f" from {allowed[0]} to {allowed[-1]}" if name == "pageSize" else ""
        raise Misasked(f"{name!r} must be a number{limits}")
    return int(said[0])


class _Searched(Struct, frozen=True):
    """What conditions are asked of: a skill, or an agent without one."""

    id: str
    names: frozenset[str]
    tags: frozenset[str]
    inputs: Modes
    outputs: Modes

    def holds(self, query: Query) -> bool:
        inputs, outputs = self.inputs, self.outputs
        return (
            self.names.issuperset(query.skills)
            and self.tags.issuperset(query.tags)
            and all(_declares(inputs, each) for each in query.inputs)
            and all(_declares(outputs, each) for each in query.outputs)
            and all(_declares(inputs, each) or _declares(outputs, each) for each in query.modes)
        )


def _declares(of: Modes, wanted: MediaType) -> bool:
    return bool(of.types) and of.fits(wanted)


def _skills(card: Card | None) -> tuple[_Searched, tuple[_Searched, ...]]:
    """An agent without its skills, and these."""
    none: frozenset[str] = frozenset()
    if card is None:
        return _Searched("", none, none, Modes(), Modes()), ()
    inputs, outputs = modes(card.input_modes), modes(card.output_modes)
    skills = tuple(
        _Searched(
            each.id,
            frozenset((each.id.casefold(), each.name.casefold())),
            frozenset(tag.casefold() for tag in each.tags),
            modes(each.input_modes) if each.input_modes else inputs,
            modes(each.output_modes) if each.output_modes else outputs,
        )
        for each in card.skills
    )
    return _Searched("", none, none, inputs, outputs), skills


def _texts(entry: Entry) -> list[tuple[object, float]]:
    """What words of a query are looked for in, and how much each counts."""
    card = entry.card
    if card is None:
        return [(entry.name, _NAME)]
    found: list[tuple[object, float]] = [
        (entry.name, _NAME),
        (card.name, _NAME),
        (card.description, _DESCRIPTION),
        (card.provider, _DESCRIPTION),
    ]
    for each in card.skills:
        found += [(each.id, _SKILL), (each.name, _SKILL), (each.description, _DESCRIPTION)]
        found += [(tag, _TAG) for tag in each.tags]
        found += [(example, _EXAMPLE) for example in each.examples]
    return found


def _said(entry: Entry) -> dict[str, Any]:
    """What its card says of an agent, as the list has it."""
    card = entry.card
    if card is None:
        return {}
    capabilities = card.capabilities
    said: dict[str, Any] = {
        "title": card.name,
        "description": card.description,
        "version": card.version,
        _CHANGED: entry.changed_at,
        "capabilities": {
            "streaming": capabilities.streaming,
            "pushNotifications": capabilities.push_notifications,
            "extendedAgentCard": capabilities.extended_card,
            "extensions": capabilities.extensions,
        },
        "defaultInputModes": card.input_modes,
        "defaultOutputModes": card.output_modes,
        "skills": [_said_skill(each) for each in card.skills],
    }
    if card.provider:
        said["provider"] = card.provider
    if entry.signed_by:
        said["signedBy"] = entry.signed_by
    return said


def _said_skill(skill: Skill) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": skill.id,
        "name": skill.name,
        "description": skill.description,
        "tags": skill.tags,
    }
    more = {
        "examples": skill.examples,
        "inputModes": skill.input_modes,
        "outputModes": skill.output_modes,
    }
    return said | {name: value for name, value in more.items() if value}
