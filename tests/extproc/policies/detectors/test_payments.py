from __future__ import annotations

import pytest

from gateway.kinds import PII_GROUPS
from tests.kit.detections import found

KINDS = PII_GROUPS["payment"]


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",  # the networks' and processors' test numbers
        "4222222222222",
        "5555 5555 5555 4444",
        "2223-0031-2200-3222",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
        "6200000000000005",
        "6759649826438453",
    ],
)
def test_cards_of_all_networks_are_found(number: str) -> None:
    assert found(f"it is {number}.", KINDS) == [f"credit_card {number}"]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # check digit
        "9111111111111119",  # nobody's range
        "411111111111116",  # Visa has no fifteen digits
        "41111111111111110000",
        "0.4111111111111111",
        "x4111111111111111",
        "4111 1111-1111 1111",
        "1-4111-1111-1111-1111",
    ],
)
def test_other_numbers_are_not(text: str) -> None:
    assert found(text, KINDS) == []


def test_groups_before_a_card_do_not_hide_it() -> None:
    text = "2024 4111 1111 1111 1111 and 12 5555 5555 5555 4444"
    assert found(text, KINDS) == [
        "credit_card 4111 1111 1111 1111",
        "credit_card 5555 5555 5555 4444",
    ]


def test_an_account_ends_where_its_country_says() -> None:
    text = "DE89 3704 0044 0532 0130 00 AND MORE, no93 8601 1117 947"
    assert found(text, KINDS) == ["iban DE89 3704 0044 0532 0130 00", "iban no93 8601 1117 947"]


@pytest.mark.parametrize(
    "text",
    [
        "DE88370400440532013000",
        "DE8937040044053201300",
        "XX89370400440532013000",
        "ADE89370400440532013000",
    ],
)
def test_other_accounts_are_none(text: str) -> None:
    assert found(text, KINDS) == []
