"""Protobuf of A2A as JSON documents (ProtoJSON), both ways, by the descriptors of our own pool.

https://protobuf.dev/programming-guides/json/. Names of members are in camelCase, nothing else is
read; enumerations are names or numbers, base64 may be of either alphabet. What a message does not
set is not in the document; fields that the protocol does not have are left out.
"""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import envoy_api
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from msgspec import Struct

from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed

V1_0: Final = "lf.a2a.v1."
V0_3: Final = "a2a.v1."
MAX_DEPTH: Final = 90
"""Of messages in each other: readers stop at 100. An object in metadata takes three."""

_EXACT: Final = 1 << 53
"""Above, not all integers are 64-bit floats."""
_INT_32: Final = 1 << 31
_VALUE: Final = "google.protobuf.Value"


class BrokenMessage(ValueError):
    """It is not the message that it should be, or says what JSON cannot."""


class _Field(Struct, frozen=True):
    """Of a message."""

    name: str
    json_name: str
    read: Callable[[Any], object]
    write: Callable[[Message, object, str, Losses], None]
    oneof: str
    """Empty: none."""


class _Shape(Struct, frozen=True):
    by_number: Mapping[int, _Field]
    by_json_name: Mapping[str, _Field]


def decode(full_name: str, message: bytes) -> dict[str, object]:
    """The document of a serialized message. Raises `BrokenMessage`."""
    try:
        parsed = envoy_api.message(full_name).FromString(message)
        return _document(parsed, full_name)
    except (DecodeError, ValueError) as error:
        raise BrokenMessage(f"not a {full_name}: {error}") from None


def encode(full_name: str, document: Mapping[str, object], losses: Losses) -> bytes:
    """The serialized message of a document. Raises `Malformed`."""
    message = envoy_api.message(full_name)()
    _fill(message, full_name, document, losses)
    serialized: bytes = message.SerializeToString()
    return serialized


def _document(message: Message, full_name: str) -> dict[str, object]:
    fields = _shape(full_name).by_number
    found: dict[str, object] = {}
    for descriptor, value in message.ListFields():
        field = fields[descriptor.number]
        found[field.json_name] = field.read(value)
    return found


def _fill(message: Message, full_name: str, document: object, losses: Losses) -> None:
    if not isinstance(document, dict):
        raise Malformed(f"a {_short(full_name)} is an object")
    fields = _shape(full_name).by_json_name
    said: dict[str, str] = {}
    for key, value in document.items():
        field = fields.get(key)
        if field is None:
            losses.append(Lost(Loss.UNKNOWN_MEMBER, key))
            continue
        if field.oneof and (value is not None or field.name == "data"):
            other = said.setdefault(field.oneof, key)
            if other != key:
                raise Malformed(f"a {_short(full_name)} says {other!r} or {key!r}, not both")
        field.write(message, value, key, losses)


@functools.cache
def _shape(full_name: str) -> _Shape:
    descriptor: Descriptor = envoy_api.message(full_name).DESCRIPTOR
    fields = {each.number: _field(each) for each in descriptor.fields}
    by_json_name = {each.json_name: each for each in fields.values()}
    return _Shape(fields, by_json_name)


def _field(descriptor: FieldDescriptor) -> _Field:
    oneof = descriptor.containing_oneof
    name = "" if oneof is None or oneof.name.startswith("_") else oneof.name
    entry = descriptor.message_type
    if entry is not None and entry.GetOptions().map_entry:
        reader, writer = _map(descriptor.name, entry.fields_by_name["value"])
    elif descriptor.is_repeated:
        reader, writer = _repeated(descriptor)
    else:
        reader, writer = _single(descriptor)
    return _Field(descriptor.name, descriptor.json_name, reader, writer, name)


_Reader = Callable[[Any], object]
_Writer = Callable[[Message, object, str, Losses], None]


