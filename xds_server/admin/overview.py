"""What operators are shown of a control plane: its status, its history and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.a2a import AGENT_KIND
from gateway.names import STORE_KIND
from gateway.problem import Problem
from xds_server.admin.agent_looks import agent_health
from xds_server.admin.api import Json
from xds_server.admin.verdicts import NO_VERDICTS, Verdicts, agent_events, store_failures
from xds_server.clients import Clients, ClientState
from xds_server.history import Entry, History, Pin
from xds_server.metrics import Connected, Figures, Traffic
from xds_server.publisher import Publisher
from xds_server.refusals import Refusal, Refusals, client_name, node_name, short, told
from xds_server.snapshot import short_type

_APART = (AGENT_KIND, STORE_KIND)
"""Kinds of what is counted as verdicts are, and is none."""


@dataclass(frozen=True, slots=True)
class Overview:
    """One control plane."""

    file: Path
    clients: Clients
    publisher: Publisher
    history: History
    refusals: Refusals
    traffic: Traffic

    def status(self) -> Json:
        """`/api/status`."""
        publisher, times = self.publisher, self.publisher.times
        in_force, origin = publisher.in_force, publisher.origin
        return {
            "file": str(self.file),
            "version": in_force.version if in_force else None,
            "since": _iso(times.since),
            "origin": origin.value if origin else None,
            "attempted": _iso(times.attempted),
            "taken": _iso(times.taken),
            "problems": [problem_row(each) for each in publisher.problems],
            "pin": self._pin(),
            "history": {
                "entries": len(self.history.entries),
                "trouble": list(self.history.trouble),
            },
            "clients": [self._client(each) for each in self.clients.states()],
            "refusals": [_refusal(each) for each in self.refusals.recent],
        }

    def listing(self) -> Json:
        """`/api/history`."""
        current = self._current()
        return {
            "pin": self._pin(),
            "trouble": list(self.history.trouble),
            "entries": [_entry(each, each is current) for each in self.history.entries],
        }

    def figures(
        self,
        restarts: Mapping[str, int],
        verdicts: Verdicts = NO_VERDICTS,
        state_dir: Path | None = None,
    ) -> Figures:
        """For `/metrics`. `state_dir`: where workers write down how agents are."""
        in_force, times = self.publisher.in_force, self.publisher.times
        return Figures(
            version=in_force.version if in_force else None,
            attempted_seconds=times.attempted.timestamp() if times.attempted else None,
            taken_seconds=times.taken.timestamp() if times.taken else None,
            problems=len(self.publisher.problems),
            is_pinned=self.history.pin is not None,
            remembered=len(self.history.entries),
            history_troubles=len(self.history.trouble),
            clients=tuple(_connected(each) for each in self.clients.states()),
            nacks=self.refusals.counts,
            traffic=self.traffic,
            restarts=restarts,
            verdicts={each: n for each, n in verdicts.items() if each[0] not in _APART},
            store_failures=store_failures(verdicts),
            agent_events=agent_events(verdicts),
            agent_health=self._agent_health(state_dir),
        )

    def _agent_health(self, state_dir: Path | None) -> Mapping[tuple[str, str], bool]:
        in_force = self.publisher.in_force
        if in_force is None or state_dir is None:
            return {}
        return agent_health(state_dir, in_force.gateway.a2a.places)

    def pin_text(self, pin: Pin) -> str:
        """For people."""
        entry = pin.entry
        return (
            f"pinned to configuration {entry.version} (number {entry.number}, {entry.time}); "
            f"{self.file} differs and is not in force until `dragoman rollback --release`"
        )

    def _pin(self) -> Json | None:
        pin = self.history.pin
        if pin is None:
            return None
        entry = pin.entry
        return {
            "version": entry.version,
            "number": entry.number,
            "time": entry.time,
            "text": self.pin_text(pin),
        }

    def _current(self) -> Entry | None:
        """The entry of what is in force: the latest of its version."""
        in_force = self.publisher.in_force
        return self.history.find(in_force.version) if in_force else None

    def _client(self, client: ClientState) -> Json:
        wanted, audience = self.publisher.wanted, client.audience
        return {
            "kind": client.kind.value,
            "client": client_name(client.kind, client.node),
            "node": node_name(client.node.id),
            "user_agent": node_name(f"{client.node.user_agent} {client.node.version_text}".strip()),
            "peer": client.principal.peer,
            "variant": client.variant.value,
            "group": audience.group if audience else "",
            "level": audience.level.value if audience else client.node.level().value,
            "may_have_secrets": audience.may_have_secrets if audience else False,
            "version": wanted.version if wanted and client.is_current else None,
            "is_current": client.is_current,
            "types": [
                {
                    "type": short_type(each.type_url),
                    "acked_version": each.acked_version,
                    "is_current": each.is_current,
                    "rejection": told(each.rejection),
                    "rejected": self._rejected(client, each.type_url) if each.rejection else [],
                }
                for each in client.types
            ],
        }

    def _rejected(self, client: ClientState, type_url: str) -> list[str]:
        whose = (client.kind, node_name(client.node.id), short(type_url))
        known = (
            each.names
            for each in self.refusals.recent
            if (each.kind, each.node, each.type) == whose
        )
        return list(next(known, ()))


def problem_row(problem: Problem) -> Json:
    """One problem, whole and in its parts."""
    return {
        "text": str(problem),
        "file": problem.file,
        "line": problem.line,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    }


def _entry(entry: Entry, is_in_force: bool) -> Json:
    return {
        "number": entry.number,
        "version": entry.version,
        "time": entry.time,
        "origin": entry.origin.value,
        "is_in_force": is_in_force,
        "root": entry.sources.root,
        "files": list(entry.sources.texts),
        "referenced": [
            {"path": path, "digest": digest} for path, digest in entry.sources.referenced.items()
        ],
    }


def _refusal(refusal: Refusal) -> Json:
    return {
        "time": _iso(refusal.time),
        "kind": refusal.kind.value,
        "client": refusal.client,
        "node": refusal.node,
        "type": refusal.type,
        "names": list(refusal.names),
        "reason": refusal.reason,
    }


def _connected(client: ClientState) -> Connected:
    audience = client.audience
    return Connected(
        client.kind.value,
        client.variant.value,
        audience.group if audience else "",
        audience.level.value if audience else client.node.level().value,
        client.is_current,
    )


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
