"""What one scalar can say: durations, sizes, ports, addresses, names, money.

Each type reads text, refuses in our words, and writes itself back (`gateway.config.published`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
)

from gateway.config.block import refusal
from gateway.limits import PERIODS, Rate
from gateway.model import Endpoint, Unit

NANODOLLARS_PER_DOLLAR = 1_000_000_000
LARGEST_AMOUNT = 2**63 - 1
"""What the ledger's integers hold."""

_DEAREST = 1_000_000
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_BYTES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TOKENS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VARIABLE_SCHEMA = {"type": "string", "pattern": r"\$\{"}


def _quantity(value: object) -> tuple[Decimal, str] | None:
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    return (Decimal(match[1]), match[2]) if match else None


def _whole(value: Any) -> Any:
    """Whole numbers, also as text, since that is what variables give; never true or false."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusal("must be a whole number")
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise refusal("must be true or false")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise refusal("must be a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise refusal("must be a number") from None
    if not number.is_finite():
        raise refusal("must be a number")
    return number


def _duration(value: object) -> float:
    if isinstance(value, float):
        return value
    found = _quantity(value)
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if found is None or found[1] not in _MILLISECONDS:
        raise refusal("must be a duration", "such as 500ms, 5s or 2m")
    milliseconds = found[0] * _MILLISECONDS[found[1]]
    if milliseconds != int(milliseconds):
        raise refusal("must be whole milliseconds")
    if milliseconds > 24 * 3_600_000:
        raise refusal("must be at most 24h")
    return float(milliseconds / 1000)


def written_duration(seconds: float) -> str:
    """`5s`, or `1500ms` where seconds are not whole."""
    return f"{int(seconds)}s" if seconds.is_integer() else f"{round(seconds * 1000)}ms"


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = Decimal(value)
    elif (found := _quantity(value)) is not None and found[1] in {"", *_BYTES}:
        size = found[0] * _BYTES.get(found[1], 1)
    else:
        raise refusal("must be a size in bytes", "such as 32MiB, 1MB or 65536")
    if size != int(size) or not 1 <= size < 2**32:
        raise refusal("must be whole bytes, at least 1 and less than 4GiB")
    return int(size)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refusal(
            "must be a name", "letters, digits, '.', '_' and '-', at most 64, no sign first"
        )
    return value


def header_name(value: str) -> str:
    lower = value.lower()
    if not _HEADER.fullmatch(lower):
        raise refusal("must be the name of a header", "such as x-request-id")
    return lower


def _filled(value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise refusal("must be one line of text, not empty and without spaces around it")
    return value


def _one_or_more(value: object) -> object:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list | tuple):
        raise refusal("must be text, or a list of texts")
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise refusal(
            "must be printable ascii without spaces",
            "does the variable end with a line break?",
            is_shown=False,
        )
    return value


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def host_and_port(text: str) -> Endpoint | None:
    """`10.0.0.1:8000` or `[::1]:8000`, if it is that."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        is_host = _is_ipv6(host)
    else:
        is_host = bool(_HOST.fullmatch(host))
    if not colon or not is_host or not re.fullmatch(r"[0-9]{1,5}", port):
        return None
    return Endpoint(host, int(port)) if 1 <= int(port) <= 65535 else None


def _address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise refusal("must be an ip address", "such as 127.0.0.1, 0.0.0.0 or ::") from None


