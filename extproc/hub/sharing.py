"""One server for many clients: ids and progress tokens are ours on its side, each client's on hers.

What the server says of its own accord goes to whom it can be for. Requests of the server are
answered here: on one channel, nobody could say which client they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from extproc.hub import envelope
from extproc.hub.envelope import Message
from extproc.hub.session import CANCELLED, PROGRESS
from extproc.mcp import jsonrpc

LOG_MESSAGE = "notifications/message"
RESOURCE_UPDATED = "notifications/resources/updated"
SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"
PING = "ping"


class Owner(Protocol):
    """Who asks: a session, or one request of a revision without sessions."""

    def deliver(self, message: Message, text: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    owner: Owner
    id: bytes
    token: bytes | None


@dataclass(slots=True)
class _Member:
    subscriptions: set[str] = field(default_factory=set)
    hears_all: bool = True
    """It has a session, in which notifications come unasked."""

    def wants(self, uri: str) -> bool:
        """Of a resource, or of what is within one that it asked for."""
        return any(uri.startswith(each) for each in self.subscriptions)


class Sharing:
    """Between the owners and the one server."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._asked: dict[bytes, _Asked] = {}
        """Our id → whose request it is."""
        self._members: dict[Owner, _Member] = {}
        self._number = 0

    @property
    def subscriptions(self) -> frozenset[str]:
        """The resources that somebody wants to hear of."""
        return frozenset().union(*(each.subscriptions for each in self._members.values()))

    def join(self, owner: Owner, *, hears_all: bool) -> None:
        """It asks, and hears, until it leaves."""
        self._members[owner] = _Member(hears_all=hears_all)

    def leave(self, owner: Owner) -> None:
        """Nothing is for it any more; what it asked is called off."""
        self._members.pop(owner, None)
        for ours, asked in tuple(self._asked.items()):
            if asked.owner is owner:
                del self._asked[ours]
                self._send(_cancelling(ours))

    def restarted(self) -> None:
        """Another server takes the place of the one that was asked."""
        self._asked.clear()

    def say(self, owner: Owner, message: Message, text: bytes) -> None:
        """What an owner sends to the server."""
        if message.is_request:
            self._note(owner, message)
            if message.method == UNSUBSCRIBE and self._is_wanted(message):
                done = envelope.written(Message(message.id, None, None, b"{}", None))
                owner.deliver(envelope.read(done), done)
                return
            self._ask(owner, message)
        elif message.method == CANCELLED:
            self._call_off(owner, message)
        elif message.is_notification:
            self._send(text)
        # an answer: the server asked nobody

    def _note(self, owner: Owner, message: Message) -> None:
        uri = envelope.param_text(message, "uri")
        if uri is None or owner not in self._members:
            return
        if message.method == SUBSCRIBE:
            self._members[owner].subscriptions.add(uri)
        elif message.method == UNSUBSCRIBE:
            self._members[owner].subscriptions.discard(uri)

    def _is_wanted(self, message: Message) -> bool:
        return envelope.param_text(message, "uri") in self.subscriptions

    def _ask(self, owner: Owner, message: Message) -> None:
        assert message.id is not None
        self._number += 1
        ours = b"%d" % self._number
        token = envelope.key(envelope.meta(message).get(envelope.PROGRESS_TOKEN))
        self._asked[ours] = _Asked(owner, message.id, token)
        changed = {"id": msgspec.Raw(ours)}
        if token is not None:
            changed["params"] = envelope.with_meta(message.params, envelope.PROGRESS_TOKEN, ours)
        self._send(envelope.written(message, **changed))

    def _call_off(self, owner: Owner, message: Message) -> None:
        id = envelope.key(envelope.param(message, "requestId"))
        for ours, asked in tuple(self._asked.items()):
            if asked.owner is owner and asked.id == id:
                del self._asked[ours]
                params = envelope.with_member(message.params, "requestId", ours)
                self._send(envelope.written(message, params=params))

    def hear(self, message: Message, text: bytes) -> None:
        """What the server says."""
        if message.is_answer:
            self._answer(message)
        elif message.is_request:
            self._refuse(message)
        else:
            for owner, told in tuple(self._for_whom(message, text)):
                owner.deliver(envelope.read(told), told)

    def _answer(self, message: Message) -> None:
        asked = None if message.id is None else self._asked.pop(message.id, None)
        if asked is None:
            return
        changed = {"id": msgspec.Raw(asked.id)}
        if envelope.SUBSCRIPTION_ID in envelope.meta(message):
            changed["result"] = envelope.with_meta(
                message.result, envelope.SUBSCRIPTION_ID, asked.id
            )
        told = envelope.written(message, **changed)
        asked.owner.deliver(envelope.read(told), told)

    def _refuse(self, message: Message) -> None:
        if message.method == PING:
            self._send(envelope.written(Message(message.id, None, None, b"{}", None)))
            return
        text = f"{message.method}: this server is shared, and its clients cannot be asked"
        self._send(jsonrpc.error(message.id or jsonrpc.NO_ID, jsonrpc.METHOD_NOT_FOUND, text))

    def _for_whom(self, message: Message, text: bytes) -> Iterator[tuple[Owner, bytes]]:
        if message.method == PROGRESS:
            yield from self._progress(message)
            return
        if message.method == CANCELLED:
            yield from self._ended(message)
            return
        subscription = envelope.key(envelope.meta(message).get(envelope.SUBSCRIPTION_ID))
        if subscription is not None:
            if asked := self._asked.get(subscription):
                params = envelope.with_meta(message.params, envelope.SUBSCRIPTION_ID, asked.id)
                yield asked.owner, envelope.written(message, params=params)
            return
        yield from ((owner, text) for owner in self._hearers(message))

    def _progress(self, message: Message) -> Iterator[tuple[Owner, bytes]]:
        token = envelope.key(envelope.param(message, envelope.PROGRESS_TOKEN))
        asked = None if token is None else self._asked.get(token)
        if asked is not None and asked.token is not None:
            params = envelope.with_member(message.params, envelope.PROGRESS_TOKEN, asked.token)
            yield asked.owner, envelope.written(message, params=params)

    def _ended(self, message: Message) -> Iterator[tuple[Owner, bytes]]:
        ours = envelope.key(envelope.param(message, "requestId"))
        asked = None if ours is None else self._asked.pop(ours, None)
        if asked is not None:
            params = envelope.with_member(message.params, "requestId", asked.id)
            yield asked.owner, envelope.written(message, params=params)

    def _hearers(self, message: Message) -> list[Owner]:
        """All; but what tells of a call goes to nobody else than to who calls."""
        everybody = [owner for owner, member in self._members.items() if member.hears_all]
        if message.method == LOG_MESSAGE:
            asking = {id(asked.owner): asked.owner for asked in self._asked.values()}
            if not asking:
                return everybody
            return list(asking.values()) if len(asking) == 1 else []
        if message.method == RESOURCE_UPDATED:
            uri = envelope.param_text(message, "uri") or ""
            return [each for each in everybody if self._members[each].wants(uri)]
        return everybody


def _cancelling(ours: bytes) -> bytes:
    params = b'{"requestId":%b,"reason":"the client is gone"}' % ours
    return envelope.written(Message(None, CANCELLED, params, None, None))
