"""How a release comes to everybody who is connected: workers first, then Envoys.

Workers send requests to clusters, so Envoys have new ones before workers hear of them. What a
release removes is taken from Envoys only when they have accepted the rest. One refusal takes
everybody back to the last release that was accepted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.problem import Problem
from xds_server.audience import Audience, Kind, Offer
from xds_server.clients import Client, Clients
from xds_server.offers import KeptOffer
from xds_server.refusals import READ_LIMIT, client_name, mentions, node_name, told
from xds_server.release import Release
from xds_server.snapshot import short_type, without
from xds_server.subscription.words import Rejection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a change waits for those who do not answer."""

    worker_seconds: float
    envoy_seconds: float
    newcomer_seconds: float
    """For Envoys that have never come so far as to have everything, while others have."""


PATIENCE = Patience(worker_seconds=5.0, envoy_seconds=15.0, newcomer_seconds=3.0)


class Rollout:
    """Brings one release after the other; a later one takes the place of an earlier one."""

    def __init__(
        self, clients: Clients, *, expected_workers: int, patience: Patience = PATIENCE
    ) -> None:
        self._clients = clients
        self._expected_workers = expected_workers
        self._patience = patience
        self._wanted: Release | None = None
        self._accepted: Release | None = None
        self._refused: tuple[Problem, ...] = ()
        self._turn = asyncio.Lock()

    @property
    def wanted(self) -> Release | None:
        """What everybody is to have."""
        return self._wanted

    @property
    def accepted(self) -> Release | None:
        """What the workers serve: the last release that none of them refused."""
        return self._accepted

    @property
    def refused(self) -> tuple[Problem, ...]:
        """Why the last release was taken back; empty when it was not."""
        return self._refused

    async def bring(self, release: Release) -> tuple[Problem, ...]:
        """Returns who refuses it, when everybody has answered or a later release has come.

        While workers are expected and none has accepted it, that may take forever.
        """
        self._refused = ()
        self._wanted = release
        self._clients.announce()  # who brings an earlier release gives way
        async with self._turn:
            return await self._bring(release)

    def missing(self) -> tuple[str, ...]:
        """What stands between us and serving the wanted release; empty: ready."""
        if self._wanted is None:
            return ("no valid configuration has been loaded",)
        absent: list[str] = []
        if self._expected_workers and not self._has_current(Kind.WORKER):
            absent.append("no extproc worker has acknowledged the configuration")
        if not self._has_current(Kind.ENVOY):
            absent.append("no Envoy has acknowledged the configuration")
        return tuple(absent)

    async def _bring(self, release: Release) -> tuple[Problem, ...]:
        if self._is_superseded(release):
            return ()
        refused = await self._additions_to_envoys(release) or await self._to_workers(release)
        if self._is_superseded(release):
            return ()
        if refused:
            self._refused = refused
            await self._return_to(self._accepted)
            return refused
        before, self._accepted = self._accepted, release
        refused = await self._to_envoys(release)
        if refused and not self._is_superseded(release):
            self._refused = refused
            if before is not None:
                self._accepted = before
                await self._return_to(before)
        return refused

    async def _return_to(self, release: Release | None) -> None:
        """Who took what others refused takes this again."""
        self._wanted = release
        self._offer_workers(None if release is None else release.workers)
        if release is not None:
            await self._to_envoys(release)

    async def _additions_to_envoys(self, release: Release) -> tuple[Problem, ...]:
        """What they have, and the clusters, endpoints and secrets that the release adds to it."""
        before = self._clients.offered(Kind.ENVOY)
        if before is None:
            return ()
        audiences = self._clients.audiences(Kind.ENVOY, release.envoys)
        new = {audience: release.envoys.snapshot(audience) for audience in audiences}
        self._clients.offer(Kind.ENVOY, KeptOffer(before, new))
        await self._settled_envoys(release)
        return self._refusals(Kind.ENVOY, release.envoys)

    async def _to_workers(self, release: Release) -> tuple[Problem, ...]:
        offered = release.workers
        self._offer_workers(offered)

        def is_decided() -> bool:
            return self._is_superseded(release) or bool(self._refused_by_workers(offered))

        # Who is away may still serve what it had, so those that are expected count as well.
        have_all = await self._clients.wait_until(
            lambda: is_decided() or self._have_all_workers(), self._patience.worker_seconds
        )
        if not have_all:
            lacks_hub = self._current(Kind.HUB) < self._clients.number_connected(Kind.HUB)
            logger.warning(
                "configuration %s: only %d of %d workers have it%s; going on without the others",
                release.version,
                self._current(Kind.WORKER),
                max(self._expected_workers, self._clients.number_connected(Kind.WORKER)),
                ", and not the hub" if lacks_hub else "",
            )
        if self._expected_workers:  # what no worker knows must not reach Envoy
            await self._clients.wait_until(
                lambda: is_decided() or self._has_current(Kind.WORKER), None
            )
        return self._refused_by_workers(offered)

    async def _to_envoys(self, release: Release) -> tuple[Problem, ...]:
        offered = release.envoys
        self._clients.offer(Kind.ENVOY, self._with_what_envoys_hold(offered))
        await self._settled_envoys(release)
        refusals = self._refusals(Kind.ENVOY, offered)
        if not refusals and not self._is_superseded(release):
            self._clients.offer(Kind.ENVOY, offered)
        return refusals

    async def _settled_envoys(self, release: Release) -> None:
        """Until all have answered what they are offered now, or refuse something of the release."""
        patience = self._patience
        if any(envoy.has_been_current for envoy in self._clients.of(Kind.ENVOY)):
            if await self._answered(release, lambda _: False, patience.newcomer_seconds):
                return
            # whoever comes again and again and never answers holds nobody up
            rest = patience.envoy_seconds - patience.newcomer_seconds
            if await self._answered(release, lambda envoy: not envoy.has_been_current, rest):
                return
        elif await self._answered(release, lambda _: False, patience.envoy_seconds):
            return
        logger.warning("configuration %s: an Envoy does not answer", release.version)

    async def _answered(
        self, release: Release, is_excused: Callable[[Client], bool], seconds: float
    ) -> bool:
        """Whether all have in time, but for those who are excused or refuse something of it."""

        def is_over(envoy: Client) -> bool:
            return is_excused(envoy) or bool(_rejections(envoy, release.envoys))

        return await self._clients.wait_until(
            lambda: (
                self._is_superseded(release) or self._clients.are_settled(Kind.ENVOY, but=is_over)
            ),
            seconds,
        )

    def _is_superseded(self, release: Release) -> bool:
        return self._wanted is not release

    def _has_current(self, kind: Kind) -> bool:
        return self._current(kind) > 0

    def _current(self, kind: Kind) -> int:
        """How many of them have all that they are offered."""
        return self._clients.number_current(kind)

    def _have_all_workers(self) -> bool:
        """Every worker that is connected, and as many as are expected; and a hub that is there."""
        connected = self._clients.number_connected(Kind.WORKER)
        has_hub = self._current(Kind.HUB) >= self._clients.number_connected(Kind.HUB)
        return has_hub and self._current(Kind.WORKER) >= max(connected, self._expected_workers)

    def _offer_workers(self, offer: Offer | None) -> None:
        for kind in (Kind.WORKER, Kind.HUB):
            self._clients.offer(kind, offer)

    def _refused_by_workers(self, offer: Offer) -> tuple[Problem, ...]:
        return self._refusals(Kind.WORKER, offer) + self._refusals(Kind.HUB, offer)

    def _refusals(self, kind: Kind, offer: Offer) -> tuple[Problem, ...]:
        """Who refuses something of this offer, and why."""
        problems = (
            Problem("", f"{_named(client)} refuses {short_type(each.type_url)}: {_said(each)}")
            for client in self._clients.of(kind)
            for each in _rejections(client, offer)
        )
        return tuple(dict.fromkeys(problems))  # one reason stands for all names of a response

    def _with_what_envoys_hold(self, new: Offer) -> Offer:
        """And nothing that one of them refused: that would hold the routes back for ever."""
        before = self._clients.offered(Kind.ENVOY)
        if before is None:
            return new
        refused: dict[Audience, set[tuple[str, str]]] = {}
        for envoy in self._clients.of(Kind.ENVOY):
            if envoy.audience is not None:
                names = refused.setdefault(envoy.audience, set())
                names.update((each.type_url, each.name) for each in _rejections(envoy, before))
        return KeptOffer(
            new,
            {
                audience: without(before.snapshot(audience), names)
                for audience, names in refused.items()
            },
        )


def _rejections(client: Client, offer: Offer) -> tuple[Rejection, ...]:
    """Of what there is. That something is gone is refused only with a response that has more."""
    if client.audience is None:
        return ()
    snapshot = offer.snapshot(client.audience)
    return tuple(
        each for each in client.rejections(snapshot) if each.name in snapshot.of(each.type_url)
    )


def _named(client: Client) -> str:
    return f"{client_name(client.kind, client.node)} {node_name(client.node.id)}"


def _said(refusal: Rejection) -> str:
    """A peer may quote what it was sent; the name may stand there alone."""
    said, name = told(refusal.error), refusal.name
    is_lost = mentions(refusal.error[:READ_LIMIT], name) and not mentions(said, name)
    return f"{name}: {said}" if is_lost else said
