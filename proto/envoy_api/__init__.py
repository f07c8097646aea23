"""Envoy's protobuf API, exactly as the pinned binary has it, and our own messages beside it.

The descriptors stand in `descriptors.fds`, which `proto/generate.py` writes. They live in a private
pool, so that packages which register other versions of the same files cannot clash with them.
"""

from __future__ import annotations

import functools
import importlib.resources

from envoy_api.api import Api, Json, Message, UnknownMessage, type_name

__all__ = [
    "Api",
    "Json",
    "Message",
    "UnknownMessage",
    "api",
    "from_dict",
    "message",
    "pack",
    "to_dict",
    "type_name",
    "unpack",
]


@functools.cache
def api() -> Api:
    """The API of the pinned Envoy; read from the disk at the first call."""
    return Api((importlib.resources.files("envoy_api") / "descriptors.fds").read_bytes())


def message(full_name: str) -> type[Message]:
    """The class of a message: `message("envoy.config.cluster.v3.Cluster")`."""
    return api().message(full_name)


def pack(value: Message) -> Message:
    """The message as a `google.protobuf.Any`, serialized deterministically."""
    return api().pack(value)


def unpack(packed: Message) -> Message:
    """What is in a `google.protobuf.Any`."""
    return api().unpack(packed)


def from_dict(full_name: str, fields: Json) -> Message:
    """A message from its JSON form; a nested `Any` is an object with `@type`."""
    return api().from_dict(full_name, fields)


def to_dict(value: Message) -> Json:
    """The JSON form of a message, with the field names of the `.proto` files."""
    return api().to_dict(value)
