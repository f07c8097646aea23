"""Where budgets are kept, as it is written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from gateway.config.ledger import url_mistake
from gateway.config.load import load
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.resolve import resolve


def read(ledger: str) -> Config:
    config = load(f"ledger: {ledger}", file="gateway.yaml", environment={"PW": "geheim"})
    assert isinstance(config, Config), config
    return config


def mistakes(ledger: str) -> list[str]:
    found = load(f"ledger: {ledger}", file="gateway.yaml", environment={})
    assert isinstance(found, tuple)
    return [str(each) for each in found]


def test_without_a_word_it_is_a_file_of_this_machine() -> None:
    config = load("llm: {}", file="gateway.yaml", environment={})
    assert isinstance(config, Config)
    assert resolve(config).ledger == LedgerPlace() == resolve(read("{type: sqlite}")).ledger


def test_a_server_is_exact_and_strict_unless_said_otherwise() -> None:
    url = "rediss+sentinel://a:1,b:2/main/0"
    exact = resolve(read(f"{{type: redis, url: '{url}'}}")).ledger
    assert exact == LedgerPlace(LedgerKind.REDIS, url, name="dragoman")
    assert (exact.ahead_permille, exact.is_strict) == (0, True)
    leased = "{type: postgres, url: 'postgresql://db/l', lease: 2.5%, on_error: lease, name: eu_1}"
    place = resolve(read(leased)).ledger
    assert (place.ahead_permille, place.is_strict, place.name) == (25, False, "eu_1")


def test_passwords_reach_workers_and_nobody_else() -> None:
    secrets = "password: '${PW}', sentinel_password: '${PW}'"
    config = read(f"{{type: redis, url: 'redis://h', username: u, {secrets}}}")
    assert "geheim" not in published(config) + repr(resolve(config).ledger) + repr(config)
    told = load(for_workers(config), file="told", environment={})
    assert isinstance(told, Config)
    place = resolve(told).ledger
    assert place == resolve(config).ledger
    assert (place.username, place.password, place.sentinel_password) == ("u", "geheim", "geheim")


def test_what_is_published_reads_as_the_same() -> None:
    config = read("{type: redis, url: 'redis://h', lease: 12.5%, timeout: 250ms, dead_after: 1m}")
    document: dict[str, Any] = yaml.safe_load(published(config))
    assert document["ledger"]["lease"] == "12.5%"
    again = load(published(config), file="published", environment={})
    assert isinstance(again, Config)
    assert resolve(again).ledger == resolve(config).ledger


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("{type: mysql}", "must be one of sqlite, redis, postgres"),
        ("{type: redis}", "ledger.url: is required"),
        ("{type: redis, url: 'redis://h', lease: 51%}", "must be a share from 0.1% to 50%"),
        ("{type: redis, url: 'redis://h', lease: 0%}", "must be a share from 0.1% to 50%"),
        ("{type: redis, url: 'redis://h', on_error: lease}", "leases nothing (add lease: 5%)"),
        ("{type: redis, url: 'redis://h', timeout: 5s}", "timeout must be from 10ms to 4s"),
        ("{type: redis, url: 'redis://h', dead_after: 500ms}", "dead_after must be at least 1s"),
        ("{type: redis, url: 'redis://h', name: A-b}", "must be lower-case letters"),
        ("{type: postgres, url: 'redis://h'}", "must begin with one of postgres, postgresql"),
    ],
)
def test_mistakes_are_told(ledger: str, said: str) -> None:
    (mistake,) = mistakes(ledger)
    assert said in mistake
    assert mistake.startswith("gateway.yaml:1: ledger")


@pytest.mark.parametrize(
    ("type_", "url", "mistake"),
    [
        ("redis", "redis://h:6379/0", None),
        ("redis", "rediss+cluster://h:1,[::1]:2", None),
        ("redis", "unix:///run/redis.sock", None),
        ("postgres", "postgresql://a,b:2/l?target_session_attrs=read-write", None),
        ("redis", "unix://", "must name a socket"),
        ("redis", "redis://h:x", "must name a host, or several with ',' between them"),
        ("redis", "redis://a,b", "names several hosts"),
        ("redis", "redis+sentinel://a", "must name the service"),
        ("redis", "redis://u:geheim@h", "must not carry credentials"),
        ("postgres", "postgresql://h/l?password=geheim", "must not carry credentials"),
        ("redis", "redis://[", "must be a url"),
    ],
)
def test_urls_are_looked_at_before_anybody_connects(
    type_: str, url: str, mistake: str | None
) -> None:
    found = url_mistake(type_, url)
    assert (found and found[0]) == mistake
    assert "geheim" not in str(found)
