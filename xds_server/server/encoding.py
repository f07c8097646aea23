"""Protobuf ↔ values: what clients ask and are told. Each resource is serialized once.

A protobuf message is the concatenation of its fields, so a response is its own few fields before
the resources; these are kept as bytes, and so is what they are together, since many clients are
told the same.
"""

from __future__ import annotations

import importlib.metadata
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import envoy_api
from google.protobuf import json_format

from xds_server.audience import Node
from xds_server.snapshot import Resource
from xds_server.subscription import DeltaRequest, DeltaResponse

DISCOVERY = "envoy.service.discovery.v3."
KEPT_BYTES = 64 << 20
"""Of serialized resources, and as much of serialized lists of them; the longest unused go first."""


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
        json_format.MessageToDict(message.metadata),
    )


def delta_request(message: Any) -> DeltaRequest:
    return DeltaRequest(
        type_url=message.type_url,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=_error(message),
    )


def _error(message: Any) -> str | None:
    return message.error_detail.message if message.HasField("error_detail") else None


@dataclass(slots=True)
class Kept:
    """Bytes by key, up to a limit; what was not asked for the longest is forgotten first."""

    limit_bytes: int
    _kept: OrderedDict[Hashable, tuple[bytes, object]] = field(default_factory=OrderedDict)
    _size: int = 0

    def get(self, key: Hashable) -> bytes | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: bytes, owner: object = None) -> None:
        """`owner` stays alive as long as the bytes do: for keys made of its parts' ids."""
        self._kept[key] = (value, owner)
        self._size += len(value)
        while self._size > self.limit_bytes and len(self._kept) > 1:
            _, (forgotten, _) = self._kept.popitem(last=False)
            self._size -= len(forgotten)


class Encoder:
    """Responses as bytes, for all streams."""

    def __init__(self) -> None:
        self._delta = envoy_api.message(DISCOVERY + "DeltaDiscoveryResponse")
        self._state = envoy_api.message(DISCOVERY + "DiscoveryResponse")
        self._resource = envoy_api.message(DISCOVERY + "Resource")
        self._any = envoy_api.message("google.protobuf.Any")
        self._resources = Kept(KEPT_BYTES)
        self._lists = Kept(KEPT_BYTES)
        self._control_plane = {"identifier": f"dragoman {importlib.metadata.version('dragoman')}"}

    def delta(self, response: DeltaResponse) -> bytes:
        head = self._delta(
            system_version_info=response.version,
            type_url=response.type_url,
            nonce=response.nonce,
            removed_resources=response.removed,
            control_plane=self._control_plane,
        )
        return head.SerializeToString() + self._list(response.resources)

    def _list(self, resources: tuple[Resource, ...]) -> bytes:
        if len(resources) == 1:
            return self._delta_resource(resources[0])
        key = tuple(map(id, resources))
        found = self._lists.get(key)
        if found is None:
            found = b"".join(map(self._delta_resource, resources))
            self._lists.put(key, found, resources)
        return found

    def _delta_resource(self, resource: Resource) -> bytes:
        key = (resource.type_url, resource.name, resource.version)
        found = self._resources.get(key)
        if found is None:
            message = self._delta()
            message.resources.add(
                name=resource.name,
                version=resource.version,
                resource=self._any(type_url=resource.type_url, value=resource.body),
            )
            found = message.SerializeToString()
            self._resources.put(key, found)
        return found
