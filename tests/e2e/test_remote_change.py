"""Guards that ask a service come and go while requests are answered."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit.recorder import Recorder
from tests.kit.stack import eventually

pytestmark = pytest.mark.envoy

PLAIN = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
llm:
  providers: {a: {type: openai, url: "%s/v1", key: k}}
  failover: {health: {failures: 0}}
  models: {m: a/m}
"""
GUARDED = """
guardrails:
  - {type: webhook, name: own, url: "%s/", timeout: 5s}
"""
ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    ],
}
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def test_no_request_is_refused_while_a_guard_comes_or_goes(serve: Serve, tmp_path: Path) -> None:
    with Recorder() as provider, Recorder() as first, Recorder() as second:
        provider.answer = json.dumps(ANSWER).encode()
        first.answer = second.answer = b'{"verdict": "pass"}'
        config = tmp_path / "gateway.yaml"
        plain = PLAIN % provider.url
        config.write_text(plain)
        with serve(config, tmp_path / "state") as stack:
            seen: Counter[int] = Counter()
            is_over = threading.Event()

            def ask() -> None:
                with httpx.Client(timeout=20) as client:
                    while not is_over.is_set():
                        answer = client.post(f"{stack.url}/v1/chat/completions", json=ASKED)
                        seen[answer.status_code] += 1

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            try:
                for service in (first, second):  # one comes; another takes its place
                    config.write_text(plain + GUARDED % service.url)
                    eventually(lambda: len(service.requests) > 20, "it is asked")  # noqa: B023
                config.write_text(plain)
                count = len(second.requests)

                def is_left_alone() -> bool:
                    nonlocal count
                    before, count = count, len(second.requests)
                    return before == count

                eventually(is_left_alone, "nobody is asked any more")
            finally:
                is_over.set()
                for thread in threads:
                    thread.join()
            assert set(seen) == {200}
            assert first.requests[-1].path == "/"
