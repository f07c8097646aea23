"""The switch and the key of a demo provider."""

from __future__ import annotations

from typing import Any

import pytest

from xds_server.demo.provider import Mode, Provider, refusal_of


def provider() -> Provider:
    return Provider(name="a", key="demo-provider-key-a", models=("demo-a",))


def test_a_mode_lasts_until_it_is_switched() -> None:
    one = provider()
    assert one.switch({"mode": "hang"}) is None
    assert [one.next_mode() for _ in range(3)] == [Mode.HANG] * 3
    assert one.switch({"mode": "ok"}) is None
    assert one.next_mode() is Mode.OK


def test_a_counted_mode_ends_by_itself() -> None:
    one = provider()
    assert one.switch({"mode": "503", "count": 2}) is None
    assert [one.next_mode() for _ in range(3)] == [Mode.OVERLOADED, Mode.OVERLOADED, Mode.OK]


@pytest.mark.parametrize(
    "document",
    [None, {}, {"mode": "418"}, {"mode": "ok", "count": 0}, {"mode": "slow", "delay_seconds": -1}],
)
def test_a_wrong_switch_changes_nothing(document: object) -> None:
    one = provider()
    assert one.switch(document)
    assert (one.mode, one.remaining) == (Mode.OK, None)


@pytest.mark.parametrize(
    ("given", "code"),
    [("", None), ("Basic x", None), ("Bearer demo-provider-key-b", "invalid_api_key")],
)
def test_only_its_own_key_is_right(given: str, code: str | None) -> None:
    refusal = provider().refuse_key(given)
    assert refusal is not None
    error: Any = refusal.body["error"]
    assert (refusal.status, error["code"]) == (401, code)
    assert "provider-key" not in error["message"]
    assert provider().refuse_key("Bearer demo-provider-key-a") is None


def test_only_the_numbered_modes_are_error_answers() -> None:
    statuses = {mode.value: refusal.status for mode in Mode if (refusal := refusal_of(mode))}
    assert statuses == {"429": 429, "500": 500, "503": 503}
