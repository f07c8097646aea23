"""Which shares are spent, and how that is said."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from gateway.model import Budget, Period, Scope, Span, Unit
from gateway.windows import Window
from xds_server.budgets.alerts import Standing, due, fullest, headers, letter
from xds_server.budgets.store import Alert, Stands

NOW = 1_795_694_400
BUDGET = Budget(
    "each-team",
    Scope(team="*"),
    Unit.NANODOLLARS,
    1000 * 10**9,
    Span(Period.MONTH),
    alerts=(500, 800, 1000),
)
COUNTER = "each-team|team=red"
MONTH = Window(1_793_491_200, 1_796_083_200)


def standing(dollars: float, topped_up: int = 0, **changes: object) -> Standing:
    stands = Stands(COUNTER, MONTH.start, int(dollars * 10**9), 7, topped_up * 10**9)
    return Standing(replace(BUDGET, **changes), stands, MONTH)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dollars", "topped_up", "shares"),
    [
        (499.99, 0, []),
        (500, 0, [500]),
        (800, 0, [500, 800]),
        (1200, 0, [500, 800, 1000]),
        (800, 600, [500]),
    ],
)
def test_every_share_that_is_spent_is_due(
    dollars: float, topped_up: int, shares: list[int]
) -> None:
    found = list(due(standing(dollars, topped_up), NOW))
    assert found == [Alert(COUNTER, MONTH.start, each) for each in shares]


def test_of_a_rolling_budget_a_share_is_due_once_in_each_stretch() -> None:
    rolling = Span(Period.ROLLING, seconds=86400)
    of_one = Standing(
        replace(BUDGET, span=rolling),
        Stands(f"{COUNTER}|window=3", NOW - 5000, 600 * 10**9, 0, 0),
        Window(NOW - 5000, NOW + 100_000, 3),
    )
    (alert,) = due(of_one, NOW)
    assert alert.counter == COUNTER
    (later,) = due(of_one._replace(window=Window(NOW - 4000, NOW + 1, 4)), NOW + 10)
    assert later == alert
    assert list(due(of_one, NOW + 86400)) != [alert]


def test_a_keys_own_budget_is_called_by_the_keys_name() -> None:
    owned = replace(BUDGET, name="key:abcdefgh:month", scope=Scope())
    stands = Stands("key:abcdefgh:month", MONTH.start, 812_500_000_000, 0, 0)
    alert = Alert(stands.counter, MONTH.start, 800)
    said = json.loads(letter(Standing(owned, stands, MONTH, "ci"), alert, NOW))["data"]
    assert (said["budget"], said["of"]) == ("key:ci:month", {"key": "ci"})
    assert said["text"] == "budget 'key:ci:month' of key=ci: 80% is spent: 812.5 USD of 1000 USD"


def test_what_is_said_is_for_people_and_for_programs() -> None:
    of_red = standing(812.5, 100, is_soft=True)
    said = json.loads(letter(of_red, Alert(COUNTER, MONTH.start, 800), NOW))
    assert said == {
        "type": "budget.threshold",
        "timestamp": "2026-11-26T12:00:00Z",
        "data": {
            "text": "budget 'each-team' of team=red: 80% is spent: 812.5 USD of 1100 USD",
            "budget": "each-team",
            "of": {"team": "red"},
            "at": "80%",
            "unit": "nanodollars",
            "spent": 812_500_000_000,
            "reserved": 7,
            "limit": 1100 * 10**9,
            "topped_up": 100 * 10**9,
            "mode": "soft",
            "since": "2026-11-01T00:00:00Z",
            "until": "2026-12-01T00:00:00Z",
        },
    }


def test_it_is_signed_as_standard_webhooks_has_it() -> None:
    key = b"0123456789abcdef01234567"
    told = headers("msg_1", NOW, b"{}", base64.b64encode(key).decode())
    signed = base64.b64encode(hmac.digest(key, f"msg_1.{NOW}.{{}}".encode(), hashlib.sha256))
    assert told == {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW),
        "webhook-signature": f"v1,{signed.decode()}",
    }
    assert "webhook-signature" not in headers("msg_1", NOW, b"{}", "")


def test_the_fullest_are_those_of_which_the_largest_share_is_spent() -> None:
    half, most, topped_up = standing(500), standing(900), standing(900, 1000)
    assert fullest([half, topped_up, most], 2) == [most, half]
