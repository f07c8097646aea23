"""What policies in `audit` would have done: counted, and logged at `info`. It decides nothing.

Docs: docs/policy.md, "Trying a rule out".
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import NamedTuple

from extproc.facts import Facts
from extproc.ports import Tally

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
    """Of one policy about one request."""

    kind: str
    """`rule`, `guard`."""
    name: str
    verdict: Audited
    reason: str = ""
    """Why it cannot be evaluated."""


class Audits:
    """Who is told of findings."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def note(self, facts: Facts, finding: Finding) -> None:
        """Count it; log it when it would have changed anything."""
        self._tally.add(finding.kind, finding.name, finding.verdict)
        if finding.verdict is Audited.PASS or not logger.isEnabledFor(logging.INFO):
            return
        caller = facts.principal
        logger.info(
            "audit: %s '%s' would %s%s",
            finding.kind,
            finding.name,
            _WORDS[finding.verdict],
            f": {finding.reason}" if finding.reason else "",
            extra={
                finding.kind: finding.name,
                "verdict": finding.verdict.value,
                "request_id": facts.headers.get("x-request-id", ""),
                "key": "" if caller is None else caller.key,
                "user": "" if caller is None else caller.user,
                "model": facts.model,
                "route": facts.route,
            },
        )


class _Uncounted:
    def add(self, kind: str, name: str, verdict: str) -> None:
        pass


def uncounted() -> Audits:
    """Logs, and counts nothing."""
    return Audits(_Uncounted())
