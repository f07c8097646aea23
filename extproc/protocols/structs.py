"""`google.protobuf.Struct` as plain values: what filters of Envoy tell each other."""

from __future__ import annotations

from typing import Any


def plain(struct: Any) -> dict[str, object]:
    """Numbers without a fraction are integers, as rules would write them."""
    return {name: _value(value) for name, value in struct.fields.items()}


def _value(value: Any) -> object:
    match value.WhichOneof("kind"):
        case "struct_value":
            return plain(value.struct_value)
        case "list_value":
            return [_value(each) for each in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
    return None
