"""The figures as a scraper reads them."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from xds_server.metrics import (
    METRICS,
    BudgetFigure,
    Connected,
    Figures,
    Traffic,
    exposition,
    markdown,
)

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
TRAFFIC = Traffic(opened=9)
TRAFFIC.ended["UNAUTHENTICATED"] = 5
for _ in range(6):
    TRAFFIC.sent("Cluster", 10, 1000)
TRAFFIC.sent("Listener", 0, 7)
FULL = Figures(
    version="abc",
    attempted_seconds=20.5,
    taken_seconds=10.25,
    problems=2,
    is_pinned=True,
    remembered=3,
    history_troubles=1,
    clients=(
        Connected("envoy", "delta", "edge", "1.40", True),
        Connected("envoy", "delta", "edge", "1.40", False),
        Connected("extproc", "sotw", "", "1.37", False),
    ),
    nacks={("envoy", "Listener"): 4},
    traffic=TRAFFIC,
    restarts={"envoy": 1, "extproc.0": 0},
    verdicts={("rule", "night", "deny", "enforce", "permission_denied"): 3},
    store_failures={"ledger": 6, "keys": 0},
    agent_events={("travel", "unhealthy"): 8},
    agent_health={("travel", "blue"): True, ("hotels", ""): False},
    budgets=(BudgetFigure(("each", "team=red", "USD"), 2.5, 10.0),),
    counters=7,
    alerts={"sent": 2, "failed": 0},
)


def scraped(figures: Figures) -> dict[tuple[str, ...], float]:
    """(Name, values of the labels in the order of their names…) → value."""
    families = text_string_to_metric_families(exposition(figures).decode())
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_everything_is_told() -> None:
    edge, worker = ("edge", "envoy", "1.40", "delta"), ("", "extproc", "1.37", "sotw")
    assert scraped(FULL) == {
        ("dragoman_config_info", "abc"): 1,
        ("dragoman_config_last_attempt_timestamp_seconds",): 20.5,
        ("dragoman_config_last_success_timestamp_seconds",): 10.25,
        ("dragoman_config_problems",): 2,
        ("dragoman_config_pinned",): 1,
        ("dragoman_config_history_entries",): 3,
        ("dragoman_config_history_errors",): 1,
        ("dragoman_xds_clients", *edge): 2,
        ("dragoman_xds_clients", *worker): 1,
        ("dragoman_xds_current_clients", *edge): 1,
        ("dragoman_xds_current_clients", *worker): 0,
        ("dragoman_xds_nacks_total", "envoy", "Listener"): 4,
        ("dragoman_xds_streams_opened_total",): 9,
        ("dragoman_xds_streams_ended_total", "UNAUTHENTICATED"): 5,
        ("dragoman_xds_responses_total", "Cluster"): 6,
        ("dragoman_xds_responses_total", "Listener"): 1,
        ("dragoman_xds_resources_total", "Cluster"): 60,
        ("dragoman_xds_resources_total", "Listener"): 0,
        ("dragoman_xds_sent_bytes_total", "Cluster"): 6000,
        ("dragoman_xds_sent_bytes_total", "Listener"): 7,
        ("dragoman_child_restarts_total", "envoy"): 1,
        ("dragoman_child_restarts_total", "extproc.0"): 0,
        ("dragoman_verdicts_total", "permission_denied", "rule", "enforce", "night", "deny"): 3,
        ("dragoman_store_failures_total", "keys"): 0,
        ("dragoman_store_failures_total", "ledger"): 6,
        ("dragoman_a2a_agent_events_total", "travel", "unhealthy"): 8,
        ("dragoman_a2a_agent_healthy", "travel", "blue"): 1,
        ("dragoman_a2a_agent_healthy", "hotels", ""): 0,
        ("dragoman_budget_spent", "each", "team=red", "USD"): 2.5,
        ("dragoman_budget_limit", "each", "team=red", "USD"): 10,
        ("dragoman_budget_counters",): 7,
        ("dragoman_budget_alerts_total", "sent"): 2,
        ("dragoman_budget_alerts_total", "failed"): 0,
    }


def test_what_is_not_known_yet_is_not_told() -> None:
    assert set(scraped(Figures())) == {
        ("dragoman_config_problems",),
        ("dragoman_config_pinned",),
        ("dragoman_config_history_entries",),
        ("dragoman_config_history_errors",),
        ("dragoman_xds_streams_opened_total",),
    }


def test_a_label_cannot_break_out_of_its_line() -> None:
    group = 'a"} 1\nevil{x="'
    assert ("dragoman_xds_clients", group, "envoy", "1.40", "delta") in scraped(
        Figures(clients=(Connected("envoy", "delta", group, "1.40", True),))
    )


def test_every_metric_has_its_own_name_and_a_meaning() -> None:
    assert len({row.name for row in METRICS}) == len(METRICS)
    assert [row.name for row in METRICS if not row.meaning.endswith(".")] == []


def test_the_page_for_operators_lists_every_metric() -> None:
    assert markdown() in OPERATIONS.read_text()
