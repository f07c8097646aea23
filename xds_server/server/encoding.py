"""Protobuf ↔ values: what clients ask and are told. Each resource is serialized once.

A protobuf message is the concatenation of its fields, so a response is its own few fields and then
the resources; these are kept as bytes, and so is what they are together, since many clients are
told the same.
"""

from __future__ import annotations

import importlib.metadata
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import envoy_api
from envoy_api.discovery import DISCOVERY, Variant
from google.protobuf.message import DecodeError

from xds_server.audience import Node
from xds_server.refusals import READ_LIMIT
from xds_server.server.bounds import KEPT_BYTES, NAME_LENGTH
from xds_server.snapshot import Resource
from xds_server.subscription.words import (
    BadRequest,
    DeltaRequest,
    DeltaResponse,
    Request,
    Response,
    StateRequest,
    StateResponse,
)


def parsed(variant: Variant, data: bytes) -> Any:
    """A request's message; `BadRequest` when it is none."""
    try:
        return envoy_api.message(variant.request).FromString(data)
    except DecodeError:
        raise BadRequest(f"not a {variant.request}") from None


def node_of(message: Any) -> Node:
    """What the first request of a stream says of its client."""
    version = None
    version_text = message.user_agent_version
    if message.HasField("user_agent_build_version"):
        build = message.user_agent_build_version.version
        version = (build.major_number, build.minor_number, build.patch)
        version_text = ".".join(map(str, version))
    return Node(
        message.id,
        message.cluster,
        message.user_agent_name,
        version,
        version_text,
        _fields(message.metadata),
    )


def _fields(struct: Any) -> dict[str, object]:
    """Of a `google.protobuf.Struct`, with numbers that JSON does not have."""
    return {name: _content(value) for name, value in struct.fields.items()}


def _content(value: Any) -> object:
    kind = value.WhichOneof("kind")
    match kind:
        case "struct_value":
            return _fields(value.struct_value)
        case "list_value":
            return [_content(each) for each in value.list_value.values]
        case None | "null_value":
            return None
    content: object = getattr(value, kind)
    return content


def request_of(variant: Variant, message: Any, type_url: str) -> Request:
    """What a request says; its type is known better from its stream. Raises `BadRequest`."""
    error = message.error_detail.message[:READ_LIMIT] if message.HasField("error_detail") else None
    if variant is Variant.SOTW:
        _check_names(message.resource_names)
        return StateRequest(
            type_url=type_url,
            names=tuple(message.resource_names),
            version=message.version_info,
            nonce=message.response_nonce,
            error=error,
        )
    _check_names(message.resource_names_subscribe)
    _check_names(message.initial_resource_versions)
    return DeltaRequest(
        type_url=type_url,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=error,
    )


def _check_names(names: Iterable[str]) -> None:
    if any(len(name) > NAME_LENGTH for name in names):
        raise BadRequest(f"a resource name of more than {NAME_LENGTH} characters")


@dataclass(slots=True)
class Kept:
    """Bytes by key, up to a limit; what was not asked for the longest is forgotten first."""

    limit_bytes: int
    _kept: OrderedDict[Hashable, tuple[bytes, object]] = field(default_factory=OrderedDict)
    _size: int = 0

    def get(self, key: Hashable, make: Callable[[], bytes], owner: object = None) -> bytes:
        """What is kept, or is made now. `owner` lives as long as the bytes do: for a key that is
        made of the ids of its parts."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found[0]
        made = make()
        self._kept[key] = (made, owner)
        self._size += len(made)
        while self._size > self.limit_bytes and len(self._kept) > 1:
            _, (forgotten, _) = self._kept.popitem(last=False)
            self._size -= len(forgotten)
        return made


def size_of(response: Response) -> int:
    """Of its message, as far as it counts: without what is said of each resource."""
    removed = response.removed if isinstance(response, DeltaResponse) else ()
    return sum(len(each.body) for each in response.resources) + sum(map(len, removed))


class Encoder:
    """Responses as bytes, for all streams."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._delta = envoy_api.message(DISCOVERY + "DeltaDiscoveryResponse")
        self._state = envoy_api.message(DISCOVERY + "DiscoveryResponse")
        self._resource = envoy_api.message(DISCOVERY + "Resource")
        self._any = envoy_api.message("google.protobuf.Any")
        self._resources = Kept(kept_bytes)
        self._lists = Kept(kept_bytes)
        self._control_plane = {"identifier": f"dragoman {importlib.metadata.version('dragoman')}"}

    def encode(self, response: Response) -> bytes:
        """The message of its variant."""
        if isinstance(response, StateResponse):
            return self._state_response(response)
        return self._delta_response(response)

    def _delta_response(self, response: DeltaResponse) -> bytes:
        head = self._delta(
            system_version_info=response.version,
            type_url=response.type_url,
            nonce=response.nonce,
            removed_resources=response.removed,
            control_plane=self._control_plane,
            resources=[
                *map(_heartbeat, response.heartbeats),
                *({"name": name, "aliases": [name]} for name in response.unresolved),
            ],
        )
        listed = self._list(Variant.DELTA, response.resources, self._delta_resource)
        return b"".join((head.SerializeToString(), listed))

    def _state_response(self, response: StateResponse) -> bytes:
        head = self._state(
            version_info=response.version,
            type_url=response.type_url,
            nonce=response.nonce,
            control_plane=self._control_plane,
        )
        listed = self._list(Variant.SOTW, response.resources, self._state_resource)
        return b"".join((head.SerializeToString(), listed))

    def _list(
        self,
        variant: Variant,
        resources: tuple[Resource, ...],
        encode: Callable[[Resource], Any],
    ) -> bytes:
        """The field `resources`; its number is the same in both messages."""

        def encoded(resource: Resource) -> bytes:
            key = (
                variant,
                resource.type_url,
                resource.name,
                resource.version,
                resource.ttl_seconds,
            )
            return self._resources.get(key, lambda: bytes(encode(resource).SerializeToString()))

        if len(resources) == 1:
            return encoded(resources[0])
        ids = (variant, *map(id, resources))
        return self._lists.get(ids, lambda: b"".join(map(encoded, resources)), resources)

    def _delta_resource(self, resource: Resource) -> Any:
        return self._delta(resources=[self._with_body(resource)])

    def _state_resource(self, resource: Resource) -> Any:
        if resource.ttl_seconds is None:
            packed = self._any(type_url=resource.type_url, value=resource.body)
        else:  # only wrapped resources can say that they end
            packed = envoy_api.pack(self._resource(**self._with_body(resource)))
        return self._state(resources=[packed])

    def _with_body(self, resource: Resource) -> dict[str, Any]:
        body = {"type_url": resource.type_url, "value": resource.body}
        return {**_heartbeat(resource), "resource": body}


def _heartbeat(resource: Resource) -> dict[str, Any]:
    """A resource without its body."""
    said: dict[str, Any] = {"name": resource.name, "version": resource.version}
    if resource.ttl_seconds is not None:
        seconds, rest = divmod(round(resource.ttl_seconds * 1_000_000_000), 1_000_000_000)
        said["ttl"] = {"seconds": seconds, "nanos": rest}
    return said
