from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.policies.detectors.numbering import NumberingPlan

REGIONS = ("US", "CA", "GB", "DE", "FR", "IT", "BR", "AR", "MX", "AU", "IN", "RU", "PL", "SG")
PLANS = {region: NumberingPlan(region) for region in REGIONS}


def is_valid(value: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value, region))
    except phonenumbers.NumberParseException:
        return False


@pytest.mark.parametrize("region", REGIONS)
def test_every_example_may_be_a_number_however_it_is_dialled(region: str) -> None:
    tried = 0
    for kind in phonenumbers.PhoneNumberType.values():
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        plus = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        for said in (national, f"{national} ext. 12", f"{national} x7", plus[1:]):
            if is_valid(said, region):
                assert PLANS[region].may_have(said), said
                tried += 1
    assert tried >= 4


@pytest.mark.parametrize(
    ("value", "region"),
    [("(1)(1)(1)(1)(1)(1)", "US"), ("1 2 3 4 5 6 7 8 9 1", "US"), ("555 0100", "US"), ("0", "FR")],
)
def test_other_digits_are_told_without_the_library(value: str, region: str) -> None:
    assert not PLANS[region].may_have(value)
    assert not is_valid(value, region)


@settings(max_examples=400)
@given(
    st.sampled_from(REGIONS),
    st.sampled_from(["", "0", "1", "00", "011", "8", "9", "49", "44", "39", "549", "915"]),
    st.text("0123456789", min_size=4, max_size=12),
)
def test_no_number_is_lost(region: str, prefix: str, rest: str) -> None:
    if is_valid(prefix + rest, region):
        assert PLANS[region].may_have(prefix + rest)
