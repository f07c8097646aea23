"""What policies say of requests: counted, logged at `info`, and written into the audit log. It
decides nothing, but that nothing may happen while that log cannot be written.

Docs: docs/audit.md; docs/authorization.md, "Trying a rule out".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from extproc.facts import A2aCall, Facts, McpCall
from extproc.ports import AuditLog, Tally, Verdicts
from extproc.principal import Principal
from extproc.verdict import By, Deny, PolicyKind
from gateway.model import Mode
from gateway.secret_texts import redact

logger = logging.getLogger(__name__)

UNAVAILABLE = Deny(
    503,
    "audit_unavailable",
    "what is decided cannot be written down at the moment",
    by=By(PolicyKind.GATEWAY),
)
LONGEST_CONTENT = 16_384
"""Characters, of all texts of a request together."""
_MOST_TEXTS = 1024
"""That are remembered as they are shown: looking for secrets takes longer."""
_LONGEST_TEXT = 1024
"""Of whatever else a client chooses: a path, a name of a model."""


class Audited(StrEnum):
    """What enforcing it would have meant for the request."""

    PASS = "pass"
    """Nothing: the verdict would be the same."""
    DENY = "deny"
    """It would refuse."""
    MASK = "mask"
    """It would change what is said."""
    ERROR = "error"
    """It would refuse, since it cannot be evaluated."""
    ALLOW = "allow"
    """It would let through what is refused now, because no rule allows it."""


_WORDS = {
    Audited.PASS: "pass",
    Audited.DENY: "deny",
    Audited.MASK: "mask",
    Audited.ERROR: "deny, since it cannot be evaluated",
    Audited.ALLOW: "allow what is refused",
}


class Finding(NamedTuple):
    """Of one policy in `audit` about one request."""

    kind: str
    """`rule`, `guard`, `limit`."""
    name: str
    verdict: Audited
    reason: str = ""
    """Why it cannot be evaluated."""
    code: str = ""
    """Of what it would refuse."""


class Trail(Struct, frozen=True):
    """The audit log, as one program writes it."""

    log: AuditLog
    version: str
    """Of the configuration."""
    is_all: bool = False
    """Also what passes is written down."""
    has_content: bool = False
    """With the texts of the requests."""


class Audits:
    """Who is told of verdicts."""

    def __init__(self, tally: Tally, trail: Trail | None = None) -> None:
        """`trail`: None, nothing is written down."""
        self._tally = tally
        self._trail = trail
        self.is_all = trail is not None and trail.is_all
        """What passes is to be told, too."""
        self.is_written = trail is not None
        """There may be a hindrance."""
        self._shown = lru_cache(_MOST_TEXTS)(_bounded)

    def with_trail(self, trail: Trail | None) -> Audits:
        """The same counters, and this log."""
        return Audits(self._tally, trail)

    def hindrance(self) -> Deny | None:
        """Why nothing may be let through now."""
        trail = self._trail
        return UNAVAILABLE if trail is not None and trail.log.is_blocked else None

    def passed(self, facts: Facts) -> None:
        """A request goes on, where `is_all`."""
        if self._trail is not None:
            self._trail.log.put(self._record(self._trail, facts, {"verdict": Audited.PASS}))

    def refused(self, facts: Facts, deny: Deny, otherwise: PolicyKind = PolicyKind.REQUEST) -> None:
        """A request is refused, or its answer cut; `otherwise`: by whom, where it does not say."""
        self.count(deny, otherwise)
        if self._trail is not None:
            said = {
                "verdict": Audited.DENY,
                **_policy(*(deny.by or By(otherwise)), Mode.ENFORCE, deny.code),
                "status": deny.status or "",  # none, where there was no request
                "reason": self._shown(deny.reason),
            }
            self._trail.log.put(self._record(self._trail, facts, said))
        if logger.isEnabledFor(logging.INFO):
            logger.info(
                "refused: %d %s: %s", deny.status, deny.code, deny.reason, extra=_whose(facts)
            )

    def count(self, deny: Deny, otherwise: PolicyKind = PolicyKind.REQUEST) -> None:
        """The same of what nobody knows the request of."""
        by = deny.by or By(otherwise)
        self._tally.add(Verdicts(*by, Audited.DENY, Mode.ENFORCE, deny.code))

    def masked(self, facts: Facts, name: str) -> None:
        """A guard has changed what is said."""
        self._tally.add(Verdicts(PolicyKind.GUARD, name, Audited.MASK, Mode.ENFORCE))
        if self._trail is not None:
            policy = _policy(PolicyKind.GUARD, name, Mode.ENFORCE)
            said = {"verdict": Audited.MASK, **policy}
            self._trail.log.put(self._record(self._trail, facts, said))

    def note(self, facts: Facts, finding: Finding) -> None:
        """Count it; log it and write it down when it would have changed anything."""
        kind, name, verdict, reason, code = finding
        self._tally.add(Verdicts(kind, name, verdict, Mode.AUDIT, code))
        if verdict is Audited.PASS:
            return
        if self._trail is not None:
            policy = _policy(kind, name, Mode.AUDIT, code)
            said = {"verdict": verdict, **policy, "reason": self._shown(reason)}
            self._trail.log.put(self._record(self._trail, facts, said))
        if logger.isEnabledFor(logging.INFO):
            logger.info(
                "audit: %s '%s' would %s%s",
                kind,
                name,
                _WORDS[verdict],
                f": {reason}" if reason else "",
                extra={
                    kind: name,
                    "verdict": verdict.value,
                    "route": facts.route,
                    **_whose(facts),
                },
            )

    def _record(
        self, trail: Trail, facts: Facts, said: Mapping[str, object]
    ) -> Mapping[str, object]:
        """A query may hold a key, and is left out."""
        caller, shown = facts.principal, self._shown
        record: dict[str, object] = {
            "event": "verdict",
            **said,
            "request_id": facts.headers.get("x-request-id", ""),
            **({} if caller is None else _caller(caller)),
            "source": facts.source_address,
            "method": facts.method,
            "path": shown(facts.path.partition("?")[0]),
            "route": facts.route,
            "model": shown(facts.model),
            "provider": facts.provider,
            **({} if facts.mcp is None else _asked_of(facts.mcp, shown)),
            **({} if facts.a2a is None else _asked_of_agent(facts.a2a, shown)),
            "config": trail.version,
        }
        if trail.has_content and facts.texts:
            record["content"] = _content(facts.texts)
        return record


def _asked_of(call: McpCall, shown: Callable[[str], str]) -> Mapping[str, str]:
    """Of an MCP request: the method, and what is asked of which server."""
    return {
        "mcp_method": shown(call.method),
        "mcp_server": call.server,
        "mcp_name": shown(call.name),
    }


def _asked_of_agent(call: A2aCall, shown: Callable[[str], str]) -> Mapping[str, str]:
    """Of an A2A request: the operation, the agent, and the task."""
    return {
        "a2a_method": call.method,
        "a2a_agent": call.agent,
        "a2a_task_id": shown(call.task),
        **({"a2a_group": call.group} if call.group else {}),
        **({"a2a_chain": "/".join(call.chain)} if call.chain else {}),
    }


def _caller(caller: Principal) -> Mapping[str, str]:
    return {
        "principal": caller.name,
        "identity": caller.kind,
        "key": caller.key,
        "user": caller.user,
        "team": caller.team,
    }


def _whose(facts: Facts) -> Mapping[str, str]:
    caller = facts.principal
    return {
        "request_id": facts.headers.get("x-request-id", ""),
        "key": "" if caller is None else caller.key,
        "user": "" if caller is None else caller.user,
        "model": facts.model,
    }


def _policy(kind: str, name: str, mode: Mode, code: str = "") -> Mapping[str, str]:
    return {"kind": kind, "name": name, "mode": mode, "code": code}


def _bounded(text: str) -> str:
    return redact(text[:_LONGEST_TEXT]) if text else text


def _content(texts: tuple[str, ...]) -> list[str]:
    room, found = LONGEST_CONTENT, []
    for text in texts:
        if room <= 0:
            break
        found.append(redact(text[:room]))
        room -= len(text)
    return found


class _Uncounted:
    def add(self, verdicts: Verdicts) -> None:
        pass


def uncounted() -> Audits:
    """Logs, and counts nothing."""
    return Audits(_Uncounted())
