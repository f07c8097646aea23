"""Clients that are known by the certificates of their connections: a name becomes a principal."""

from __future__ import annotations

from collections.abc import Sequence

from extproc.principal import Kind, Principal
from gateway.globs import is_name_like
from gateway.identity import CertificateHolders

_MOST_KNOWN = 4096


class Certificates:
    """The holders of a program."""

    def __init__(self, holders: Sequence[CertificateHolders]) -> None:
        self._holders = tuple(holders)
        self._known: dict[str, Principal] = {}

    def principal(self, name: str) -> Principal | None:
        """Who it is that shows a certificate of this name; None: nobody that we know."""
        found = self._known.get(name)
        if found is None:
            holder = self._holder(name)
            if holder is None:
                return None
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[name] = Principal(
                Kind.CERTIFICATE,
                name,
                user=holder.user or name,
                team=holder.team,
                groups=holder.groups,
                tags=holder.tags,
            )
        return found

    def _holder(self, name: str) -> CertificateHolders | None:
        return next((each for each in self._holders if is_name_like(each.sans, name)), None)
