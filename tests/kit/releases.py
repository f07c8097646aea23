"""As much of a release as those look at who write down that it is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from gateway.audit_log.terms import AuditTerms
from xds_server.release import Release


@dataclass(frozen=True)
class _Gateway:
    audit: AuditTerms | None


@dataclass(frozen=True)
class _Release:
    version: str
    workers_version: str
    gateway: _Gateway


def release(version: str, audit: AuditTerms | None) -> Release:
    """Workers know it as `wVERSION`."""
    return cast(Release, _Release(version, f"w{version}", _Gateway(audit)))
