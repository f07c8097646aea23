"""Budgets by what a request says, and in a time that rolls, through a real Envoy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
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


def test_each_project_has_its_own_budget_in_any_24_hours(
    serve_newest_widely: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(CONFIG)
    large = {**ASK, "max_tokens": 1995}
    with serve_newest_widely(file, tmp_path / "state") as stack:
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
    serve_newest_widely: Serve, tmp_path: Path
) -> None:
    file, state = tmp_path / "gateway.yaml", tmp_path / "state"
    limited = (
        CONFIG.partition("budgets:")[0] + "budgets: [{name: all, limit: 100 tokens, per: day}]"
    )
    file.write_text(limited)
    with serve_newest_widely(file, state) as stack:

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


class Hook:
    """A service that is told what is spent."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def told(self) -> set[tuple[str, str]]:
        found = [json.loads(body)["data"] for _, body in self.got]
        return {(each["budget"], each["at"]) for each in found}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def test_the_example_warns_degrades_and_refuses_nobody_softly(
    serve_newest_widely: Serve, tmp_path: Path, hook: Hook
) -> None:
    """`examples/budgets.yaml`."""
    file = tmp_path / "gateway.yaml"
    text = (EXAMPLES / "budgets.yaml").read_text()
    file.write_text(text.replace("${ALERTS_URL:-http://127.0.0.1:9999/alerts}", hook.url))
    with serve_newest_widely(file, tmp_path / "state") as stack:
        ask = {**ASK, "max_tokens": 50}
        told = ("--budgets", "10 tokens/day soft 100%")
        run = (sys.executable, "-m", "xds_server", "keys", "create", "ci", *told)
        where = ("--admin", str(stack.admin_port), "--state-dir", str(stack.state))
        made = subprocess.run([*run, *where], capture_output=True, text=True, check=True)
        first = stack.chat(ask)
        assert (first.json()["model"], first.headers.get(LOW_HEADER)) == ("demo-a", None)
        answers = [first]

        def is_lowered() -> bool:
            answers.append(stack.chat(ask))
            return LOW_HEADER in answers[-1].headers

        eventually(is_lowered, "little is left")
        assert answers[-1].headers[LOW_HEADER] == "each-team; model=cheap"
        assert answers[-1].json()["model"] == "demo-b"
        assert {each.status_code for each in answers} == {200}, "although 10 tokens are long spent"
        for _ in range(2):
            assert stack.chat(ask, key=made.stdout.strip()).status_code == 200
        expected = {("each-team", "1%"), ("everybody", "100%"), ("key:ci:day", "100%")}
        eventually(lambda: hook.told() >= expected, "the webhook is told", seconds=30)
        for got, body in hook.got:
            signed = f"{got['webhook-id']}.{got['webhook-timestamp']}.".encode() + body
            digest = hmac.digest(b"0123456789abcdef01234567", signed, hashlib.sha256)
            assert got["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        assert len(hook.got) == len(hook.told()), "each once"
        metrics = web.get(f"http://127.0.0.1:{stack.admin_port}/metrics").text
        assert 'dragoman_budget_limit{budget="everybody",of="",unit="tokens"} 10.0' in metrics
