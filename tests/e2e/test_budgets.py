"""Budgets by what a request says, and in a time that rolls, through a real Envoy."""

from __future__ import annotations

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