def _single(descriptor: FieldDescriptor) -> tuple[_Reader, _Writer]:
    name = descriptor.name
    if descriptor.message_type is not None:
        full_name = descriptor.message_type.full_name
        reader, fill = _of_message(full_name)

        def write_message(message: Message, value: object, _: str, losses: Losses) -> None:
            if value is None and full_name != _VALUE:
                return
            inner = getattr(message, name)
            inner.SetInParent()
            fill(inner, value, losses)

        return reader, write_message
    reader, converted = _of_scalar(descriptor)

    def write(message: Message, value: object, key: str, losses: Losses) -> None:
        if value is not None:
            _set(message, name, key, converted(value, key, losses))

    return reader, write


def _repeated(descriptor: FieldDescriptor) -> tuple[_Reader, _Writer]:
    """Messages or texts, in all of A2A."""
    name = descriptor.name
    if descriptor.message_type is not None:
        reader, fill = _of_message(descriptor.message_type.full_name)

        def write_messages(message: Message, value: object, key: str, losses: Losses) -> None:
            for each in _list(value, key):
                fill(getattr(message, name).add(), each, losses)

        return lambda values: [reader(each) for each in values], write_messages

    def write(message: Message, value: object, key: str, losses: Losses) -> None:
        getattr(message, name).extend([_text(each, key) for each in _list(value, key)])

    return list, write


def _map(name: str, of: FieldDescriptor) -> tuple[_Reader, _Writer]:
    """Keys are texts in all of A2A."""
    if of.message_type is None:

        def write(message: Message, value: object, key: str, losses: Losses) -> None:
            entries = getattr(message, name)
            for each, said in _members(value, key).items():
                entries[_text(each, key)] = _text(said, key)

        return dict, write
    reader, fill = _of_message(of.message_type.full_name)

    def write_messages(message: Message, value: object, key: str, losses: Losses) -> None:
        entries = getattr(message, name)
        for each, said in _members(value, key).items():
            fill(entries[_text(each, key)], said, losses)

    return lambda values: {each: reader(said) for each, said in values.items()}, write_messages


_Fill = Callable[[Any, object, Losses], None]


def _of_message(full_name: str) -> tuple[_Reader, _Fill]:
    match full_name:
        case "google.protobuf.Struct":
            return _read_struct, _fill_struct
        case "google.protobuf.Value":
            return _read_value, lambda value, said, losses: _fill_value(value, said, losses, 8)
        case "google.protobuf.Timestamp":
            return lambda value: value.ToJsonString(), _fill_timestamp
        case _:
            return (
                lambda message: _document(message, full_name),
                lambda message, said, losses: _fill(message, full_name, said, losses),
            )


_Converted = Callable[[object, str, Losses], object]


def _of_scalar(descriptor: FieldDescriptor) -> tuple[_Reader, _Converted]:
    match descriptor.type:
        case FieldDescriptor.TYPE_STRING:
            return _same, _string
        case FieldDescriptor.TYPE_BOOL:
            return _same, _boolean
        case FieldDescriptor.TYPE_INT32:
            return _same, _integer
        case FieldDescriptor.TYPE_BYTES:
            return lambda value: base64.b64encode(value).decode(), _bytes
        case FieldDescriptor.TYPE_ENUM:
            assert descriptor.enum_type is not None
            names = {each.number: each.name for each in descriptor.enum_type.values}
            numbers = {name: number for number, name in names.items()}
            return lambda number: names.get(number, number), _enumeration(numbers)
        case other:
            raise AssertionError(f"A2A has no fields of the type {other}")


def _same(value: object) -> object:
    return value


def _string(value: object, key: str, _: Losses) -> object:
    if not isinstance(value, str):
        raise Malformed(f"{key!r} is a text")
    return value


def _boolean(value: object, key: str, _: Losses) -> object:
    if not isinstance(value, bool):
        raise Malformed(f"{key!r} is true or false")
    return value


