"""The client's side of one xDS subscription, over Envoy's messages and without I/O.

One type, by names or all of it, in either variant of the protocol. What is held survives streams:
a new one begins with `hello`, which tells the server what need not be sent again.
https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import envoy_api
from envoy_api.api import Message
from envoy_api.discovery import DISCOVERY, FULL_STATE, WILDCARD, Variant

WRAPPER = f"type.googleapis.com/{DISCOVERY}Resource"
"""What a resource with a name, a version or a TTL of its own comes in, in State of the World."""
_INVALID_ARGUMENT = 3


class Garbage(ValueError):
    """A server sent what is no resource of the type that was asked for."""


@dataclass(frozen=True, slots=True)
class Item:
    """A resource as it came."""

    name: str
    version: str
    """The server's; in State of the World, where resources have none, a hash of the content."""
    body: bytes
    """The message, serialized."""


@dataclass(frozen=True, slots=True)
class News:
    """What a response has that is not held yet."""

    updated: tuple[Item, ...] = ()
    removed: tuple[str, ...] = ()
    """Names that were held and are gone, and names asked for that do not exist."""


class Subscriber:
    """What is held of one type, and what to say to a server about it."""

    def __init__(
        self,
        variant: Variant,
        type_url: str,
        names: Iterable[str],
        node: Message,
    ) -> None:
        """No names: all resources of the type."""
        self.variant = variant
        self.type_url = type_url
        self.names = tuple(names)
        self._node = node
        self._held: dict[str, str] = {}
        self._version = ""
        """The last response that was accepted, in State of the World."""

    @property
    def held(self) -> Mapping[str, str]:
        """Name → version, of what was accepted."""
        return self._held

    def speak(self, variant: Variant) -> None:
        """From the next stream on. The variants' versions mean different things."""
        self.variant = variant
        self._version = ""

    def hello(self) -> Message:
        """The first request of a stream."""
        if self.variant is Variant.SOTW:
            return self._state_request(node=self._node)
        return self._request(
            node=self._node,
            resource_names_subscribe=self.names or (WILDCARD,),
            initial_resource_versions=self._held,
        )

    def news(self, response: Message) -> News:
        """What a response changes. Raises `Garbage`; nothing is held by this alone."""
        items = [item for item in self._items(response) if item is not None]
        updated = tuple(item for item in items if self._held.get(item.name) != item.version)
        return News(updated, self._removed(response, {item.name for item in items}))

    def accept(self, response: Message, news: News) -> Message:
        """Hold the news; the ACK to send."""
        for name in news.removed:
            self._held.pop(name, None)
        self._held.update((item.name, item.version) for item in news.updated)
        if self.variant is Variant.DELTA:
            return self._request(response_nonce=response.nonce)
        self._version = response.version_info
        return self._state_request(response_nonce=response.nonce)

    def reject(self, response: Message, reason: str) -> Message:
        """The NACK to send; what was held stays."""
        error = {"code": _INVALID_ARGUMENT, "message": reason}
        if self.variant is Variant.DELTA:
            return self._request(response_nonce=response.nonce, error_detail=error)
        return self._state_request(response_nonce=response.nonce, error_detail=error)

    def _items(self, response: Message) -> Iterable[Item | None]:
        """`None`: a heartbeat, which says only that a resource still lives."""
        for each in response.resources:
            if self.variant is Variant.DELTA:
                yield self._of_wrapper(each)
            elif each.type_url == WRAPPER:
                yield self._of_wrapper(envoy_api.message(f"{DISCOVERY}Resource")(), each.value)
            else:
                yield self._item("", "", each)

    def _of_wrapper(self, wrapper: Message, serialized: bytes | None = None) -> Item | None:
        if serialized is not None:
            wrapper.MergeFromString(serialized)
        if not wrapper.HasField("resource"):
            return None
        return self._item(wrapper.name, wrapper.version, wrapper.resource)

    def _item(self, name: str, version: str, packed: Message) -> Item:
        if packed.type_url != self.type_url:
            raise Garbage(f"a resource of type {packed.type_url or 'none'} for {self.type_url}")
        body = bytes(packed.value)
        return Item(name or self._name_of(body), version or _digest(body), body)

    def _name_of(self, body: bytes) -> str:
        """In State of the World the name is in the message."""
        try:
            message = envoy_api.message(envoy_api.type_name(self.type_url)).FromString(body)
        except envoy_api.UnknownMessage:
            fields: frozenset[str] = frozenset()
        else:
            fields = frozenset(message.DESCRIPTOR.fields_by_name)
        for field in ("name", "cluster_name"):
            if field in fields:
                return str(getattr(message, field))
        if len(self.names) == 1:  # our own Configuration has no name of its own
            return self.names[0]
        raise Garbage(f"a resource of type {self.type_url} without a name")

    def _removed(self, response: Message, present: set[str]) -> tuple[str, ...]:
        if self.variant is Variant.DELTA:
            return tuple(response.removed_resources)
        if self.type_url not in FULL_STATE:
            return ()
        return tuple(name for name in (*self._held, *self._absent(present)) if name not in present)

    def _absent(self, present: set[str]) -> tuple[str, ...]:
        return tuple(name for name in self.names if name not in present | self._held.keys())

    def _state_request(self, **fields: object) -> Message:
        return self._request(resource_names=self.names, version_info=self._version, **fields)

    def _request(self, **fields: object) -> Message:
        return envoy_api.message(self.variant.request)(type_url=self.type_url, **fields)


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()
