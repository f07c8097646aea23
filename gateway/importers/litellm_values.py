"""Single values of LiteLLM's files: variables, numbers, durations, periods, names."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.environment import escape, substitute
from gateway.importers.walk import Node, has_variable

_VARIABLE = "os.environ/"
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_DAY_SECONDS = 24 * 3600
_PERIODS: tuple[tuple[str, int], ...] = (
    ("hour", 3600),
    ("day", _DAY_SECONDS),
    ("week", 7 * _DAY_SECONDS),
    ("month", 31 * _DAY_SECONDS),
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": _DAY_SECONDS, "w": 7 * _DAY_SECONDS}
_MONTH_SECONDS = 30 * _DAY_SECONDS
_MAX_EXPONENT = 1_000
"""Of numbers that somebody means; beyond, arithmetic overflows."""

FROM_ENVIRONMENT = "the value comes from the environment, and here it has to be in the file"


def rewriting(defaults: Mapping[str, str]) -> Callable[[str], str]:
    """`os.environ/KEY` → `${KEY}`, with the value of `environment_variables` as its default."""

    def ours(text: str) -> str:
        name = text.removeprefix(_VARIABLE)
        if name == text or not _VARIABLE_NAME.fullmatch(name):
            return escape(text)
        return variable(name, defaults)

    return ours


def variable(name: str, defaults: Mapping[str, str]) -> str:
    """`${KEY}`; a value that stands in the file is what counts when the environment has none."""
    default = defaults.get(name)
    if default is None or default.startswith(_VARIABLE):
        return f"${{{name}}}"
    return f"${{{name}:-{default}}}"


def can_be_default(text: str) -> bool:
    """Whether a value can stand behind `:-`."""
    return "}" not in text and "${" not in text


def is_strange_variable(text: str) -> bool:
    """`os.environ/` before what is no name of a variable."""
    return text.startswith(_VARIABLE)


def number(node: Node) -> Decimal | None:
    """A number, also as text; one from the environment is answered as not taken over."""
    value = node.value
    if isinstance(value, str):
        if has_variable(value):
            node.unsupported(FROM_ENVIRONMENT)
            return None
        try:
            value = Decimal(value)
        except InvalidOperation:
            node.problem("must be a number")
            return None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        found = Decimal(value)
        if found.is_finite() and abs(found.adjusted()) <= _MAX_EXPONENT:
            return found
    if not node.is_empty:
        node.problem("must be a number")
    return None


def flag(node: Node) -> bool | None:
    """True or false, also as YAML 1.1 writes them; from the environment: answered as not taken."""
    value = node.value
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and has_variable(value):
        node.unsupported(FROM_ENVIRONMENT)
        return None
    if isinstance(value, str) and value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    if not node.is_empty:
        node.problem("must be true or false")
    return None


def is_valid(kind: Any, value: str) -> bool:
    """Whether our language takes the value, as far as variables do not hide it."""
    read = substitute(value, {})
    if read.unset:
        return not read.is_malformed
    try:
        _adapter(kind).validate_python(read.text)
    except ValidationError:
        return False
    return True


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def free_name(wanted: str, taken: Container[str]) -> str:
    """A name of our language that is like the one wanted, and is not taken."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("._-")[:60] or "unnamed"
    name, count = plain, 2
    while name in taken:
        name, count = f"{plain[:56]}-{count}", count + 1
    return name


def duration(seconds: Decimal) -> str:
    """As our language writes it, from a millisecond to a day."""
    milliseconds = min(max(int(seconds * 1000), 1), _DAY_SECONDS * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def fits_duration(seconds: Decimal) -> bool:
    """Whether it can be said as it is."""
    return 0 < seconds <= _DAY_SECONDS and seconds * 1000 == int(seconds * 1000)


def period(text: str) -> str | None:
    """`30d` → the shortest of our periods that is not shorter; None: not understood."""
    match = re.fullmatch(r"([0-9]{1,6})(mo|[smhdw])", text.strip())
    if match is None or int(match[1]) == 0:
        return None
    count = int(match[1])
    seconds = count * (_MONTH_SECONDS if match[2] == "mo" else _UNITS[match[2]])
    return next((name for name, length in _PERIODS if seconds <= length), "total")


def has_value(value: object) -> bool:
    """Whether a value of `environment_variables` is one."""
    return value is not None and not isinstance(value, dict | list)
