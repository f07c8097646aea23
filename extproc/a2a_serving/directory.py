"""The agents and their cards: asked for when somebody wants one, kept, and asked for again
(`polling.py`).

An agent that tells no card keeps the last that it told.
"""

from __future__ import annotations

import asyncio
import logging
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final, NamedTuple

from msgspec import Struct, structs

from extproc.a2a.card_changes import Change, changes
from extproc.a2a.cards import BrokenCard, Card, Interface, read_card
from extproc.a2a.group_cards import Part, group_card
from extproc.a2a.modes import CardModes, modes_of
from extproc.a2a.registry import Entry, Health, Registry, Status
from extproc.a2a.signatures import Verified
from extproc.a2a_serving.agent_events import UNNOTICED, AgentEvents, Noticed
from extproc.a2a_serving.card_keys import keys_of
from extproc.direct_wire import encode_way
from extproc.ports import Asked, McpPeers, ServiceUnavailable
from gateway import names
from gateway.a2a import A2aAgent, Binding, Member, Pool, Revision, places

logger = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 5.0
"""For so long, an agent that told no card is not asked again."""
_FRESH_SECONDS: Final = 1.0
"""For so long, what an agent told is not doubted."""
_LONGEST_SAID: Final = 64
"""Of what agents say, in logs."""
_HEAD: Final = (("accept", "application/json"), ("a2a-version", Revision.V1_0.value))
_UNKNOWN: Final = Health(Status.UNKNOWN)
_BEST_FIRST: Final = (Status.HEALTHY, Status.UNKNOWN, Status.UNHEALTHY)
READABLE: Final = (Binding.JSONRPC, Binding.HTTP_JSON)
"""Between these, whichever the revision, a worker can stand."""
NEWEST_FIRST: Final = (Revision.V1_0, Revision.V0_3)


class Times(NamedTuple):
    """What time it is."""

    clock: Callable[[], float]
    """Seconds that never go back."""
    stamp: Callable[[], str]
    """Now, as RFC 3339 has it."""


class NoCard(Exception):
    """The agent has told none that could be read."""


class Way(Struct, frozen=True):
    """How an agent is spoken to, in one binding and revision."""

    path: str
    """Of its interface, without a slash at its end; empty for gRPC."""
    tenant: str
    after_headers: bytes
    """What Envoy is told (`direct_wire.encode_way`), when the headers are answered."""
    after_body: bytes
    """The same of the body."""
    cluster: str


class Told(NamedTuple):
    """A card that an agent tells."""

    card: Card
    signed_by: str = ""
    """The id of the key that was verified; empty: none."""


class Found(Struct, frozen=True):
    """An agent, as its card describes it."""

    agent: A2aAgent
    card: Card
    modes: CardModes
    ways: Mapping[tuple[Binding, Revision], Way]
    at: float
    """When it was told last, by the clock that never goes back."""
    changed_at: str
    """When it was told otherwise before, or not at all: RFC 3339."""
    signed_by: str = ""
    """The id of the key that its card is signed with; empty: nobody has looked, or none is."""

    @property
    def is_readable(self) -> bool:
        """Whether clients of all `READABLE` forms can be understood by it."""
        return any(binding in READABLE for binding, _ in self.ways)


