"""Rules through a real Envoy: those in audit decide nothing, and operators see what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.stack import KEY, Stack, eventually

pytestmark = pytest.mark.envoy

YAML = f"""
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
identity: {{api_keys: {{keys: [{{name: ann, key: {KEY}, team: red}}]}}}}
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${{DRAGOMAN_DEMO_PORT}}/a/v1"
      key: demo-provider-key-a
  models: {{small: demo-a/demo-a, large: demo-a/demo-a}}
authorize:
  - {{name: no-large, for: {{model: large}}, deny: "true", mode: audit}}
  - {{name: no-secret, for: {{llm: "*"}}, deny: 'llm.prompt.contains("forbidden")'}}
  - name: cool
    for: {{llm: "*"}}
    deny: has(llm.params.temperature) && llm.params.temperature > 1
"""


@pytest.fixture(scope="module")
def ruled(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("ruled")
    config = folder / "gateway.yaml"
    config.write_text(YAML)
    with pytest.MonkeyPatch.context() as patching:
        patching.setenv("DRAGOMAN_LOG_LEVEL", "info")
        with serve(config, folder / "state") as stack:
            yield stack


def ask(stack: Stack, model: str, text: str = "hello", **params: Any) -> httpx.Response:
    return web.post(
        f"{stack.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {KEY}"},
        json={"model": model, "messages": [{"role": "user", "content": text}], **params},
        timeout=10,
    )


def audits(stack: Stack) -> dict[str, Any]:
    rows = web.get(f"{stack.admin_url}/api/status", timeout=5).json()["audits"]
    return {row["name"]: row["verdicts"] for row in rows}


def test_a_rule_in_audit_lets_pass_and_is_counted_and_logged(ruled: Stack) -> None:
    assert ask(ruled, "large").status_code == 200
    assert ask(ruled, "large").status_code == 200
    assert ask(ruled, "small").status_code == 200
    eventually(lambda: audits(ruled) == {"no-large": {"deny": 2}}, "both are counted")
    metrics = web.get(f"{ruled.admin_url}/metrics", timeout=5).text
    assert (
        'dragoman_verdicts_total{code="permission_denied",kind="rule",mode="audit",'
        'name="no-large",verdict="deny"} 2.0'
    ) in metrics
    lines = [each for each in ruled.log.read_text().splitlines() if '"extproc.audits"' in each]
    told = [json.loads(each[each.index("{") :]) for each in lines]  # after the process's name
    assert [(each["rule"], each["verdict"], each["key"], each["model"]) for each in told] == [
        ("no-large", "deny", "ann", "large"),
        ("no-large", "deny", "ann", "large"),
    ]
    assert all(each["request_id"] for each in told)


def test_an_enforced_rule_beside_it_refuses(ruled: Stack) -> None:
    refused = ask(ruled, "small", "this is forbidden")
    assert refused.status_code == 403
    assert "denied by 'no-secret'" in refused.text
    wanted = (
        'dragoman_verdicts_total{code="permission_denied",kind="rule",mode="enforce",'
        'name="no-secret",verdict="deny"} 1.0'
    )
    metrics = f"{ruled.admin_url}/metrics"
    eventually(lambda: wanted in web.get(metrics, timeout=5).text, "it is counted")


def test_a_rule_reads_what_is_asked_for_beside_the_texts(ruled: Stack) -> None:
    assert ask(ruled, "small", temperature=1).status_code == 200
    refused = ask(ruled, "small", temperature=1.5)
    assert refused.status_code == 403
    assert "'cool'" in refused.json()["error"]["message"]
