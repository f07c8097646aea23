from __future__ import annotations

import pytest

from gateway.kinds import Kind
from tests.kit.detections import found


@pytest.mark.parametrize(
    "address",
    ["jane.doe+x@example.co.uk", "jürgen@müller.example", "a@b.example", "x@xn--bcher-kva.example"],
)
def test_mail_addresses_end_where_sentences_do(address: str) -> None:
    assert (
        found(f"邮箱是{address}。ask <{address}>, {address}.", [Kind.EMAIL])
        == [f"email {address}"] * 3
    )


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:acme/x.git",
        "logo@2x.png",
        "react@18.2.0",
        "root@localhost",
        "postgres://app:secret@db.example.com/x",
        "https://medium.example/@jane.doe",
    ],
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert found(text, [Kind.EMAIL]) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+49 30 901820 or so", "+49 30 901820"),
        ("0044 20 7946 0958", "0044 20 7946 0958"),
        ("(415) 555-2671 ext. 12", "(415) 555-2671 ext. 12"),
        ("415-555-2671", "415-555-2671"),
        ("call 4155552671", "4155552671"),
        ('{"phone": "4155552671"}', "4155552671"),
    ],
)
def test_telephone_numbers_are_found(text: str, number: str) -> None:
    assert found(text, [Kind.PHONE]) == [f"phone {number}"]


def test_numbers_the_library_is_not_asked_about_are_found_if_they_may_be_some() -> None:
    numbers = [f"+49 30 9{number:05d}" for number in range(10_000, 12_000)]
    assert len(found(", ".join(numbers), [Kind.PHONE])) == len(numbers)
    others = [f"+49 00 {number:05d}" for number in range(10_000, 12_000)]
    assert found(", ".join(others), [Kind.PHONE]) == []


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a@b.example@c.example", ["a@b.example"]),
        ("a@@b.example", []),
        ("@b.example@c.example", ["b.example@c.example"]),
        ("a@b.png@c.example", []),
        (f"{'a' * 65}@b.example", []),
        (f"{'é' * 64}@b.example", [f"{'é' * 64}@b.example"]),
        ("-'a@b.example", ["a@b.example"]),
        ("a.@b.example", []),
    ],
)
def test_addresses_are_read_from_their_sign_to_the_left(text: str, addresses: list[str]) -> None:
    assert found(text, [Kind.EMAIL]) == [f"email {each}" for each in addresses]


def test_two_numbers_in_a_row_are_two() -> None:
    assert found("+49 30 901820 +49 30 901821", [Kind.PHONE]) == [
        "phone +49 30 901820",
        "phone +49 30 901821",
    ]


def test_numbers_are_written_as_regions_do() -> None:
    text = "Telefon 0171 2345678"
    assert found(text, [Kind.PHONE], ("DE",)) == ["phone 0171 2345678"]
    assert found(text, [Kind.PHONE], ("US",)) == []


@pytest.mark.parametrize(
    "text",
    [
        "2024-11-26",
        "order 415-555-2671",
        "4155552671",
        "1,234,567,890",
        "12:34:56.789012",
        "+100 points",
    ],
)
def test_other_numbers_are_no_telephones(text: str) -> None:
    assert found(text, [Kind.PHONE], ("US", "DE", "GB")) == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("from 203.0.113.7:22", "203.0.113.7"),
        ("サーバーは10.20.30.40です", "10.20.30.40"),
        ("[2001:db8::ff00:42:8329]:80", "2001:db8::ff00:42:8329"),
        ("::ffff:192.0.2.128", "::ffff:192.0.2.128"),
        ("10.1.2.3/32", "10.1.2.3"),
    ],
)
def test_addresses_are_found(text: str, address: str) -> None:
    assert found(text, [Kind.IP_ADDRESS]) == [f"ip_address {address}"]


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1 0.0.0.0 ::1 ::",
        "version 1.2.3.4 and v1.2.3.4",
        "10.0.0.0/8",
        "1.2.3.4.5 999.1.2.3",
        "12:34:56",
        "std::vector::end",
        "00:1a:2b:3c:4d:5e",
    ],
)
def test_versions_times_and_networks_are_none(text: str) -> None:
    assert found(text, [Kind.IP_ADDRESS]) == []