class Directory:
    """The agents of a program."""

    __slots__ = (
        "_agents",
        "_asking",
        "_common",
        "_found",
        "_fronts",
        "_health",
        "_ill",
        "_index",
        "_keys",
        "_peers",
        "_places",
        "_times",
        "_wait",
        "edition",
        "events",
    )

    def __init__(
        self,
        agents: Iterable[A2aAgent],
        peers: McpPeers,
        times: Times,
        noticed: Noticed = UNNOTICED,
    ) -> None:
        """`noticed` is told what happens to an agent."""
        self.events = AgentEvents(noticed)
        self._agents = {each.name: each for each in agents}
        self._places = {each.name: each for each in places(self._agents.values())}
        self._keys = keys_of(self._places.values(), peers, times.clock)
        self._peers = peers
        self._times = times
        self._found: dict[str, Found] = {}
        self._fronts: dict[str, tuple[tuple[Found | None, ...], Found]] = {}
        """What was made of the cards of those that an agent stands for."""
        self._index: Registry | None = None
        """Of what was found; None: something has changed since it was made."""
        self._common: frozenset[tuple[Binding, Revision]] | None = None
        """What is spoken by all; None: the same."""
        self._health: dict[str, Health] = {}
        self._wait: dict[str, float] = {}
        """Until when an agent is not asked again."""
        self._asking: dict[str, asyncio.Future[Found]] = {}
        self._ill: set[str] = set()
        self.edition = 0
        """Another whenever something is known otherwise than before."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds that never go back."""
        return self._times.clock

    @property
    def agents(self) -> Mapping[str, A2aAgent]:
        """By name, in the order in which they were written."""
        return self._agents

    @property
    def places(self) -> Mapping[str, A2aAgent]:
        """Those that are asked for their cards: agents, and the instances of agents."""
        return self._places

    def health(self, name: str) -> Health:
        """How an agent did when its card was asked for last; several are as the one that is best
        is."""
        agent = self._agents.get(name)
        if agent is None or agent.pool is None:
            return self._health.get(name, _UNKNOWN)
        each = [self.health(member.agent.name) for member in agent.pool.members]
        return min(each, key=lambda health: _BEST_FIRST.index(health.status))

    @property
    def ill(self) -> Set[str]:
        """The places that told no card when they were asked last."""
        return self._ill

    def instances(self, name: str) -> Mapping[str, Health]:
        """How each of the servers is that are an agent; empty: it is one, or a group."""
        pool = self._agents[name].pool
        if pool is None or pool.is_group:
            return {}
        return {each.key: self.health(each.agent.name) for each in pool.members}

    @property
    def common(self) -> frozenset[tuple[Binding, Revision]]:
        """How every agent can be spoken to; empty as long as one has told no card."""
        if self._common is None:
            cards = [self._found.get(name) for name in self._agents]
            spoken = [frozenset() if each is None else frozenset(each.ways) for each in cards]
            self._common = frozenset.intersection(*spoken) if spoken else frozenset()
        return self._common

    def registry(self) -> Registry:
        """All of them, with the cards that they told last."""
        if self._index is None:
            self._index = Registry(map(self._entry, self._agents))
        return self._index

    async def asked_all(self, among: Iterable[str]) -> None:
        """Those that have told no card are asked, all at once."""
        wanted = places(self._agents[each] for each in among)
        missing = [each.name for each in wanted if self.known(each.name) is None]
        await asyncio.gather(*map(self.found, missing), return_exceptions=True)

    def adopt(self, before: Directory) -> None:
        """Go on from what another has known of those agents that are the same in both."""
        self.events.go_on(before.events)
        for name, agent in self._places.items():
            if before._places.get(name) != agent:
                continue
            if name in before._found:
                self._found[name] = before._found[name]
                self._index = self._common = None
            if name in before._health:
                self._keep(name, before._health[name])
        self.edition += 1

    def poll(self, name: str) -> None:
        """Ask it, unless it was asked a moment ago."""
        found, now = self._found.get(name), self._times.clock()
        is_young = found is not None and now - found.at < found.agent.refresh_seconds / 2
        if not is_young and now >= self._wait.get(name, 0.0):
            self._ask(name, is_polled=True)

    def doubt(self, name: str) -> None:
        """Somebody had no connection to it: whether it is well is asked now."""
        found, now = self._found.get(name), self._times.clock()
        is_fresh = found is not None and now - found.at < _FRESH_SECONDS
        if not is_fresh and now >= self._wait.get(name, 0.0):
            self._ask(name)

    def _entry(self, name: str) -> Entry:
        found = self._front(self._agents[name], self._found.get)
        if found is None:
            return Entry(name, None)
        return Entry(name, found.card, found.changed_at, found.signed_by)

    def known(self, name: str) -> Found | None:
        """What it told last; it is asked again, where that is long ago, but not waited for."""
        agent = self._agents.get(name)
        if agent is not None and agent.pool is not None:
            return self._front(agent, self.known)
        found = self._found.get(name)
        if found is not None and self._is_due(found):
            self._ask(name)
        return found

    def _front(self, agent: A2aAgent, known: Callable[[str], Found | None]) -> Found | None:
        """Of one that stands for several: what is known of any of them."""
        pool = agent.pool
        if pool is None:
            return known(agent.name)
        each = tuple(known(member.agent.name) for member in pool.members)
        made = self._fronts.get(agent.name)
        if made is not None and all(map(operator.is_, made[0], each)):
            return made[1]
        told = [pair for pair in zip(pool.members, each, strict=True) if pair[1] is not None]
        if not told:
            return None
        front = front_of(agent, pool, [(member, found) for member, found in told if found])
        self._fronts[agent.name] = each, front
        return front

    async def found(self, name: str) -> Found:
        """The same; where it has told nothing, it is asked. Raises `NoCard`."""
        found = self.known(name)
        if found is not None:
            return found
        if (agent := self._agents.get(name)) is not None and agent.pool is not None:
            await self.asked_all((name,))
            found = self.known(name)
            if found is None:
                raise NoCard(self.health(name).reason)
            return found
        if self._times.clock() < self._wait.get(name, 0.0):
            raise NoCard(self.health(name).reason)
        return await asyncio.shield(self._ask(name))

    def due(self, found: Found) -> float:
        """When a card is asked for again."""
        again = found.at + found.agent.refresh_seconds
        return max(again, self._wait.get(found.agent.name, 0.0))

    def _is_due(self, found: Found) -> bool:
        now = self._times.clock()
        is_old = now - found.at >= found.agent.refresh_seconds
        return is_old and now >= self._wait.get(found.agent.name, 0.0)

    def _ask(self, name: str, *, is_polled: bool = False) -> asyncio.Future[Found]:
        asking = self._asking.get(name)
        if asking is None:
            work = self._fetched(self._places[name], is_polled=is_polled)
            asking = self._asking[name] = asyncio.ensure_future(work)
            asking.add_done_callback(lambda done: self._asked(name, done))
        return asking

    def _asked(self, name: str, done: asyncio.Future[Found]) -> None:
        self._asking.pop(name, None)
        if not done.cancelled():
            done.exception()  # whoever waits has it; else it was logged

    async def _fetched(self, agent: A2aAgent, *, is_polled: bool) -> Found:
        try:
            told = await self._told(agent)
        except NoCard as error:
            if not is_polled:  # whoever wants it now may be luckier than who only looked
                self._wait[agent.name] = self._times.clock() + _AGAIN_SECONDS
            self._tell(agent.name, Status.UNHEALTHY, str(error))
            raise
        self._tell(agent.name, Status.HEALTHY)
        return self._taken(agent, told)

    def _taken(self, agent: A2aAgent, told: Told) -> Found:
        card = told.card
        before, now = self._found.get(agent.name), self._times.clock()
        is_same = before is not None and before.signed_by == told.signed_by
        if before is not None and is_same and before.card.digest == card.digest:
            found = structs.replace(before, at=now)
        else:
            stamp = self._times.stamp()
            self._tell_changes(agent.name, stamp, before, told)
            for reason in card.unused:
                logger.warning("of the card of the agent %s: %s", agent.name, reason)
            ways = ways_of(agent, card)
            found = Found(agent, card, modes_of(card), ways, now, stamp, told.signed_by)
            self._index = self._common = None
        self._found[agent.name] = found
        self.edition += 1
        return found

    def _keep(self, name: str, health: Health) -> None:
        self._health[name] = health
        self.edition += 1
        if health.status is Status.UNHEALTHY:
            self._ill.add(name)
        else:
            self._ill.discard(name)

    def _tell(self, name: str, status: Status, reason: str = "") -> None:
        """Since when it is so is kept."""
        self.events.looked(name, is_well=status is Status.HEALTHY)
        before = self.health(name)
        if before.status is status and before.reason == reason:
            return
        since = before.since if before.status is status else self._times.stamp()
        self._keep(name, Health(status, since, reason))
        if reason:
            logger.warning("no card of the agent %s: %s", name, reason)
            if before.status is not Status.UNHEALTHY:
                self.events.is_not_well(name, since, reason)
        elif before.status is Status.UNHEALTHY:
            logger.info("the agent %s tells its card again", name)
            self.events.is_well(name, since)

    def _tell_changes(self, name: str, stamp: str, before: Found | None, told: Told) -> None:
        old, signed = (None, "") if before is None else (before.card, before.signed_by)
        found = changes(old, told.card, signed, told.signed_by)
        digest = "" if old is None else old.digest
        self.events.changed(name, stamp, (digest, told.card.digest), found)
        if old is not None:
            _log_changes(name, found)

    async def _told(self, agent: A2aAgent) -> Told:
        cluster = names.service_cluster(names.a2a_service(agent.name))
        asked = Asked("GET", agent.card_path, (*_HEAD, *agent.headers), b"")
        try:
            answer = await self._peers.ask(cluster, asked, agent.timeout_seconds)
        except ServiceUnavailable as error:
            raise NoCard(str(error)) from None
        if answer.status != 200:
            raise NoCard(f"it answers with {answer.status}")
        return await self.read(agent, answer.body)

    async def read(self, agent: A2aAgent, body: bytes) -> Told:
        """A card that an agent told; of what is signed, that alone counts. Raises `NoCard`."""
        card = _read(body)
        keys = self._keys.get(agent.name)
        if keys is None:
            return Told(card)
        found = await keys.verified(card.document)
        if isinstance(found, Verified):
            return Told(_read(found.body), found.kid)
        if keys.is_required:
            raise NoCard(found.reason)
        return Told(card)


