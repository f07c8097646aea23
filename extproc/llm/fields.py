"""Fields of a request read one by one: what is absent or null is None, what is unfit is refused."""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.faults import Unfit, not_a, wrong_type
from extproc.verdict import Deny


def unsupported(where: str, value: str) -> Unfit:
    """A word that has no meaning here."""
    reason = f"{where} {value!r} is not supported for this model"
    return Unfit(Deny(400, "unsupported_value", reason, param=where))


def string(parent: Mapping[str, object], name: str, where: str = "") -> str:
    """Empty when it is not there."""
    value = parent.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise Unfit(wrong_type(str, value, where + name))
    return value


def required_string(parent: Mapping[str, object], name: str, where: str = "") -> str:
    value = parent.get(name)
    if type(value) is not str:
        raise Unfit(not_a(str, parent, name, where))
    return value


def boolean(parent: Mapping[str, object], name: str, where: str = "") -> bool | None:
    value = parent.get(name)
    if value is not None and type(value) is not bool:
        raise Unfit(wrong_type(bool, value, where + name))
    return value


def integer(parent: Mapping[str, object], name: str, where: str = "") -> int | None:
    value = parent.get(name)
    if value is not None and type(value) is not int:
        raise Unfit(wrong_type(int, value, where + name))
    return value


def number(parent: Mapping[str, object], name: str, where: str = "") -> float | None:
    """An integer stays one."""
    value = parent.get(name)
    if value is None or type(value) is float or type(value) is int:
        return value
    raise Unfit(wrong_type(float, value, where + name))


def mapping(
    parent: Mapping[str, object], name: str, where: str = ""
) -> Mapping[str, object] | None:
    value = parent.get(name)
    if value is not None and type(value) is not dict:
        raise Unfit(wrong_type(dict, value, where + name))
    return value


def required_mapping(
    parent: Mapping[str, object], name: str, where: str = ""
) -> Mapping[str, object]:
    value = parent.get(name)
    if type(value) is not dict:
        raise Unfit(not_a(dict, parent, name, where))
    return value


def objects(parent: Mapping[str, object], name: str, where: str = "") -> list[dict[str, object]]:
    """An array of objects; empty when it is not there."""
    value = parent.get(name)
    if value is None:
        return []
    if type(value) is not list:
        raise Unfit(wrong_type(list, value, where + name))
    for index, item in enumerate(value):
        if type(item) is not dict:
            raise Unfit(wrong_type(dict, item, f"{where}{name}[{index}]"))
    return value


def strings(parent: Mapping[str, object], name: str, where: str = "") -> tuple[str, ...]:
    """An array of strings; empty when it is not there."""
    values = parent.get(name)
    if values is None:
        return ()
    if type(values) is not list:
        raise Unfit(wrong_type(list, values, where + name))
    for index, value in enumerate(values):
        if type(value) is not str:
            raise Unfit(wrong_type(str, value, f"{where}{name}[{index}]"))
    return tuple(values)
