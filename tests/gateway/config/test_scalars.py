from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config import scalars
from gateway.config.scalars import Limit, host_and_port
from gateway.model import Endpoint, Unit


def value(kind: Any, written: object) -> Any:
    return TypeAdapter(kind).validate_python(written)


def test_kinds_of_scalars_read_what_was_written() -> None:
    for kind, written, expected in (
        (scalars.Duration, "500ms", 0.5),
        (scalars.Duration, "5s", 5.0),
        (scalars.Duration, "1.5 s", 1.5),
        (scalars.Duration, "2m", 120.0),
        (scalars.Duration, "1h", 3600.0),
        (scalars.Duration, 0, 0.0),
        (scalars.Size, 65536, 65536),
        (scalars.Size, "65536", 65536),
        (scalars.Size, "32MiB", 32 * 1024 * 1024),
        (scalars.Size, "1MB", 1_000_000),
        (scalars.Size, "1.5 kB", 1500),
        (scalars.Port, 8080, 8080),
        (scalars.Port, "8080", 8080),
        (scalars.Flag, "true", True),
        (scalars.Flag, False, False),
        (scalars.Header, "X-Request-Id", "x-request-id"),
        (scalars.Address, "::1", "::1"),
        (scalars.Amount, "500 USD", Limit(Unit.NANODOLLARS, 500_000_000_000)),
        (scalars.Amount, "2.50 USD", Limit(Unit.NANODOLLARS, 2_500_000_000)),
        (scalars.Amount, "100k tokens", Limit(Unit.TOKENS, 100_000)),
        (scalars.Amount, "1.5M tokens", Limit(Unit.TOKENS, 1_500_000)),
        (scalars.Amount, "7 tokens", Limit(Unit.TOKENS, 7)),
        (scalars.Dollars, "0.075", Decimal("0.075")),
        (scalars.Dollars, 3, Decimal(3)),
        (scalars.Fraction, Decimal("0.8"), Decimal("0.8")),
    ):
        assert value(kind, written) == expected, written


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (scalars.Duration, 5),
        (scalars.Duration, "5"),
        (scalars.Duration, "5d"),
        (scalars.Duration, "0.1ms"),
        (scalars.Duration, "25h"),
        (scalars.Duration, False),
        (scalars.Size, 0),
        (scalars.Size, True),
        (scalars.Size, "1.5"),
        (scalars.Size, "4GiB"),
        (scalars.Size, "1 parsec"),
        (scalars.Port, 0),
        (scalars.Port, 65536),
        (scalars.Port, True),
        (scalars.Port, "80a"),
        (scalars.Port, Decimal("80.5")),
        (scalars.Flag, "yes"),
        (scalars.Flag, 1),
        (scalars.Header, "a b"),
        (scalars.Header, ":path"),
        (scalars.Name, "a/b"),
        (scalars.Name, "-a"),
        (scalars.Name, "a" * 65),
        (scalars.Text, ""),
        (scalars.Text, " a"),
        (scalars.Text, "a\nb"),
        (scalars.Secret, "a\n"),
        (scalars.Secret, ""),
        (scalars.Secret, "schlüssel"),
        (scalars.Address, "localhost"),
        (scalars.HostPort, "127.0.0.1"),
        (scalars.Amount, "5 EUR"),
        (scalars.Amount, "5"),
        (scalars.Amount, 5),
        (scalars.Amount, "0 USD"),
        (scalars.Amount, "1k USD"),
        (scalars.Amount, "0.0000000001 USD"),
        (scalars.Amount, "1.5 tokens"),
        (scalars.Amount, "99999999999 USD"),
        (scalars.Dollars, Decimal(-1)),
        (scalars.Dollars, "0.0000000001"),
        (scalars.Dollars, "NaN"),
        (scalars.Dollars, "1e999999"),
        (scalars.Dollars, "1e-999999"),
        (scalars.Dollars, "many"),
        (scalars.Fraction, Decimal("1.1")),
        (scalars.Fraction, True),
    ],
)
def test_other_text_is_refused(kind: Any, written: object) -> None:
    with pytest.raises(ValidationError) as caught:
        value(kind, written)
    assert [each["type"] for each in caught.value.errors()] == ["refused"]


@pytest.mark.parametrize(
    ("kind", "written", "again"),
    [
        (scalars.Duration, "1500ms", "1500ms"),
        (scalars.Duration, "2m", "120s"),
        (scalars.Amount, "2.50 USD", "2.5 USD"),
        (scalars.Amount, "100k tokens", "100000 tokens"),
        (scalars.Amount, "1000000 USD", "1000000 USD"),
        (scalars.Dollars, "0.0750", "0.0750"),
    ],
)
def test_values_write_themselves_back(kind: Any, written: str, again: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    read = adapter.validate_python(written)
    assert adapter.dump_python(read, mode="json") == again
    assert adapter.validate_python(again) == read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1:8000", Endpoint("10.0.0.1", 8000)),
        ("[::1]:80", Endpoint("::1", 80)),
        ("a.example.com:443", Endpoint("a.example.com", 443)),
        ("::1:80", None),
        ("a:0", None),
        ("a:70000", None),
        ("a", None),
        (":80", None),
        ("a b:80", None),
        ("[a]:80", None),
    ],
)
def test_hosts_and_ports_are_taken_apart(text: str, expected: Endpoint | None) -> None:
    assert host_and_port(text) == expected
