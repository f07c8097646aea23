"""Budgets by what a request says, and in a time that rolls, through a real Envoy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.kit.stack import eventually

pytestmark = pytest.mark.envoy

CONFIG = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity: {api_keys: {keys: [{name: demo, key: dragoman-demo, team: demo}]}}
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/a/v1"
      key: demo-provider-key-a
  models: {demo: demo-a/demo-a}
budgets:
  - {name: project, by: 'request.headers["x-project"]', limit: 2000 tokens, per: rolling 24h}
"""
LOW_HEADER = "x-dragoman-low-budget"
ASK = {"model": "demo", "messages": [{"role": "user", "content": "say hello"}]}


def test_each_project_has_its_own_budget_in_any_24_hours(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG)
    large = {**ASK, "max_tokens": 1995}
    with serve(file, tmp_path / "state") as stack:
        apollo, gemini = {"x-project": "apollo"}, {"x-project": "gemini"}
        used = stack.chat(ASK, headers=apollo).json()["usage"]["total_tokens"]
        refused = stack.chat(large, headers=apollo)
        assert refused.status_code == 429
        assert "budget 'project' of by=apollo" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) > 20 * 3600

        def settled(name: str) -> list[int]:
            rows = stack.budgets().items()
            return [row["settled"] for counter, row in rows if f"|by={name}|" in counter]

        eventually(lambda: settled("apollo") == [used] * 13, "booked in every window")
        assert stack.chat(ASK, headers=gemini).status_code == 200
        eventually(lambda: settled("gemini") == [used] * 13, "apart from the other")


def test_a_budget_that_is_topped_up_or_reset_is_there_again_at_once(
    serve: Serve, tmp_path: Path
) -> None:
    file, state = tmp_path / "gateway.yaml", tmp_path / "state"
    limited = (
        CONFIG.partition("budgets:")[0] + "budgets: [{name: all, limit: 100 tokens, per: day}]"
    )
    file.write_text(limited)
    with serve(file, state) as stack:

        def change(*words: str) -> str:
            where = ("--admin", str(stack.admin_port), "--state-dir", str(state))
            told = subprocess.run(
                [sys.executable, "-m", "xds_server", "budgets", *words, *where],
                capture_output=True,
                text=True,
                check=True,
            )
            return told.stdout

        ask = {**ASK, "max_tokens": 95}
        refused = stack.chat(ask)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "budget_exhausted")
        change("top-up", "all", "100 tokens", "--why", "a launch")
        eventually(lambda: stack.chat(ask).status_code == 200, "topped up")
        answers = []

        def is_spent() -> bool:
            answers.append(stack.chat(ask))
            return answers[-1].status_code == 429

        eventually(is_spent, "spent")
        assert "of 200 tokens spent" in answers[-1].json()["error"]["message"]
        assert "all" in change("list")
        change("reset", "all", "--why", "a mistake")
        eventually(lambda: stack.chat(ask).status_code == 200, "reset")
        first, second, *_ = change("log").splitlines()[1:]
        assert ("reset" in first, "top-up" in second) == (True, True)


def test_when_little_is_left_the_cheaper_model_answers_and_a_soft_budget_refuses_nobody(
    serve: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    cheaper = """
    demo-b:
      type: openai
      url: "http://127.0.0.1:${DRAGOMAN_DEMO_PORT}/b/v1"
      key: demo-provider-key-b
  models: {demo: demo-a/demo-a, cheap: demo-b/demo-b}
"""
    text = CONFIG.partition("budgets:")[0].replace("\n  models: {demo: demo-a/demo-a}\n", cheaper)
    low = "when_low: {below: 99%, route_to: cheap}"
    file.write_text(
        f"{text}budgets: [{{name: all, limit: 50 tokens, per: day, mode: soft, {low}}}]"
    )
    with serve(file, tmp_path / "state") as stack:
        first = stack.chat(ASK)
        assert (first.json()["model"], first.headers.get(LOW_HEADER)) == ("demo-a", None)
        seen = []

        def is_lowered() -> bool:
            seen.append(stack.chat({**ASK, "max_tokens": 500}))
            return LOW_HEADER in seen[-1].headers

        eventually(is_lowered, "little is left")
        answer = seen[-1]
        assert answer.headers[LOW_HEADER] == "all; model=cheap"
        assert answer.json()["model"] == "demo-b"
        for _ in range(5):
            assert stack.chat({**ASK, "max_tokens": 500}).status_code == 200
        eventually(lambda: stack.budgets()["all|tokens"]["settled"] > 50, "more than the limit")
