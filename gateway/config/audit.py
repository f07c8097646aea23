"""The audit log: what was decided about whom, so that nothing of it can be changed unseen."""

from __future__ import annotations

from enum import StrEnum

from gateway.audit_log.terms import AuditTerms
from gateway.config.block import Block
from gateway.config.scalars import Flag, Size, Text


class Recorded(StrEnum):
    """What is written down of requests."""

    VERDICTS = "verdicts"
    ALL = "all"


class OnError(StrEnum):
    """What becomes of requests while nothing can be written down."""

    BLOCK = "block"
    ALLOW = "allow"


class AuditBlock(Block):
    """A log to which is only added: lines of JSON, each with the SHA-256 of the one before."""

    path: Text = "audit"
    """Its folder; a relative one is in the state directory (`--state-dir`). Each process writes
    files of its own there."""
    records: Recorded = Recorded.VERDICTS
    """`verdicts`: what is refused, what guards mask, and what policies in `mode: audit` would have
    done; `all`: also what passes."""
    content: Flag = False
    """With the texts of the requests as clients wrote them, up to 16,384 characters, in which what
    looks like a credential is blotted out."""
    on_error: OnError = OnError.BLOCK
    """While the log cannot be written, since the disk is full for example: `block` refuses requests
    and changes of keys, `allow` lets them go on."""
    file_size: Size = 64 << 20
    """A file that would be larger than this is followed by another."""
    daily: Flag = False
    """Each day has files of its own, in UTC."""

    @property
    def terms(self) -> AuditTerms:
        return AuditTerms(
            self.path,
            self.records is Recorded.ALL,
            self.content,
            self.on_error is OnError.BLOCK,
            self.file_size,
            self.daily,
        )
