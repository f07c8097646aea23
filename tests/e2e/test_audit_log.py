"""`examples/audit-log.yaml` through a real Envoy: what is in the log, and what is not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit.stack import Stack, eventually, running
from xds_server import cli

pytestmark = pytest.mark.envoy

KEY = "ada-key"
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "say hello"}], "max_tokens": 20}


@pytest.fixture(scope="module")
def gateway(serve_newest: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("audited")
    config = folder / "gateway.yaml"
    config.write_text((EXAMPLES / "audit-log.yaml").read_text())
    with serve_newest(config, folder / "state") as stack:
        yield stack


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Stack]:
    """One that may be broken, with one worker."""
    config = tmp_path / "gateway.yaml"
    config.write_text((EXAMPLES / "audit-log.yaml").read_text())
    with running(config, tmp_path / "state", workers=1) as stack:
        yield stack


def dragoman(stack: Stack, *words: str, status: int = 0) -> str:
    """What a command prints."""
    where = ["--state-dir", str(stack.state)]
    if words[0] != "audit":
        where += ["--admin", str(stack.admin_port)]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert cli.main([*words, *where], {}) == status
    return printed.getvalue()


def exported(stack: Stack) -> list[dict[str, Any]]:
    return [json.loads(line) for line in dragoman(stack, "audit", "export").splitlines()]


def verdicts(stack: Stack) -> list[tuple[str, ...]]:
    """Verdict, mode and policy of each record, and who and what."""
    names = ("verdict", "mode", "kind", "name", "key", "model")
    records = (each for each in exported(stack) if each["event"] == "verdict")
    return [tuple(each.get(name, "") for name in names) for each in records]


def ask(stack: Stack, text: str = "say hello", *, key: str = KEY, **more: Any) -> int:
    messages = [{"role": "user", "content": text}]
    body = {"model": "demo", **ASK, "messages": messages, **more}
    return stack.chat(body, key=key).status_code


def test_who_did_what_and_what_was_decided_is_in_the_log(gateway: Stack) -> None:
    assert ask(gateway) == 200
    assert ask(gateway, model="large") == 403
    assert ask(gateway, "write to ann@example.com", max_tokens=5000) == 200
    assert ask(gateway, key="wrong-key") == 401
    wanted = [
        ("pass", "", "", "", "ada", "demo"),
        ("deny", "enforce", "rule", "no-large", "ada", "large"),
        ("deny", "audit", "rule", "short", "ada", "demo"),
        ("mask", "enforce", "guard", "mail", "ada", "demo"),
        ("pass", "", "", "", "ada", "demo"),
        ("deny", "enforce", "identity", "", "", ""),
    ]
    eventually(lambda: sorted(verdicts(gateway)) == sorted(wanted), "all is written")
    (denied,) = (each for each in exported(gateway) if each.get("name") == "no-large")
    assert denied["user"] == "ada@example.com"
    assert denied["path"] == "/v1/chat/completions"
    assert (denied["status"], denied["code"]) == (403, "permission_denied")
    assert denied["request_id"]
    in_force = [each for each in exported(gateway) if each["event"] == "configuration.in_force"]
    assert [each["origin"] for each in in_force] == ["start"]
    told = dragoman(gateway, "audit", "export")
    for secret in (KEY, "wrong-key", "ann@example.com", "say hello", "demo-provider-key"):
        assert secret not in told
    assert "broken" not in dragoman(gateway, "audit", "verify")


def test_what_operators_do_is_in_the_log(gateway: Stack) -> None:
    made = dragoman(gateway, "keys", "create", "ci").strip()
    dragoman(gateway, "keys", "revoke", "ci")

    def deeds() -> list[tuple[str, str]]:
        records = (each for each in exported(gateway) if each["event"].startswith("key."))
        return [(each["event"], each["key"]) for each in records]

    eventually(lambda: deeds() == [("key.create", "ci"), ("key.revoke", "ci")], "both are written")
    assert made.rpartition("_")[2] not in dragoman(gateway, "audit", "export")
    before = gateway.config.read_text()
    gateway.config.write_text(before.replace("name: no-large", "name: not-large"))
    origins = ["start", "change"]

    def changes() -> list[str]:
        records = exported(gateway)
        return [each["origin"] for each in records if each["event"] == "configuration.in_force"]

    eventually(lambda: changes() == origins, "the change is written")
    assert ask(gateway, model="large") == 403
    eventually(lambda: any(each[3] == "not-large" for each in verdicts(gateway)), "it is named")
    by: dict[str, list[str]] = {event: [] for event in ("configuration.in_force", "verdict")}
    for each in exported(gateway):
        if each["event"] in by:
            by[each["event"]].append(each["config"])
    assert set(by["verdict"]) == set(by["configuration.in_force"])
    assert len(set(by["verdict"])) == 2
    assert "broken" not in dragoman(gateway, "audit", "verify")


def test_records_are_sealed_with_the_secret(gateway: Stack, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("of-the-example-not-to-be-used-elsewhere\n")
    wrong.write_text("x" * 32)
    assert ask(gateway) == 200
    eventually(lambda: len(verdicts(gateway)) > 0, "it is written")
    assert all("seal" in each for each in exported(gateway))
    assert "broken" not in dragoman(gateway, "audit", "verify", "--secret-files", str(right))
    told = dragoman(gateway, "audit", "verify", "--secret-files", str(wrong), status=1)
    assert "is sealed by a key that was not given" in told
    shown = httpx.get(f"{gateway.admin_url}/api/config", timeout=5).text
    assert "not-to-be-used-elsewhere" not in shown


def test_what_is_changed_in_the_log_is_found(alone: Stack) -> None:
    for _ in range(3):
        assert ask(alone, model="large") == 403
    eventually(lambda: len(verdicts(alone)) == 3, "all is written")
    (path,) = (alone.state / "audit").glob("extproc-*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    told = dragoman(alone, "audit", "verify", status=1)
    assert f"{path}:3: record 4 follows where 3 must be" in told


def test_a_worker_that_is_killed_leaves_a_chain_that_goes_on(alone: Stack) -> None:
    assert ask(alone) == 200
    eventually(lambda: len(verdicts(alone)) == 1, "it is written")
    (worker,) = alone.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: alone.workers() not in ([], [worker]), "another one is there")
    eventually(lambda: ask(alone) == 200, "it answers", seconds=30)
    eventually(lambda: len(verdicts(alone)) > 1, "it is written")
    mine = [each["event"] for each in exported(alone) if each["writer"].startswith("extproc")]
    assert mine[:4] == ["log.begin", "verdict", "log.resume", "verdict"]
    assert "broken" not in dragoman(alone, "audit", "verify")


def test_nothing_passes_while_the_disk_is_full(alone: Stack) -> None:
    assert ask(alone) == 200
    eventually(lambda: len(verdicts(alone)) == 1, "it is written")
    (worker,) = alone.workers()
    soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, hard))  # as good as a disk that is full
    try:
        assert ask(alone) == 200  # it is not known yet
        eventually(lambda: ask(alone) == 503, "it is known")
        refused = alone.chat({"model": "demo", **ASK}, key=KEY)
        assert refused.json()["error"]["code"] == "audit_unavailable"
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))
    eventually(lambda: ask(alone) == 200, "there is room again")
    alone.stop()
    kinds = [each[0] for each in verdicts(alone)]
    assert kinds.count("pass") >= 3
    assert kinds[-1] == "pass"
    assert ("deny", "enforce", "gateway", "", "", "") in verdicts(alone)
    assert "broken" not in dragoman(alone, "audit", "verify")
