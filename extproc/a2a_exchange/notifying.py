"""A notification of an agent's, which goes on to the client who asked for it.

The agent shows the address that it was told, which nobody else knows, and the token; no credential
of the gateway's is asked for. What it sends is read, and goes to the client by Envoy.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, TypeAlias

from extproc.a2a import notifications
from extproc.a2a.forms.losses import Malformed
from extproc.a2a.operations import Operation
from extproc.a2a_exchange.judging import Judges, Overseers
from extproc.a2a_serving.callbacks import Callbacks, Sealed, Unreachable
from extproc.a2a_serving.callers import principal_of
from extproc.events import CONTINUE, Action, Direct
from extproc.facts import A2aCall, Facts
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny
from gateway.a2a import NOTIFICATION_TOKEN, Binding, Revision

Answering: TypeAlias = Action | Deny | Awaitable[Action | Deny]

_METHOD: Final = "PushNotification"
"""As policies and the audit log call it; the protocol has no name."""
_POST_ALONE = Deny(405, "method_not_allowed", "POST alone", headers=(("allow", "POST"),))
_UNKNOWN = Deny(404, "unknown_webhook", "no client asked to be called back here")
_OVER = Deny(410, "webhook_over", "it is too long ago that the client asked to be called back")
_NO_TOKEN = Deny(
    401,
    "wrong_notification_token",
    f"the header {NOTIFICATION_TOKEN} is not the token of this address",
)
_OTHER_TASK = Deny(403, "other_task", "this address is for notifications of another task")


class Notifying:
    """Of one HTTP request."""

    __slots__ = ("_agent", "_callbacks", "_facts", "_overseers", "_sealed")

    def __init__(
        self, callbacks: Callbacks, facts: Facts, overseers: Overseers | None = None
    ) -> None:
        """`overseers`: who reads what agents say; None: nobody."""
        self._callbacks, self._facts = callbacks, facts
        self._overseers = overseers
        self._agent = ""
        self._sealed: Sealed | None = None

    def begins(self, behind: str) -> Action | Deny:
        """The headers; `behind`: what of the path is behind the place of all webhooks."""
        facts = self._facts
        if facts.method != "POST":
            return _POST_ALONE
        agent, _, text = behind.removeprefix("/").partition("/")
        sealed = self._callbacks.opened(agent, text)
        if sealed is None:
            return _UNKNOWN
        facts.a2a = A2aCall(_METHOD, agent, sealed.task)
        if self._callbacks.is_over(sealed, self._now):
            return _OVER
        if not self._callbacks.is_shown(sealed, facts.headers.get(NOTIFICATION_TOKEN, "")):
            return _NO_TOKEN
        self._agent, self._sealed = agent, sealed
        if sealed.caller is not None:
            facts.principal = principal_of(sealed.caller)
        return CONTINUE

    def takes(self, body: bytes) -> Answering:
        """The body."""
        sealed = self._sealed
        assert sealed is not None
        try:
            told = notifications.read(body)
            said = notifications.said(told, Revision(sealed.revision), sealed.key, [])
        except (InvalidJson, Malformed) as error:
            return Deny(400, "invalid_notification", f"the notification is none: {error}")
        if sealed.task and told.task_id != sealed.task:
            return _OTHER_TASK
        self._facts.a2a = A2aCall(_METHOD, self._agent, told.task_id)
        return self._sent(sealed, body, said)

    @property
    def _now(self) -> int:
        return int(self._facts.now.timestamp())

    async def _sent(self, sealed: Sealed, body: bytes, said: bytes | None) -> Action | Deny:
        whole = body if said is None else said
        judged = await self._judged(whole)
        if isinstance(judged, Deny):
            return judged
        if judged is not whole:
            whole = said = judged
        try:
            way = await self._callbacks.way(sealed, self._agent, whole, self._now)
        except Unreachable as error:
            return Deny(502, "webhook_unreachable", str(error))
        head = way.headers, way.removed
        return Direct(way.reply, True, *head, body=said, address=way.address)

    async def _judged(self, whole: bytes) -> bytes | Deny:
        """What becomes of it past those who read what the agent says, as they read its answers."""
        overseers, facts = self._overseers, self._facts
        if overseers is None or not overseers.reads(facts):
            return whole
        judges = Judges(overseers, facts, Operation.SUBSCRIBE, Binding.HTTP_JSON)
        judges.begin(200, facts.headers)
        document = judges.document()
        told = document.feed(whole, is_end=True)
        while questions := document.questions:
            told += document.answered(await judges.opinions(questions))
        judges.end()
        return told if document.denied is None else document.denied
