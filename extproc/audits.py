"""What policies say of requests: counted, and logged at `info`. It decides nothing.

Docs: docs/audit.md; docs/authorization.md, "Trying a rule out".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from extproc.facts import Facts
from extproc.ports import Tally, Verdicts
from extproc.verdict import By, Deny, PolicyKind
from gateway.model import Mode

logger = logging.getLogger(__name__)


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


class Audits:
    """Who is told of verdicts."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def refused(self, facts: Facts, deny: Deny, otherwise: PolicyKind = PolicyKind.REQUEST) -> None:
        """A request is refused, or its answer cut; `otherwise`: by whom, where it does not say."""
        self.count(deny, otherwise)
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

    def note(self, facts: Facts, finding: Finding) -> None:
        """Count it; log it when it would have changed anything."""
        kind, name, verdict, reason, code = finding
        self._tally.add(Verdicts(kind, name, verdict, Mode.AUDIT, code))
        if verdict is Audited.PASS or not logger.isEnabledFor(logging.INFO):
            return
        logger.info(
            "audit: %s '%s' would %s%s",
            kind,
            name,
            _WORDS[verdict],
            f": {reason}" if reason else "",
            extra={kind: name, "verdict": verdict.value, "route": facts.route, **_whose(facts)},
        )


def _whose(facts: Facts) -> Mapping[str, str]:
    caller = facts.principal
    return {
        "request_id": facts.headers.get("x-request-id", ""),
        "key": "" if caller is None else caller.key,
        "user": "" if caller is None else caller.user,
        "model": facts.model,
    }


class _Uncounted:
    def add(self, verdicts: Verdicts) -> None:
        pass


def uncounted() -> Audits:
    """Logs, and counts nothing."""
    return Audits(_Uncounted())