def _endpoint(value: str) -> str:
    if host_and_port(value) is None:
        raise refusal("must be a host and a port", "such as 127.0.0.1:15000")
    return value


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of what a budget counts."""

    unit: Unit
    amount: int


def limit_of(value: object) -> Limit:
    """An amount as it is written; raises what `refusal` makes."""
    if isinstance(value, Limit):
        return value
    hint = "such as 500 USD, 2.50 USD or 100k tokens"
    words = value.split() if isinstance(value, str) else []
    found = _quantity(words[0]) if len(words) == 2 else None
    if found is None or words[1] not in ("USD", "tokens"):
        raise refusal("must be an amount of USD or tokens", hint)
    number, suffix = found
    if words[1] == "USD" and not suffix:
        unit, amount = Unit.NANODOLLARS, number * NANODOLLARS_PER_DOLLAR
    elif words[1] == "tokens" and suffix in _TOKENS:
        unit, amount = Unit.TOKENS, number * _TOKENS[suffix]
    else:
        raise refusal("must be an amount of USD or tokens", hint)
    if amount != int(amount) or not 0 < amount <= LARGEST_AMOUNT:
        raise refusal("must be more than nothing, and at most 9 billion USD or 9e18 whole tokens")
    return Limit(unit, int(amount))


def written_limit(limit: Limit) -> str:
    """`5 USD`, `100000 tokens`."""
    if limit.unit is Unit.TOKENS:
        return f"{limit.amount} tokens"
    return f"{Decimal(limit.amount) / NANODOLLARS_PER_DOLLAR:f} USD"


def written_permille(permille: int) -> str:
    """`5%`, `0.5%`."""
    whole, tenth = divmod(permille, 10)
    return f"{whole}.{tenth}%" if tenth else f"{whole}%"


_PERIOD_WORDS = {
    **dict.fromkeys(("s", "sec", "second"), 1),
    **dict.fromkeys(("m", "min", "minute"), 60),
    **dict.fromkeys(("h", "hour"), 3600),
    **dict.fromkeys(("d", "day"), 86400),
}
_FASTEST = 10**12
"""In each period: what the arithmetic of limits holds, with room above."""


def _rate(value: object, units: Mapping[str, int], hint: str) -> Rate:
    if isinstance(value, Rate):
        return value
    amount, slash, period = value.partition("/") if isinstance(value, str) else ("", "", "")
    found, seconds = _quantity(amount.strip()), _PERIOD_WORDS.get(period.strip())
    if found is None or found[1] not in units or not slash or seconds is None:
        raise refusal("must be an amount in each second, minute, hour or day", hint)
    number = found[0] * units[found[1]]
    if number != int(number) or not 1 <= number <= _FASTEST:
        raise refusal("must be a whole amount, from 1 to 1000G")
    return Rate(int(number), seconds)


def _count_rate(value: object) -> Rate:
    return _rate(value, _TOKENS, "such as 60/min, 100k/hour or 5/s")


def _byte_rate(value: object) -> Rate:
    return _rate(value, {"": 1, **_BYTES}, "such as 10MB/min, 1GiB/day or 65536/s")


def written_rate(rate: Rate) -> str:
    """As it can be written: `60/min`."""
    names = (name for name, seconds in PERIODS.items() if seconds == rate.seconds)
    period = next(names, f"{rate.seconds}s")  # which is no rate: whoever reads it says so
    return f"{rate.amount}/{period}"


def _dollars(value: Decimal) -> Decimal:
    if not 0 <= value <= _DEAREST or value != round(value, 9):
        raise refusal("must be in USD, 0 to 1000000, at most 9 decimal places")
    return value


def _between(low: int, high: int) -> AfterValidator:
    def check(value: Any) -> Any:
        if not low <= value <= high:
            raise refusal(f"must be from {low} to {high}")
        return value

    return AfterValidator(check)


def _whole_schema(low: int, high: int) -> WithJsonSchema:
    number = {"type": "integer", "minimum": low, "maximum": high}
    return WithJsonSchema({"anyOf": [number, _VARIABLE_SCHEMA]})


def _text_schema(description: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": description})


Flag: TypeAlias = Annotated[
    bool,
    BeforeValidator(_flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, _VARIABLE_SCHEMA]}),
]
Port: TypeAlias = Annotated[
    int, BeforeValidator(_whole), _between(1, 65535), _whole_schema(1, 65535)
]
Weight: TypeAlias = Annotated[
    int, BeforeValidator(_whole), _between(1, 1_000_000), _whole_schema(1, 1_000_000)
]
Count: TypeAlias = Annotated[
    int, BeforeValidator(_whole), _between(1, 1_000), _whole_schema(1, 1_000)
]
TokenCount: TypeAlias = Annotated[
    int,
    BeforeValidator(_whole),
    _between(1, 1_000_000_000),
    _whole_schema(1, 1_000_000_000),
]
Retries: TypeAlias = Annotated[int, BeforeValidator(_whole), _between(0, 10), _whole_schema(0, 10)]
Fraction: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    _between(0, 1),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _VARIABLE_SCHEMA]}),
]
Factor: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    _between(0, 100),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, _VARIABLE_SCHEMA]}),
]
Duration: TypeAlias = Annotated[
    float,
    PlainValidator(_duration),
    PlainSerializer(written_duration),
    _text_schema("duration"),
]
"""In seconds."""
Size: TypeAlias = Annotated[
    int,
    PlainValidator(_size),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "format": "size"}]}),
]
"""In bytes."""
Name: TypeAlias = Annotated[str, AfterValidator(_name), _text_schema("name")]
Header: TypeAlias = Annotated[str, AfterValidator(header_name), _text_schema("header")]
Text: TypeAlias = Annotated[str, AfterValidator(_filled), WithJsonSchema({"type": "string"})]
Globs: TypeAlias = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One, or a list of which one has to fit. `*` is any text, `?` one character."""
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_secret), _text_schema("secret")]
FilePattern: TypeAlias = Annotated[str, AfterValidator(_filled), _text_schema("file")]
Address: TypeAlias = Annotated[str, AfterValidator(_address), _text_schema("ip")]
HostPort: TypeAlias = Annotated[str, AfterValidator(_endpoint), _text_schema("host:port")]
Amount: TypeAlias = Annotated[
    Limit, PlainValidator(limit_of), PlainSerializer(written_limit), _text_schema("amount")
]
CountRate: TypeAlias = Annotated[
    Rate, PlainValidator(_count_rate), PlainSerializer(written_rate), _text_schema("rate")
]
ByteRate: TypeAlias = Annotated[
    Rate, PlainValidator(_byte_rate), PlainSerializer(written_rate), _text_schema("byte-rate")
]
Dollars: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    AfterValidator(_dollars),
    PlainSerializer(str),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "format": "number"}]}
    ),
]
"""USD."""
