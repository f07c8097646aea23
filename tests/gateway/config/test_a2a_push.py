"""Push notifications, as they are written; mistakes are in `tests/golden/invalid/push-*.yaml`."""

from __future__ import annotations

from gateway.a2a import Push
from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.resolve import resolve
from tests.extproc.a2a.keys import pem
from tests.kit.gateways import gateway_of

AGENTS = '  agents: {travel: {url: "http://travel"}}\n'
FULL = f"""
gateways: {{default: {{port: 8080}}}}
a2a:
  url: https://agents.example.com
  signing: {{key: "${{KEY}}"}}
  push:
    hosts: ["*.Example.com"]
    networks: [10.0.0.0/8]
    http: true
    sign: true
    token: optional
    timeout: 3s
    retries: 0
    lifetime_days: 2
    secrets: [{"s" * 32}, {"t" * 32}]
{AGENTS}"""


def loaded(text: str) -> Config:
    found = load(text, file="g.yaml", environment={"KEY": pem("P-256")})
    assert isinstance(found, Config), found
    return found


def test_it_is_off_unless_it_is_said() -> None:
    assert gateway_of(f"a2a:\n{AGENTS}").a2a.push is None


def test_what_is_not_said_has_a_default() -> None:
    found = gateway_of(f"a2a:\n  push: {{url: 'https://gw'}}\n{AGENTS}").a2a
    assert found.push == Push("https://gw")
    assert found.longest_seconds == 15.0


def test_what_is_said_is_meant() -> None:
    found = resolve(loaded(FULL)).a2a.push
    assert found == Push(
        "https://agents.example.com",
        ("*.example.com",),
        ("10.0.0.0/8",),
        takes_http=True,
        needs_token=False,
        is_signed=True,
        timeout_seconds=3.0,
        retries=0,
        lifetime_seconds=2 * 86400,
        secrets=("s" * 32, "t" * 32),
    )
    assert "sss" not in repr(found)


def test_secrets_are_for_workers_alone() -> None:
    config = loaded(FULL)
    workers = loaded(for_workers(config))
    assert resolve(workers).a2a.push == resolve(config).a2a.push
    told = published(config)
    assert "s" * 32 not in told
    assert isinstance(load(told, file="g.yaml", environment={}), Config)
