"""What of a resource may not be shown: fields that Envoy's API calls sensitive, and credentials.

The API marks them itself (`udpa.annotations.sensitive`), so this holds for resources that
operators wrote as much as for ours. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import envoy_api
import yaml

from gateway.names import CONFIGURATION_TYPE
from gateway.secret_texts import REDACTED, is_secret, redact

Hide: TypeAlias = Callable[[object, str], object]
"""A value that must not be shown, and what to show → what stands in its place."""

_IS_SENSITIVE = b"\xb8\xb7\x8b\xa4\x02\x01"
"""`udpa.annotations.sensitive` (76569463) is true, as an option of a field is encoded."""

_WHERE_A_SECRET_IS = frozenset({"filename", "environment_variable", "watched_directory", "path"})
"""Of a sensitive DataSource: these say where the secret is, and not what."""

_CONFIGURATION = CONFIGURATION_TYPE.partition("/")[2]
_STRUCT = "google.protobuf.Struct"
_NAMED = {
    "envoy.config.core.v3.HeaderValue": "key",
    "envoy.config.route.v3.HeaderMatcher": "name",
    "envoy.config.route.v3.QueryParameterMatcher": "name",
}
"""Messages that hold a value and what it is called, which tells whether it is a credential."""

_SECRET_KEYS = frozenset({"digest", "token_digest", "environment"})
"""In documents that have no schema here: a published configuration, whose keys are digests, and
whose variables of programs may be anything."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that can be compared, and not be read."""

    value: object
    shown: str = REDACTED

    def __repr__(self) -> str:
        return self.shown


def plainly(_value: object, shown: str) -> object:
    """For people, and for other processes."""
    return shown


def traceably(value: object, shown: str) -> object:
    """For comparisons in this process."""
    return Hidden(value, shown)


def redacted(type_url: str, body: Mapping[str, Any], hide: Hide = plainly) -> dict[str, Any]:
    """The JSON form of a resource, without what may not be shown."""
    return _message(body, envoy_api.type_name(type_url), hide)


def redacted_document(value: object, hide: Hide = plainly) -> object:
    """The same for a document of another kind."""
    match value:
        case dict():
            return {
                key: _hidden(item, hide) if _is_secret(key) else redacted_document(item, hide)
                for key, item in value.items()
            }
        case list():
            return [redacted_document(item, hide) for item in value]
    return _leaf(value, hide)


def _is_secret(key: str) -> bool:
    return key in _SECRET_KEYS or is_secret(key)


def _message(body: Mapping[str, Any], name: str, hide: Hide) -> dict[str, Any]:
    if name == _CONFIGURATION:
        return {key: _of_configuration(key, value, hide) for key, value in body.items()}
    fields = _fields(name)
    title = _NAMED.get(name)
    is_credential = title is not None and is_secret(str(body.get(title, "")))
    return {
        key: _hidden(value, hide)
        if is_credential and key != title
        else _field(value, fields.get(key), hide)
        for key, value in body.items()
    }


def _of_configuration(key: str, value: Any, hide: Hide) -> object:
    """What workers are told is a document in a text; passwords may have any sign in them."""
    if key != "yaml":
        return _leaf(value, hide)
    try:
        document = yaml.load(value, yaml.CSafeLoader)
    except yaml.YAMLError:  # of a server that is not ours
        return hide(value, REDACTED)
    shown = redacted_document(document)
    if shown == document:
        return value
    return hide(value, yaml.dump(shown, Dumper=yaml.CSafeDumper, sort_keys=False))


def _field(value: Any, field: _Field | None, hide: Hide) -> Any:
    if field is not None and field.is_sensitive:
        return _hidden(value, hide)
    if isinstance(value, list):
        return [_field(item, field, hide) for item in value]
    if not isinstance(value, dict):
        return _leaf(value, hide)
    if "@type" in value:
        return _message(value, envoy_api.type_name(value["@type"]), hide)
    if field is None or field.message is None or field.message == _STRUCT:
        return redacted_document(value, hide)
    if field.is_map:
        inner = _Field(False, field.message, False)
        return {key: _field(item, inner, hide) for key, item in value.items()}
    return _message(value, field.message, hide)


def _hidden(value: Any, hide: Hide) -> Any:
    """Every leaf hidden, but for those that say where the secret is."""
    match value:
        case dict():
            return {
                key: item if key in _WHERE_A_SECRET_IS else _hidden(item, hide)
                for key, item in value.items()
            }
        case list():
            return [_hidden(item, hide) for item in value]
    return hide(value, REDACTED)


def _leaf(value: object, hide: Hide) -> object:
    """A text that holds what looks like a credential is shown without it."""
    if not isinstance(value, str):
        return value
    shown = redact(value)
    return value if shown == value else hide(value, shown)


@dataclass(frozen=True, slots=True)
class _Field:
    """What matters of a field's descriptor."""

    is_sensitive: bool
    message: str | None
    """The message that it holds, or that the values of a map are; None: no message."""
    is_map: bool


@cache
def _fields(message: str) -> Mapping[str, _Field]:
    """The fields of a message; of one with a JSON form of its own, none that are in it."""
    return {field.name: _described(field) for field in envoy_api.message(message).DESCRIPTOR.fields}


def _described(field: Any) -> _Field:
    is_sensitive = _IS_SENSITIVE in field.GetOptions().SerializeToString()
    message = field.message_type
    if message is None:
        return _Field(is_sensitive, None, False)
    if message.GetOptions().map_entry:
        inner = message.fields_by_name["value"].message_type
        return _Field(is_sensitive, None if inner is None else inner.full_name, True)
    return _Field(is_sensitive, message.full_name, False)
