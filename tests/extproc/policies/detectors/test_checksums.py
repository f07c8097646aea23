from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.detectors import checksums


@pytest.mark.parametrize(
    ("check", "published"),
    [
        (checksums.luhn, "4111111111111111"),
        (checksums.luhn, "046454286"),
        (checksums.mod_97, "GB82WEST12345698765432"),
        (checksums.mod_97, "DE89370400440532013000"),
        (checksums.mod_11_10, "86095742719"),
        (checksums.mod_11_2, "11010519491231002X"),
        (checksums.verhoeff, "2363"),
        (checksums.ean_13, "7569217076985"),
    ],
)
def test_published_numbers_are_right_and_no_other_last_digit_is(
    check: checksums.Checksum, published: str
) -> None:
    assert check(published)
    others = {published[:-1] + digit for digit in "0123456789"} - {published}
    assert not any(map(check, others))


@given(st.text("0123456789", min_size=4, max_size=20), st.integers(0, 18))
def test_verhoeff_sees_two_digits_that_changed_places(digits: str, place: int) -> None:
    whole = next(digits + last for last in "0123456789" if checksums.verhoeff(digits + last))
    place = min(place, len(whole) - 2)
    changed = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
    assert checksums.verhoeff(changed) is (changed == whole)


def test_weights_are_of_the_first_digits() -> None:
    assert checksums.weighted("1234", (1, 10, 100)) == 321
