"""Several machines that draw on one budget, kept on a real server."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES
from tests.kit import web
from tests.kit.servers import postgres, redis
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

REDIS_EXAMPLE = EXAMPLES / "ledger-redis.yaml"
COUNTER = "team-month|team=demo"
LIMIT = 2_000_000
FAILURES = 'dragoman_store_failures_total{store="ledger"}'
ASK = {
    "model": "demo",
    "max_tokens": 400,
    "messages": [{"role": "user", "content": "say hello"}],
}
BIG = {**ASK, "max_tokens": 4000}


def patient(folder: Path) -> Path:
    """The example; on a busy machine, an answer may take its time."""
    file = folder / "gateway.yaml"
    text = REDIS_EXAMPLE.read_text()
    file.write_text(text.replace("  type: redis", "  timeout: 4s\n  type: redis"))
    return file


def ask(stack: Stack) -> int:
    return stack.chat(ASK).status_code


def test_two_machines_spend_one_budget_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis(tmp_path / "redis") as server:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{server.port}")
        monkeypatch.setenv("TEAM_LIMIT", "0.002 USD")
        with (
            running(patient(tmp_path), tmp_path / "a", workers=1) as a,
            running(patient(tmp_path), tmp_path / "b", workers=1) as b,
            ThreadPoolExecutor(8) as pool,
        ):
            # While calls are under way their estimates are refused room; more comes once they end.
            answers = Counter[int]()
            for _ in range(10):
                answers.update(pool.map(ask, [a, b] * 60))
                eventually(lambda: a.budgets()[COUNTER]["reserved"] == 0, "all is settled")
                row = a.budgets()[COUNTER]
                if row["settled"] > LIMIT * 0.6:
                    break
            assert set(answers) == {200, 429}
            assert LIMIT * 0.6 < row["settled"] <= LIMIT
            assert b.budgets() == a.budgets()
            error = b.chat(BIG).json()["error"]
            assert error["code"] == "budget_exhausted"
            assert "team-month" in error["message"]
            spent = row["settled"]

            server.kill()
            refused = a.chat(ASK)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "ledger_unavailable"
            metrics = f"{a.admin_url}/metrics"
            eventually(lambda: FAILURES in web.get(metrics, timeout=5).text, "it is counted")
            server.start()
            eventually(lambda: a.chat(BIG).status_code == 429, "the server is back")
            assert b.budgets()[COUNTER]["settled"] == spent


def test_a_saved_file_moves_the_budgets_to_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gateway.yaml"
    text = REDIS_EXAMPLE.read_text()
    with redis(tmp_path / "redis") as first, postgres(tmp_path / "postgres") as second:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{first.port}")
        file.write_text(text)
        with running(file, tmp_path / "state", workers=1) as stack:
            assert ask(stack) == 200
            eventually(lambda: stack.budgets()[COUNTER]["settled"] > 0, "booked in the first")
            url = f"postgresql://127.0.0.1:{second.port}/ledger"
            block = f"  type: postgres\n  url: {url}\n  username: gateway\n"
            start, end = text.index("  type: redis"), text.index("  # username")
            file.write_text(text[:start] + block + text[end:])
            eventually(lambda: COUNTER not in stack.budgets(), "the second knows of nothing")
            assert ask(stack) == 200
            eventually(lambda: stack.budgets()[COUNTER]["settled"] > 0, "booked in the second")
