"""The audit log that the configuration names, written by this worker."""

from __future__ import annotations

from pathlib import Path

from extproc.audits import Trail
from gateway.audit_log.terms import AuditTerms
from gateway.audit_log.writer import ChainWriter


class AuditLogs:
    """One chain for each place that was ever named; what is no longer named stays open for the
    requests that are still on their way. May be used from any thread."""

    def __init__(self, state_dir: Path, worker: str) -> None:
        self._state_dir = state_dir
        self._worker = worker
        self._open: dict[str, ChainWriter] = {}

    def trail(self, terms: AuditTerms | None, version: str) -> Trail | None:
        """As a configuration of this version writes it."""
        if terms is None:
            return None
        log = self._open.get(terms.path)
        if log is None:
            folder = self._state_dir / terms.path
            log = self._open[terms.path] = ChainWriter(folder, f"extproc-{self._worker}", terms)
        log.follow(terms)
        return Trail(log, version, terms.is_all, terms.has_content)

    def close(self) -> None:
        """Write what is left."""
        for log in self._open.values():
            log.close()
