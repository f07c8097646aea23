from __future__ import annotations

import random

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.policies.detectors.numbering import (
    NumberingPlan,
    NumberingPlans,
    digits_of,
    may_be_international,
)

REGIONS = ("US", "CA", "GB", "DE", "FR", "IT", "BR", "AR", "MX", "AU", "IN", "RU", "PL", "SG")
PLANS = {region: NumberingPlan(region) for region in REGIONS}

EVERY = NumberingPlans(REGIONS)


def is_valid(value: str, region: str | None) -> bool:
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
                assert PLANS[region].may_have(digits_of(said)), said
                assert EVERY.may_have(digits_of(said)), said
                tried += 1
    assert tried >= 4


@pytest.mark.parametrize(
    ("value", "region"),
    [("(1)(1)(1)(1)(1)(1)", "US"), ("1 2 3 4 5 6 7 8 9 1", "US"), ("555 0100", "US"), ("0", "FR")],
)
def test_other_digits_are_told_without_the_library(value: str, region: str) -> None:
    assert not PLANS[region].may_have(digits_of(value))
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
        assert NumberingPlans([region]).may_have(prefix + rest)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_all_plans_at_once_have_what_each_has(region: str) -> None:
    plan, plans = NumberingPlan(region), NumberingPlans([region])
    numbers = random.Random(region)
    for _ in range(300):
        digits = str(numbers.randrange(10 ** numbers.randrange(6, 15)))
        assert plans.may_have(digits) or not plan.may_have(digits), digits


def test_a_prefix_may_stand_for_other_digits() -> None:
    assert is_valid("340715689151", "AR")
    assert NumberingPlans(["AR"]).may_have("340715689151")


@settings(max_examples=400)
@given(
    st.sampled_from(["1415", "4930", "4420", "3906", "5411", "521", "7800", "800", "883", "999"]),
    st.text("0123456789", min_size=3, max_size=12),
)
def test_no_international_number_is_lost(code: str, rest: str) -> None:
    if is_valid(f"+{code}{rest}", None):
        assert may_be_international(code + rest)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_region_has_international_numbers(region: str) -> None:
    for kind in phonenumbers.PhoneNumberType.values():
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None and phonenumbers.is_valid_number(number):
            digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
            assert may_be_international(digits), digits
            assert NumberingPlans([region]).may_have(digits)


@pytest.mark.parametrize("digits", ["123456789", "9991234567", "49", "1", "4930", "0049301234567"])
def test_other_international_digits_are_told_without_the_library(digits: str) -> None:
    assert not may_be_international(digits)
    assert not is_valid(f"+{digits}", None)


@settings(max_examples=300)
@given(
    st.sampled_from(REGIONS),
    st.text("0123456789", min_size=7, max_size=12),
    st.lists(st.integers(1, 11), max_size=3),
    st.sampled_from([" ", "-", ".", "/", ") "]),
    st.sampled_from(["", " ext. 12", "x7", " x12345", "ext 1"]),
)
def test_signs_between_digits_and_extensions_do_not_matter(
    region: str, digits: str, cuts: list[int], sign: str, extension: str
) -> None:
    value = digits
    for cut in sorted(cuts, reverse=True):
        if cut < len(digits):
            value = value[:cut] + sign + value[cut:]
    assert is_valid(value + extension, region) == is_valid(digits_of(value + extension), region)