def _integer(value: object, key: str, _: Losses) -> object:
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not -_INT_32 <= value < _INT_32:
        raise Malformed(f"{key!r} is a whole number")
    return value


def _bytes(value: object, key: str, _: Losses) -> object:
    if isinstance(value, str):
        said = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            return base64.b64decode(said + "=" * (-len(said) % 4), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise Malformed(f"{key!r} is base64")


def _enumeration(numbers: Mapping[str, int]) -> _Converted:
    known = frozenset(numbers.values())

    def converted(value: object, key: str, losses: Losses) -> object:
        number = numbers.get(value) if isinstance(value, str) else value
        if type(number) is int and number in known:
            return number
        if not isinstance(value, str | int):
            raise Malformed(f"{key!r} is the name of a value")
        losses.append(Lost(Loss.UNKNOWN_VALUE, key))
        return 0

    return converted


def _set(message: Message, name: str, key: str, value: object) -> None:
    try:
        setattr(message, name, value)
    except ValueError:
        raise Malformed(f"{key!r} cannot be said in UTF-8") from None


def _text(value: object, key: str) -> str:
    """Which may hold half of a surrogate pair, where JSON was read leniently."""
    if not isinstance(value, str):
        raise Malformed(f"{key!r} holds texts")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Malformed(f"{key!r} cannot be said in UTF-8") from None
    return value


def _list(value: object, key: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(f"{key!r} is a list")
    return value


def _members(value: object, key: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{key!r} is an object")
    return value


def _short(full_name: str) -> str:
    return full_name.rpartition(".")[2]


# --- what may be any JSON ------------------------------------------------------------------


def _read_struct(struct: Any) -> dict[str, object]:
    return {name: _read_value(value) for name, value in struct.fields.items()}


def _read_value(value: Any) -> object:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return _number(value.number_value)
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return _read_struct(value.struct_value)
        case "list_value":
            return [_read_value(each) for each in value.list_value.values]
    return None


def _number(value: float) -> int | float:
    if -_EXACT <= value <= _EXACT:
        return int(value) if value.is_integer() else value
    if value - value != 0:
        raise BrokenMessage("a number that JSON cannot say")
    return value


def _fill_struct(struct: Any, said: object, losses: Losses, depth: int = 6) -> None:
    if not isinstance(said, dict):
        raise Malformed("metadata and data are objects")
    if depth > MAX_DEPTH:
        raise Malformed("metadata and data are nested too deep")
    fields = struct.fields
    for name, value in said.items():
        _fill_value(fields[_text(name, "a name")], value, losses, depth + 2)


def _fill_value(value: Any, said: object, losses: Losses, depth: int) -> None:
    if isinstance(said, str):
        value.string_value = _text(said, "a text")
    elif said is None:
        value.null_value = 0
    elif isinstance(said, bool):
        value.bool_value = said
    elif isinstance(said, int | float):
        value.number_value = _float(said, losses)
    elif isinstance(said, list):
        if depth > MAX_DEPTH:
            raise Malformed("metadata and data are nested too deep")
        value.list_value.SetInParent()
        for each in said:
            _fill_value(value.list_value.values.add(), each, losses, depth + 2)
    else:
        value.struct_value.SetInParent()
        _fill_struct(value.struct_value, said, losses, depth + 1)


def _float(said: float, losses: Losses) -> float:
    try:
        number = float(said)
    except OverflowError:
        raise Malformed("a number is too large") from None
    if number != said:
        losses.append(Lost(Loss.NUMBER_PRECISION, str(said)[:40]))
    return number


def _fill_timestamp(timestamp: Any, said: object, _: Losses) -> None:
    """RFC 3339; what 0.3 wrote without a zone is UTC."""
    if not isinstance(said, str):
        raise Malformed("a timestamp is a text")
    for text in (said, said + "Z"):
        try:
            timestamp.FromJsonString(text)
        except ValueError:
            continue
        return
    raise Malformed("a timestamp is as RFC 3339 has it")
