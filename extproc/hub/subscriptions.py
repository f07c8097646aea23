"""What servers say unasked, as a client without a session asked for it: `subscriptions/listen`.

https://modelcontextprotocol.io/specification/2026-07-28/basic/utilities/subscriptions. Each
notification names the client's subscription; servers with sessions know no subscriptions, and what
they say in their streams is told on where it was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from extproc.mcp import jsonrpc, messages
from extproc.mcp.messages import Kind, Message
from extproc.mcp.requests import Client, with_meta
from extproc.mcp.upward import SUBSCRIPTION_ID
from extproc.protocols.sse import SseDecoder, encode

LISTEN: Final = "subscriptions/listen"
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_UPDATED: Final = "notifications/resources/updated"
_URIS: Final = "resourceSubscriptions"
_OPTED: Final[Mapping[str, str]] = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
"""What has to be asked for to be told of it."""
_DEEPEST: Final = 200
"""What a server says may be nested deeper than what a client asks."""
_PATH: Final = ("params", "_meta", SUBSCRIPTION_ID)
_OWN_ID: Final = b'"dragoman-listen"'


class Subscription(Struct, frozen=True):
    """What one client wants to hear."""

    raw_id: bytes
    """Of its request, JSON."""
    notifications: Mapping[str, bool]
    """What it has opted in to."""
    uris: Mapping[str, Mapping[str, str]]
    """Resources, by server and the server's own URI: what the client calls them."""

    def acknowledged(self) -> bytes:
        """The first event of the stream."""
        granted: dict[str, object] = dict(self.notifications)
        shown = [each for own in self.uris.values() for each in own.values()]
        if shown:
            granted[_URIS] = shown
        params = {"notifications": granted, "_meta": {SUBSCRIPTION_ID: Raw(self.raw_id)}}
        return encode(jsonrpc.notification(_ACKNOWLEDGED, msgspec.json.encode(params)))

    def asked(self, server: str, revision: str) -> bytes:
        """The request to a server without sessions."""
        wanted: dict[str, object] = dict(self.notifications)
        if own := list(self.uris.get(server, ())):
            wanted[_URIS] = own
        params = msgspec.json.encode({"notifications": wanted})
        return jsonrpc.request(_OWN_ID, LISTEN, with_meta(params, revision, Client()))

    def changed(self, kinds: Sequence[str]) -> bytes:
        """Of these lists, which may have changed, those of which the client wants to hear."""
        methods = (f"notifications/{each}/list_changed" for each in kinds)
        said = (each for each in methods if self.notifications.get(_OPTED[each]))
        return b"".join(encode(self._named(jsonrpc.notification(each))) for each in said)

    def _named(self, text: bytes) -> bytes:
        return messages.rewritten(text, {_PATH: self.raw_id})

    def told(self, server: str, text: bytes) -> bytes:
        """What a server says, for the client; empty: nothing that it wants to hear."""
        message = messages.read(text, _DEEPEST)
        if not isinstance(message, Message) or message.kind is not Kind.NOTIFICATION:
            return b""
        opted = _OPTED.get(message.method)
        if opted is not None:
            return encode(self._named(text)) if self.notifications.get(opted) else b""
        if message.method != _UPDATED:
            return b""
        shown = self.uris.get(server, {}).get(message.uri)
        if shown is None:
            return b""
        changes = {messages.URI: messages.text(shown), _PATH: self.raw_id}
        return encode(messages.rewritten(text, changes))


class Told:
    """A server's stream, as a subscription has it told: bytes in, bytes out."""

    def __init__(self, subscription: Subscription, server: str) -> None:
        self._subscription = subscription
        self._server = server
        self._events = SseDecoder()
        self.asked: list[Message] = []
        """What the server asks; whoever reads it takes it away."""

    def feed(self, data: bytes) -> bytes:
        """Raises `EventTooLarge`."""
        found = self._events.feed(data)
        for each in found:
            message = messages.read(each.data, _DEEPEST)
            if isinstance(message, Message) and message.kind is Kind.REQUEST:
                self.asked.append(message)
        return b"".join(self._subscription.told(self._server, each.data) for each in found)
