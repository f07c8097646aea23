from __future__ import annotations

from gateway.kinds import PII_GROUPS, PII_NAMES, SECRET_GROUPS, SECRET_NAMES, Kind, kinds_of


def test_a_kind_is_personal_or_a_secret_and_never_both() -> None:
    assert not {*PII_GROUPS["all"]} & {*SECRET_GROUPS["all"]}
    assert {*PII_GROUPS["all"], *SECRET_GROUPS["all"]} == set(Kind)


def test_no_group_is_called_as_a_kind_is() -> None:
    assert not {*PII_GROUPS, *SECRET_GROUPS} & set(Kind)


def test_a_name_is_of_a_group_or_of_a_kind() -> None:
    assert kinds_of("payment", PII_GROUPS) == (Kind.CREDIT_CARD, Kind.IBAN)
    assert kinds_of("email", PII_GROUPS) == (Kind.EMAIL,)
    assert {kind for name in PII_NAMES for kind in kinds_of(name, PII_GROUPS)} == {
        *PII_GROUPS["all"]
    }
    assert {kind for name in SECRET_NAMES for kind in kinds_of(name, SECRET_GROUPS)} == {
        *SECRET_GROUPS["all"]
    }
