from __future__ import annotations

import pytest

from gateway.kinds import PII_GROUPS
from tests.kit.detections import found

KINDS = PII_GROUPS["national_id"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("us_ssn", "it is 123-45-6789.", "123-45-6789"),
        ("us_ssn", "SSN 536228726", "536228726"),
        ("us_itin", "912-78-1234", "912-78-1234"),
        ("ca_sin", "SIN 046 454 286", "046 454 286"),
        ("uk_nhs", "NHS number 943 476 5919", "943 476 5919"),
        ("uk_nino", "AB 12 34 56 C", "AB 12 34 56 C"),
        ("de_tax_id", "Steuer-ID 86 095 742 719", "86 095 742 719"),
        ("fr_nir", "1 85 05 78 006 084 91", "1 85 05 78 006 084 91"),
        ("es_dni", "12345678Z", "12345678Z"),
        ("es_dni", "X1234567L", "X1234567L"),
        ("it_fiscal_code", "RSSMRA85T10A562S", "RSSMRA85T10A562S"),
        ("nl_bsn", "BSN: 111222333", "111222333"),
        ("be_nrn", "85.07.30-033.28", "85.07.30-033.28"),
        ("ch_ahv", "756.9217.0769.85", "756.9217.0769.85"),
        ("pl_pesel", "PESEL 44051401359", "44051401359"),
        ("se_personnummer", "811228-9874", "811228-9874"),
        ("fi_hetu", "131052-308T", "131052-308T"),
        ("br_cpf", "529.982.247-25", "529.982.247-25"),
        ("in_aadhaar", "aadhaar 2341 2341 2346", "2341 2341 2346"),
        ("au_tfn", "TFN 123 456 782", "123 456 782"),
        ("cn_id", "身份证11010519491231002X。", "11010519491231002X"),
        ("sg_nric", "S1234567D", "S1234567D"),
    ],
)
def test_numbers_of_every_country_are_found(kind: str, text: str, value: str) -> None:
    assert found(text, KINDS) == [f"{kind} {value}"]


@pytest.mark.parametrize(
    "text",
    [
        "000-12-3456 666-12-3456 123-00-4567 123-45-0000",  # never issued
        "078-05-1120",  # printed in wallets
        "order 536228726",
        "SIN 046 454 287",
        "sin(123456782)",
        "order 943 476 5919",
        "BG123456A",
        "Bestellung 86 095 742 719",
        "1 85 05 78 006 084 92",
        "12345678A",
        "RSSMRA85T10A562A",
        "order 111222333",
        "85.07.30-033.29",
        "756.9217.0769.84",
        "PESEL 44131401359",  # no month
        "811328-9874",
        "131052-308U",
        "111.111.111-11",
        "TFN 123 456 783",
        "110105194912310021",
        "S1234567A",
        "x123-45-6789",
        "123-45-6789-1",
    ],
)
def test_wrong_digits_and_other_numbers_are_not(text: str) -> None:
    assert found(text, KINDS) == []
