"""Looks again and again where budgets stand, and tells the webhook of shares that are spent.

Each share once for each counter and period, however many control planes look: whoever claims it in
the ledger sends it. What could not be sent is claimed again, by anybody, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import httpx
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_random_exponential

from gateway.counters import read_counter
from gateway.model import AlertsTo
from gateway.periods import Unit
from gateway.price_rows import NANODOLLARS_PER_DOLLAR
from xds_server.budgets.alerted import AlertedKeys
from xds_server.budgets.alerts import Standing, due, fullest, headers, letter
from xds_server.budgets.desk import Desk
from xds_server.budgets.store import Alert, BudgetsUnavailable
from xds_server.keys.store import KeysUnavailable
from xds_server.metrics import BudgetFigure, Figures

POLL_SECONDS = 5.0
MOST_SERIES = 500
ANSWER_SECONDS = 5.0
TRIED_SECONDS = 40.0
"""For so long it is tried again, in growing pauses, by who claimed it."""
CLAIMED_SECONDS = 60
"""After so long, somebody else may try. More than it takes to give up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_LOOK_SHARE = 20
"""Where there are very many counters, looking takes at most 1/20 of the time."""
_MOST_AT_ONCE = 8
"""Many budgets may come to their shares together, when a month ends badly."""

_log = logging.getLogger(__name__)


class Undelivered(Exception):
    """The webhook did not take it."""


@dataclass(slots=True)
class Alerting:
    """One control plane's part of it."""

    desk: Desk
    alerts_to: Callable[[], AlertsTo | None]
    clock: Callable[[], float]
    poll_seconds: float = POLL_SECONDS
    tried_seconds: float = TRIED_SECONDS
    claimed_seconds: int = CLAIMED_SECONDS
    standings: Sequence[Standing] = ()
    """As of the last look; for metrics."""
    sent: int = 0
    failed: int = 0
    """Alerts that were given up for the time being."""
    _known: set[Alert] = field(default_factory=set)
    """Sent by whomever, as far as we know: they need not be claimed at each look."""
    _others: dict[Alert, int] = field(default_factory=dict)
    """Sent or being sent by others, and when to ask again whether it still is."""
    _is_in_trouble: bool = False
    _alerted: AlertedKeys = field(init=False)

    def __post_init__(self) -> None:
        self._alerted = AlertedKeys(self.desk.keys)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            began = time.monotonic()
            await self.look()
            took = time.monotonic() - began
            await asyncio.sleep(max(self.poll_seconds, took * _LOOK_SHARE))

    async def look(self) -> None:
        """Once."""
        try:
            before = {each.counter: each.stands.settled for each in self.standings}
            self.standings = await asyncio.to_thread(self._stand)
            anew = {
                s.counter for s in self.standings if s.stands.settled < before.get(s.counter, 0)
            }
            self._known = {each for each in self._known if each.counter not in anew}
            await self._tell(self.alerts_to())
        except (BudgetsUnavailable, KeysUnavailable) as error:
            if not self._is_in_trouble:
                _log.warning("nobody is told what is spent of budgets: %s", error)
            self._is_in_trouble = True
        else:
            self._is_in_trouble = False

    def _stand(self) -> Sequence[Standing]:
        """May block. Keys are read where somebody is to be told."""
        own = () if self.alerts_to() is None else self._alerted.look()
        return self.desk.standings(own)

    async def _tell(self, to: AlertsTo | None) -> None:
        now = int(self.clock())
        found = [(each, alert) for each in self.standings for alert in due(each, now)]
        present = {alert for _, alert in found}
        self._known &= present
        self._others = {each: until for each, until in self._others.items() if each in present}
        if to is None:
            return
        waiting = [
            (each, alert)
            for each, alert in found
            if alert not in self._known and self._others.get(alert, 0) <= now
        ]
        room = asyncio.Semaphore(_MOST_AT_ONCE)
        async with httpx.AsyncClient(
            timeout=ANSWER_SECONDS, trust_env=False, follow_redirects=False
        ) as client:

            async def one(standing: Standing, alert: Alert) -> None:
                async with room:
                    await self._claim_and_send(client, to, standing, alert)

            await asyncio.gather(*(one(*each) for each in waiting))

    async def _claim_and_send(
        self, client: httpx.AsyncClient, to: AlertsTo, standing: Standing, alert: Alert
    ) -> None:
        now, store = int(self.clock()), self.desk.store()
        fresh, until = f"msg_{self.desk.random(16).hex()}", now + self.claimed_seconds
        id = await asyncio.to_thread(store.claim, alert, fresh, now, until)
        if id is None:
            self._others[alert] = until
            return
        self._others.pop(alert, None)
        body = letter(standing, alert, now)
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(Undelivered),
                stop=stop_after_delay(self.tried_seconds),
                wait=wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            ):
                with attempt:
                    await self._post(client, to, id, body)
        except RetryError as error:
            self.failed += 1
            _log.warning("an alert was not taken, and is tried again: %s", _reason(error))
            return
        self.sent += 1
        await asyncio.to_thread(store.sent, alert, id)
        self._known.add(alert)

    async def _post(self, client: httpx.AsyncClient, to: AlertsTo, id: str, body: bytes) -> None:
        seconds = int(self.clock())
        try:
            answer = await client.post(
                to.url, content=body, headers=dict(headers(id, seconds, body, to.secret))
            )
        except httpx.HTTPError as error:
            raise Undelivered(f"{to.url}: {str(error) or type(error).__name__}") from error
        if not answer.is_success:
            raise Undelivered(f"{to.url} answers {answer.status_code}")


def _reason(error: RetryError) -> str:
    return str(error.last_attempt.exception())


def budget_figures(alerting: Alerting, figures: Figures) -> Figures:
    """With what is spent of budgets, as of the last look."""
    standings = [each for each in alerting.standings if not each.key]
    return replace(
        figures,
        budgets=tuple(_figure(each) for each in fullest(standings, MOST_SERIES)),
        counters=len(standings),
        alerts={"sent": alerting.sent, "failed": alerting.failed},
    )


def _figure(standing: Standing) -> BudgetFigure:
    is_money = standing.budget.unit is Unit.NANODOLLARS
    scale = NANODOLLARS_PER_DOLLAR if is_money else 1
    of = ",".join(f"{name}={value}" for name, value in read_counter(standing.counter).subjects)
    labels = (standing.budget.name, of, "USD" if is_money else "tokens")
    return BudgetFigure(labels, standing.stands.settled / scale, standing.limit / scale)
