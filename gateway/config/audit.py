"""The audit log: what was decided about whom, so that nothing of it can be changed unseen."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, SecretStr, WithJsonSchema, model_validator

from gateway.audit_log.sealing import SHORTEST_KEY, SealingKey, key_of
from gateway.audit_log.terms import AuditTerms
from gateway.config.block import Block, refusal
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag, Secret, Size, Text


class Recorded(StrEnum):
    """What is written down of requests."""

    VERDICTS = "verdicts"
    ALL = "all"


class OnError(StrEnum):
    """What becomes of requests while nothing can be written down."""

    BLOCK = "block"
    ALLOW = "allow"


def _long_enough(value: SecretStr) -> SecretStr:
    if key_of(value.get_secret_value()) is None:
        raise refusal(
            f"must have at least {SHORTEST_KEY} characters", "openssl rand -hex 32", is_shown=False
        )
    return value


AuditSecret: TypeAlias = Annotated[
    Secret,
    AfterValidator(_long_enough),
    WithJsonSchema({"type": "string", "format": "secret"}),
]


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
    secret: AuditSecret | None = None
    """What records are sealed with (HMAC-SHA256), so that who may write the files and has it
    not cannot write other ones in their place: at least 32 characters, best as `${VARIABLE}`."""
    secret_file: TextFile | None = None
    """A file that holds it, without the space around it."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> AuditBlock:
        if self.secret is not None and self.secret_file is not None:
            raise refusal("has a secret and a secret_file", is_shown=False)
        if self.secret_file is not None and key_of(self.secret_file.text) is None:
            raise refusal(
                f"has a secret_file of fewer than {SHORTEST_KEY} characters", is_shown=False
            )
        return self

    @property
    def sealing(self) -> SealingKey | None:
        """None: records have no seals."""
        if self.secret_file is not None:
            return key_of(self.secret_file.text)
        return None if self.secret is None else key_of(self.secret.get_secret_value())

    @property
    def terms(self) -> AuditTerms:
        return AuditTerms(
            self.path,
            self.records is Recorded.ALL,
            self.content,
            self.on_error is OnError.BLOCK,
            self.file_size,
            self.daily,
            self.sealing,
        )
