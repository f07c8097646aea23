"""Reads how workers of this machine found A2A agents when they looked last."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from gateway.a2a import INSTANCE_SEPARATOR, A2aAgent
from gateway.names import AGENT_LOOKS_FOLDER

logger = logging.getLogger(__name__)


def agent_health(state_dir: Path, places: Iterable[A2aAgent]) -> Mapping[tuple[str, str], bool]:
    """(Agent, instance) → whether whoever looked last was told a card; of those places alone. The
    instance is empty where the agent is one. What cannot be read is logged, and left out."""
    latest: dict[str, tuple[float, bool]] = {}
    for path in sorted((state_dir / AGENT_LOOKS_FOLDER).glob("*.json")):
        try:
            rows = msgspec.json.decode(path.read_bytes(), type=list[tuple[str, bool, float]])
        except (OSError, msgspec.DecodeError) as error:
            logger.warning("how agents are: %s is left out: %s", path, error)
            continue
        for place, is_well, at in rows:
            latest[place] = max(latest.get(place, (0.0, True)), (at, is_well))
    named = ((each.name, each.name.partition(INSTANCE_SEPARATOR)) for each in places)
    return {
        (agent, instance): latest[name][1] for name, (agent, _, instance) in named if name in latest
    }
