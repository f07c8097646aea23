from __future__ import annotations

from gateway.kinds import PII_GROUPS, SECRET_GROUPS, Kind


def test_a_kind_is_personal_or_a_secret_and_never_both() -> None:
    assert not {*PII_GROUPS["all"]} & {*SECRET_GROUPS["all"]}
    assert {*PII_GROUPS["all"], *SECRET_GROUPS["all"]} == set(Kind)


def test_no_group_is_called_as_a_kind_is() -> None:
    assert not {*PII_GROUPS, *SECRET_GROUPS} & set(Kind)
