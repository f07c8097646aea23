"""What the control plane counts, in Prometheus' text format."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

Sample: TypeAlias = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""


@dataclass(frozen=True, slots=True)
class Connected:
    """What counts of a client."""

    kind: str
    variant: str
    group: str
    level: str
    is_current: bool


@dataclass(slots=True)
class Traffic:
    """What a server counts as it goes on."""

    opened: int = 0
    """Streams."""
    ended: Tally[str] = field(default_factory=Tally)
    """Streams that were not let in, or that we ended; by gRPC's code."""
    responses: Tally[str] = field(default_factory=Tally)
    """By type, as the next two."""
    resources: Tally[str] = field(default_factory=Tally)
    sent_bytes: Tally[str] = field(default_factory=Tally)

    def sent(self, kind: str, resources: int, size_bytes: int) -> None:
        """A response has been sent."""
        self.responses[kind] += 1
        self.resources[kind] += resources
        self.sent_bytes[kind] += size_bytes


@dataclass(frozen=True, slots=True)
class BudgetFigure:
    """A counter of a budget, in its present period."""

    labels: tuple[str, str, str]
    """The budget, whose it is, and the unit: `USD` or `tokens`."""
    spent: float
    limit: float
    """With what was topped up."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is counted, at one moment."""

    version: str | None = None
    attempted_seconds: float | None = None
    """Since 1970: when a configuration was last read."""
    taken_seconds: float | None = None
    problems: int = 0
    is_pinned: bool = False
    remembered: int = 0
    history_troubles: int = 0
    clients: tuple[Connected, ...] = ()
    nacks: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(Kind, type) → how many."""
    traffic: Traffic = field(default_factory=Traffic)
    restarts: Mapping[str, int] = field(default_factory=dict)
    """Child → how often."""
    verdicts: Mapping[tuple[str, str, str, str, str], int] = field(default_factory=dict)
    """(Kind, name, verdict, mode, code) → how often, in all workers of this machine."""
    store_failures: Mapping[str, int] = field(default_factory=dict)
    """Store → how many questions of workers got no answer."""
    agent_events: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(A2A agent, event) → how often, in all workers."""
    agent_health: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """(A2A agent, instance) → whether it told its card to whoever of the workers looked last."""
    budgets: Sequence[BudgetFigure] = ()
    """Those of which most is spent."""
    counters: int | None = None
    """How many there are; None: nobody has looked yet."""
    alerts: Mapping[str, int] = field(default_factory=dict)
    """`sent` or `failed` → how many."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric."""

    name: str
    """Counters end in `_total`."""
    meaning: str
    labels: tuple[str, ...]
    samples: Callable[[Figures], Iterable[Sample]]


def _if_known(value: float | None) -> Iterable[Sample]:
    return () if value is None else (((), value),)


def _by_name(values: Mapping[str, int]) -> Iterable[Sample]:
    return (((name,), value) for name, value in sorted(values.items()))


def _connected(figures: Figures) -> Iterable[Sample]:
    tally = Tally(_labels(client) for client in figures.clients)
    return sorted(tally.items())


def _current(figures: Figures) -> Iterable[Sample]:
    tally = Tally({_labels(client): 0 for client in figures.clients})
    tally.update(_labels(client) for client in figures.clients if client.is_current)
    return sorted(tally.items())


def _labels(client: Connected) -> tuple[str, ...]:
    return (client.kind, client.variant, client.group, client.level)


_CLIENT = ("kind", "variant", "group", "level")

