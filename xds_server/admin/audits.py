"""Reads what policies in `audit` would have done, which each worker of this machine writes down."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from xds_server.admin.api import Json

logger = logging.getLogger(__name__)

Audits: TypeAlias = Mapping[tuple[str, str, str], int]
"""(Kind, name, verdict) → how often, in all workers."""
NO_AUDITS: Audits = MappingProxyType({})


def read_audits(folder: Path) -> Audits:
    """The sums; none where nothing was audited. What cannot be read is logged, and left out."""
    sums = Counter[tuple[str, str, str]]()
    for path in sorted(folder.glob("*.json")):
        try:
            rows = msgspec.json.decode(path.read_bytes(), type=list[tuple[str, str, str, int]])
        except (OSError, msgspec.DecodeError) as error:
            logger.warning("audits: %s is left out: %s", path, error)
            continue
        for kind, name, verdict, count in rows:
            sums[kind, name, verdict] += count
    return dict(sums)


def audit_rows(audits: Audits) -> Sequence[Json]:
    """One for each policy, with all of its verdicts: `{kind, name, verdicts: {deny: 3}}`."""
    verdicts: dict[tuple[str, str], dict[str, int]] = {}
    for (kind, name, verdict), count in sorted(audits.items()):
        verdicts.setdefault((kind, name), {})[verdict] = count
    return [
        {"kind": kind, "name": name, "verdicts": each} for (kind, name), each in verdicts.items()
    ]
