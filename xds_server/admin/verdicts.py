"""Reads how often policies said what, which each worker of this machine writes down."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from gateway.a2a import AGENT_KIND
from gateway.model import Mode
from gateway.names import STORE_KIND
from xds_server.admin.api import Json

logger = logging.getLogger(__name__)

Verdicts: TypeAlias = Mapping[tuple[str, str, str, str, str], int]
"""(Kind, name, verdict, mode, code) → how often, in all workers."""
NO_VERDICTS: Verdicts = MappingProxyType({})


def read_verdicts(folder: Path) -> Verdicts:
    """The sums; none where nothing was counted. What cannot be read is logged, and left out."""
    sums = Counter[tuple[str, str, str, str, str]]()
    for path in sorted(folder.glob("*.json")):
        try:
            rows = msgspec.json.decode(
                path.read_bytes(), type=list[tuple[str, str, str, str, str, int]]
            )
        except (OSError, msgspec.DecodeError) as error:
            logger.warning("verdicts: %s is left out: %s", path, error)
            continue
        for kind, name, verdict, mode, code, count in rows:
            sums[kind, name, verdict, mode, code] += count
    return dict(sums)


def store_failures(found: Verdicts) -> Mapping[str, int]:
    """Store → how many questions to it got no answer, in all workers."""
    return {name: count for (kind, name, *_), count in found.items() if kind == STORE_KIND}


def agent_events(found: Verdicts) -> Mapping[tuple[str, str], int]:
    """(A2A agent, event) → how often, in all workers."""
    return {
        (name, event): count
        for (kind, name, event, *_), count in found.items()
        if kind == AGENT_KIND
    }


def audit_rows(found: Verdicts) -> Sequence[Json]:
    """For each policy in `audit`, its verdicts: `{kind, name, verdicts: {deny: 3}}`."""
    verdicts: dict[tuple[str, str], Counter[str]] = {}
    for (kind, name, verdict, mode, _), count in sorted(found.items()):
        if mode == Mode.AUDIT:
            verdicts.setdefault((kind, name), Counter())[verdict] += count
    return [
        {"kind": kind, "name": name, "verdicts": dict(each)}
        for (kind, name), each in verdicts.items()
    ]