def _log_changes(name: str, found: Iterable[Change]) -> None:
    for each in found:
        subject, old, new = (
            said[:_LONGEST_SAID] for said in (each.subject, each.before, each.after)
        )
        of_skill = f" {subject!r}" if subject else ""
        values = f": {old!r} is {new!r} now" if old or new else ""
        logger.info(
            "the card of the agent %s has changed: %s%s%s",
            name,
            each.what.value,
            of_skill,
            values,
            extra={"agent": name, "change": each.what.value},
        )


def _read(body: bytes) -> Card:
    card = read_card(body)
    if isinstance(card, BrokenCard):
        raise NoCard(card.reason)
    return card


def ways_of(agent: A2aAgent, card: Card) -> Mapping[tuple[Binding, Revision], Way]:
    """How it is spoken to, by the first interface of each kind that is served."""
    found: dict[tuple[Binding, Revision], Way] = {}
    for each in served(agent, card):
        found.setdefault((each.binding, each.revision), _way(agent, each))
    return found


def served(agent: A2aAgent, card: Card) -> tuple[Interface, ...]:
    """The interfaces that are where the configuration says that the agent is; bytes go nowhere
    else. A card may call that place otherwise: its first says how."""
    over_http = [each for each in card.interfaces if each.binding is not Binding.GRPC]
    places = {agent.authority, *(each.authority for each in over_http[:1])}
    return tuple(
        each
        for each in card.interfaces
        if (agent.grpc_authority if each.binding is Binding.GRPC else each.authority in places)
    )


