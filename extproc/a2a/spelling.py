"""Members that an agent could read as others than the gateway does: `task_id` beside `taskId`.

JSON of protobuf is read with the names of its fields, too; some languages compare names without
case. So a member that differs from one that the protocol has in that alone is refused: what is
decided upon must be all that there is. But clients of 0.3 over HTTP+JSON write either names, so
there the names of fields are read as what they are, unless both are said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from extproc.a2a.operations import Operation
from extproc.a2a.places import Form, Names


class Known(Struct, frozen=True):
    """An object's members."""

    members: Mapping[str, Known | None]
    """What is in them, where that is known; also of the items of an array."""
    folded: frozenset[str]
    aliases: Mapping[str, str]
    """Names of fields in protobuf of 0.3, and what JSON has for them."""


class SaidTwice(ValueError):
    """A member, by both of its names."""


_MESSAGE: Final = "message"
_CAPITAL: Final = re.compile("[A-Z]")


def _snake(name: str) -> str:
    return _CAPITAL.sub(lambda found: "_" + found[0].lower(), name)


def _known(names: str, also: str = "", **inner: Known) -> Known:
    """`also`: what protobuf of 0.3 calls the message."""
    members = {**dict.fromkeys(names.split()), **inner}
    aliases = {_snake(each): each for each in members if _snake(each) != each}
    if also:
        aliases[also] = _MESSAGE
    return Known(members, frozenset(map(_fold, [*members, *also.split()])), aliases)


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


_AUTHENTICATION = _known("scheme schemes credentials")
_PART_1_0 = _known("text raw url data metadata filename mediaType")
_MESSAGE_1_0 = _known(
    "messageId contextId taskId role metadata extensions referenceTaskIds", parts=_PART_1_0
)
_PUSH_1_0 = _known("tenant id taskId url token", authentication=_AUTHENTICATION)
_SEND_1_0 = _known(
    "tenant metadata",
    message=_MESSAGE_1_0,
    configuration=_known(
        "acceptedOutputModes historyLength returnImmediately",
        taskPushNotificationConfig=_PUSH_1_0,
    ),
)
_FILE_0_3 = _known("bytes uri mimeType name")
_PART_0_3 = _known("kind text data metadata", file=_FILE_0_3)
_MESSAGE_0_3 = _known(
    "kind messageId contextId taskId role metadata extensions referenceTaskIds", parts=_PART_0_3
)
_PUSH_0_3 = _known("id url token", authentication=_AUTHENTICATION)
_SEND_0_3 = _known(
    "metadata",
    message=_MESSAGE_0_3,
    configuration=_known(
        "acceptedOutputModes historyLength blocking", pushNotificationConfig=_PUSH_0_3
    ),
)
_PART_PROTO = _known(
    "kind text data metadata", file=_known("fileWithBytes fileWithUri bytes uri mimeType name")
)
_SEND_PROTO = _known(
    "metadata",
    "request",
    message=_known(
        "kind messageId contextId taskId role metadata extensions referenceTaskIds",
        content=_PART_PROTO,
        parts=_PART_PROTO,
    ),
    configuration=_known(
        "acceptedOutputModes historyLength blocking",
        pushNotification=_PUSH_0_3,
        pushNotificationConfig=_PUSH_0_3,
    ),
)
_CREATE_PROTO = _known(
    "parent configId name",
    pushNotificationConfig=_PUSH_0_3,
    config=_known("name", pushNotificationConfig=_PUSH_0_3),
)
_TASK_1_0 = _known("tenant id historyLength metadata")
_PUSH_ID_1_0 = _known("tenant id taskId pageSize pageToken")
_LIST_1_0 = _known(
    "tenant contextId status pageSize pageToken historyLength statusTimestampAfter includeArtifacts"
)
_TASK_0_3 = _known("id historyLength pushNotificationConfigId metadata")
_NAMED = _known("name parent historyLength pageSize pageToken")

ENVELOPE: Final = _known("jsonrpc id method params")
_KNOWN: Final[Mapping[Form, Mapping[Operation, Known]]] = MappingProxyType(
    {
        Form.V1_0: {
            **dict.fromkeys(Operation, _TASK_1_0),
            Operation.SEND: _SEND_1_0,
            Operation.STREAM: _SEND_1_0,
            Operation.LIST_TASKS: _LIST_1_0,
            Operation.CREATE_PUSH: _PUSH_1_0,
            Operation.GET_PUSH: _PUSH_ID_1_0,
            Operation.LIST_PUSH: _PUSH_ID_1_0,
            Operation.DELETE_PUSH: _PUSH_ID_1_0,
        },
        Form.V0_3: {
            **dict.fromkeys(Operation, _TASK_0_3),
            Operation.SEND: _SEND_0_3,
            Operation.STREAM: _SEND_0_3,
            Operation.CREATE_PUSH: _known("taskId", pushNotificationConfig=_PUSH_0_3),
        },
        Form.V0_3_PROTO: {
            **dict.fromkeys(Operation, _NAMED),
            Operation.SEND: _SEND_PROTO,
            Operation.STREAM: _SEND_PROTO,
            Operation.CREATE_PUSH: _CREATE_PROTO,
        },
    }
)


def in_json(document: Mapping[str, object], operation: Operation) -> dict[str, object]:
    """What is asked over HTTP+JSON of 0.3, with the names of JSON. Raises `SaidTwice`."""
    return _in_json(document, _KNOWN[Form.V0_3_PROTO][operation])


def _in_json(document: Mapping[str, object], known: Known) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in document.items():
        name = known.aliases.get(key, key)
        if name in found:
            raise SaidTwice(f"{name!r} is said twice")
        inner = known.members.get(name)
        if inner is not None and isinstance(value, dict):
            value = _in_json(value, inner)
        elif inner is not None and isinstance(value, list):
            value = [_in_json(each, inner) if isinstance(each, dict) else each for each in value]
        found[name] = value
    return found


def as_written(document: Mapping[str, object], path: Names) -> Names:
    """The path in such a document as it was written."""
    found: list[str] = []
    value: object = document
    for name in path:
        other = "request" if name == _MESSAGE and not found else _snake(name)
        if isinstance(value, dict) and name not in value and other in value:
            name = other
        found.append(name)
        value = value.get(name) if isinstance(value, dict) else None
    return tuple(found)


def misspelt_in(document: Mapping[str, object], form: Form, operation: Operation) -> str:
    """The first member that could be read as another; empty: there is none."""
    return misspelt(document, _KNOWN[form][operation])


def misspelt(document: Mapping[str, object], known: Known) -> str:
    """The same of an object."""
    members = known.members
    for key, value in document.items():
        if key not in members:
            if _fold(key) in known.folded:
                return key
            continue
        inner = members[key]
        if inner is None:
            continue
        if isinstance(value, dict):
            found = misspelt(value, inner)
            if found:
                return found
        elif isinstance(value, list):
            for each in value:
                found = misspelt(each, inner) if isinstance(each, dict) else ""
                if found:
                    return found
    return ""