METRICS: tuple[Row, ...] = (
    Row(
        "dragoman_config_info",
        "1, with the version of the configuration in force.",
        ("version",),
        lambda now: () if now.version is None else (((now.version,), 1),),
    ),
    Row(
        "dragoman_config_last_attempt_timestamp_seconds",
        "When a configuration was last read, since 1970.",
        (),
        lambda now: _if_known(now.attempted_seconds),
    ),
    Row(
        "dragoman_config_last_success_timestamp_seconds",
        "When a configuration was last taken by workers and Envoys, since 1970.",
        (),
        lambda now: _if_known(now.taken_seconds),
    ),
    Row(
        "dragoman_config_problems",
        "What is wrong with the last change; 0 when it is in force.",
        (),
        lambda now: (((), now.problems),),
    ),
    Row(
        "dragoman_config_pinned",
        "1 while a rollback is in force instead of the file.",
        (),
        lambda now: (((), int(now.is_pinned)),),
    ),
    Row(
        "dragoman_config_history_entries",
        "Configurations that can be rolled back to.",
        (),
        lambda now: (((), now.remembered),),
    ),
    Row(
        "dragoman_config_history_errors",
        "Files of the history that cannot be read or written at present.",
        (),
        lambda now: (((), now.history_troubles),),
    ),
    Row("dragoman_xds_clients", "Connected streams.", _CLIENT, _connected),
    Row(
        "dragoman_xds_current_clients",
        "Connected streams that have acknowledged all that they are to have.",
        _CLIENT,
        _current,
    ),
    Row(
        "dragoman_xds_nacks_total",
        "Responses that a client refused.",
        ("kind", "type"),
        lambda now: sorted(now.nacks.items()),
    ),
    Row(
        "dragoman_xds_streams_opened_total",
        "Streams that were let in.",
        (),
        lambda now: (((), now.traffic.opened),),
    ),
    Row(
        "dragoman_xds_streams_ended_total",
        "Streams that were not let in, or that we ended; by gRPC's code.",
        ("code",),
        lambda now: _by_name(now.traffic.ended),
    ),
    Row(
        "dragoman_xds_responses_total",
        "Responses sent.",
        ("type",),
        lambda now: _by_name(now.traffic.responses),
    ),
    Row(
        "dragoman_xds_resources_total",
        "Resources sent.",
        ("type",),
        lambda now: _by_name(now.traffic.resources),
    ),
    Row(
        "dragoman_xds_sent_bytes_total",
        "Bytes of responses sent.",
        ("type",),
        lambda now: _by_name(now.traffic.sent_bytes),
    ),
    Row(
        "dragoman_child_restarts_total",
        "How often a process of `dragoman run` was started again.",
        ("process",),
        lambda now: _by_name(now.restarts),
    ),
    Row(
        "dragoman_verdicts_total",
        "What policies said: `deny` and `mask`, and in `audit` what they would have said, also "
        "`pass`, `error` and `allow`; whatever else is refused, by its `code`.",
        ("kind", "name", "verdict", "mode", "code"),
        lambda now: sorted(now.verdicts.items()),
    ),
    Row(
        "dragoman_store_failures_total",
        "How many questions of workers got no answer: to the ledger's budgets (`ledger`), to its "
        "virtual keys (`keys`), or to the limits that several machines share (`limits`).",
        ("store",),
        lambda now: _by_name(now.store_failures),
    ),
    Row(
        "dragoman_a2a_agent_events_total",
        "What happened to A2A agents, each time that a worker noticed: `card_changed`, also when "
        "one is told for the first time, `unhealthy` when none is told, `healthy` when one is "
        "again.",
        ("agent", "event"),
        lambda now: sorted(now.agent_events.items()),
    ),
    Row(
        "dragoman_a2a_agent_healthy",
        "1 where an A2A agent told its card when a worker of this machine asked for it last, 0 "
        "where it told none; of an agent with instances, each `instance`.",
        ("agent", "instance"),
        lambda now: sorted(now.agent_health.items()),
    ),
    Row(
        "dragoman_budget_spent",
        "What is settled in the present period, in the `unit`; of a rolling budget, in its fullest "
        "window. At most 500 counters, those with the largest share spent.",
        ("budget", "of", "unit"),
        lambda now: [(each.labels, each.spent) for each in now.budgets],
    ),
    Row(
        "dragoman_budget_limit",
        "What may be spent in it, with what was topped up; of the same counters.",
        ("budget", "of", "unit"),
        lambda now: [(each.labels, each.limit) for each in now.budgets],
    ),
    Row(
        "dragoman_budget_counters",
        "How many counters of budgets were drawn on in their present periods.",
        (),
        lambda now: _if_known(now.counters),
    ),
    Row(
        "dragoman_budget_alerts_total",
        "Alerts that this control plane `sent` to the webhook, and those that `failed` for a time.",
        ("outcome",),
        lambda now: _by_name(now.alerts),
    ),
)


class _Moment(Collector):
    """One reading of all figures."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        for row in METRICS:
            family = CounterMetricFamily if row.name.endswith("_total") else GaugeMetricFamily
            metric = family(row.name, row.meaning, labels=row.labels)
            for labels, value in row.samples(self._figures):
                metric.add_metric(labels, value)
            yield metric


def exposition(figures: Figures) -> bytes:
    """The answer to a scrape; its type is `CONTENT_TYPE`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Moment(figures))
    return generate_latest(registry)


def markdown() -> str:
    """The table of `docs/operations.md`."""
    rows = ["| Metric | Labels | Meaning |", "|---|---|---|"]
    for row in METRICS:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        rows.append(f"| `{row.name}` | {labels} | {row.meaning} |")
    return "\n".join(rows)