def front_of(agent: A2aAgent, pool: Pool, told: Sequence[tuple[Member, Found]]) -> Found:
    """What clients see of one that stands for those whose cards are known, at least one."""
    first = told[0][1]
    card = first.card if not pool.is_group else _group_card(pool, told)
    signed = {found.signed_by for _, found in told}
    return Found(
        agent,
        card,
        modes_of(card),
        _common_ways([found for _, found in told]),
        first.at,
        max(found.changed_at for _, found in told),
        first.signed_by if len(signed) == 1 else "",
    )


def _group_card(pool: Pool, told: Sequence[tuple[Member, Found]]) -> Card:
    parts = [Part(found.card, member.skills) for member, found in told]
    return group_card(pool.title, pool.description, parts)


def _common_ways(each: Sequence[Found]) -> Mapping[tuple[Binding, Revision], Way]:
    """How all of them are spoken to; where they have nothing in common, the first: between clients
    and whoever speaks otherwise a worker stands."""
    first, *others = each
    common = {
        way: first.ways[way] for way in first.ways if all(way in found.ways for found in others)
    }
    return common or first.ways


def _way(agent: A2aAgent, interface: Interface) -> Way:
    is_grpc = interface.binding is Binding.GRPC
    service = (names.a2a_grpc_service if is_grpc else names.a2a_service)(agent.name)
    path = interface.path if interface.binding is Binding.JSONRPC else ""

    cluster = names.service_cluster(service)

    def encoded(*, is_read: bool) -> bytes:
        return encode_way(cluster, path, agent.headers, is_read=is_read, header=names.A2A_HEADER)

    after_headers, after_body = encoded(is_read=False), encoded(is_read=True)
    return Way(interface.path, interface.tenant, after_headers, after_body, cluster)
