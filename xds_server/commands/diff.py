"""`dragoman diff`: what a change does to Envoy and the workers, before it is made."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from gateway.config.published import for_workers, published
from gateway.model import Endpoint
from xds_server import flags
from xds_server.audience import Level
from xds_server.commands.asking import Asking, Unanswered
from xds_server.commands.command import JSON, Argument, Command, Environment, refuses
from xds_server.commands.looking import ENVOY, Subject, Unusable, compiled, subject
from xds_server.difference import (
    Difference,
    Judged,
    State,
    UnreadableState,
    difference,
    fields_together,
    state,
    state_from_json,
    to_document,
    together,
    topology_of,
    with_groups,
)
from xds_server.field_changes import Element, FieldChange, Kind, Step, path
from xds_server.offers import for_group
from xds_server.redaction import Hide, plainly, traceably
from xds_server.release import version_of, workers_version
from xds_server.resources.llm_route import is_llm
from xds_server.resources.topology import Topology
from xds_server.snapshot import ENVOY_TYPE

RUNNING = "running"
SAME, DIFFERENT, TROUBLE = 0, 1, 2
_LONGEST_VALUE = 100
_SIGNS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~", Kind.MOVED: ">"}
_BARE = re.compile(r"[\w.,:/*@%+\[\]-]+( [A-Za-z]+)?")

OLD = Argument("old", "OLD", f"a file or folder, or `{RUNNING}`: what is in force")
NEW = Argument("new", "NEW", f"a file or folder, or `{RUNNING}`")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print what differs; 0: nothing, 1: something, 2: they cannot be compared."""
    try:
        old, new = _states(arguments, environment)
    except Unusable as trouble:
        refuses(trouble.lines)
        return TROUBLE
    found = difference(old, new)
    if arguments.json:
        print(json.dumps(to_document(found, arguments.drain_seconds), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in text(found, arguments.drain_seconds)))
    return SAME if found.is_empty else DIFFERENT


COMMAND = Command(
    "diff",
    "show what a change of the configuration does, and whether it cuts anything",
    run,
    (OLD, NEW),
    (flags.ADMIN, flags.DRAIN_SECONDS, ENVOY, flags.PORT, flags.EXTPROC),
    (JSON,),
    details=(
        "Changes nothing. Described in [diff.md](../diff.md). Exit status: 0 when nothing differs, "
        "1 when something does, 2 when they cannot be compared."
    ),
)


def _states(arguments: argparse.Namespace, environment: Environment) -> tuple[State, State]:
    """Both sides; a file beside what runs is compiled for the same workers."""
    sides = (str(arguments.old), str(arguments.new))
    subjects = {
        side: subject(Path(side), arguments, environment) for side in sides if side != RUNNING
    }
    if RUNNING not in sides:
        topology = Topology(arguments.extproc)
        level: Level = arguments.envoy
        states = {side: _whole(found, topology, level) for side, found in subjects.items()}
        return states[sides[0]], states[sides[1]]
    named = [found.gateway.admin for found in subjects.values()]
    running = _running(arguments.admin or next(iter(named), Endpoint("127.0.0.1", 15000)))
    topology = topology_of(running)
    told = {side: _told(found, topology, Level.V1_40) for side, found in subjects.items()}
    told[RUNNING] = running
    return told[sides[0]], told[sides[1]]


def _told(found: Subject, topology: Topology, level: Level, hide: Hide = plainly) -> State:
    """What an admin API would tell of it, if it ran."""
    told = for_workers(found.config)
    snapshot = compiled(found.gateway, topology, level)
    version = version_of(told, found.gateway, snapshot)
    return state(version, workers_version(told), published(found.config), snapshot, hide)


def _whole(found: Subject, topology: Topology, level: Level) -> State:
    """Also what an admin API does not tell: digests, node groups and clients."""
    gateway = found.gateway
    groups = {
        group.name: compiled(for_group(gateway, group), topology, level)
        for group in gateway.xds.groups
    }
    return with_groups(_told(found, topology, level, traceably), groups, gateway.xds)


def _running(where: Endpoint) -> State:
    try:
        return state_from_json(Asking(where).get("/api/resources"))
    except Unanswered as error:
        raise Unusable(str(error)) from error
    except UnreadableState as error:
        raise Unusable(f"{where.host}:{where.port}/api/resources: {error}") from error


def text(found: Difference, drain_seconds: int) -> Iterator[str]:
    """The difference for people, line by line; the verdict first."""
    if found.is_empty:
        yield "no difference"
        return
    yield from _verdict(found, drain_seconds)
    if found.policies:
        yield ""
        yield "configuration"
        for effect, changes in groupby(found.policies, key=lambda each: each.effect):
            for each in changes:
                yield f"  {_field(each.change, each.change.path)}"
            yield f"      {effect}"
    if found.resources:
        yield ""
        yield "Envoy"
        for alike in together(found.resources):
            yield from _resources(alike)


def _verdict(found: Difference, drain_seconds: int) -> Iterator[str]:
    if not found.drains:
        yield "cuts nothing"
        return
    for drain in found.drains:
        yield f"drains {drain.listener}: {drain.connections}, since {drain.why}"
    yield (
        f"what runs on them goes on for at most {drain_seconds} s (--drain-seconds), and is then "
        "cut"
    )


def _resources(alike: Sequence[Judged]) -> Iterator[str]:
    """Those that change alike; what is shown is the first's."""
    judged = alike[0]
    change = judged.change
    kind = change.type_url.removeprefix(ENVOY_TYPE).rpartition(".")[2]
    yield f"  {_SIGNS[change.kind]} {kind} {', '.join(each.change.name for each in alike)}"
    for (sign, is_of_llm), fields in groupby(change.fields, key=_is_of_llm):
        if is_of_llm:
            names = ", ".join(_label(each.steps[-1]) for each in fields)
            yield f"      {sign} routes of the LLM API: {names}"
            continue
        for found in fields_together(tuple(fields)):
            yield f"      {_field(found[0], _path(found))}"
    for note in judged.effect.notes:
        yield f"      {note}"
    if judged.effect.drain is not None:
        yield f"      drains {judged.effect.drain.connections}"


def _is_of_llm(change: FieldChange) -> tuple[str, bool]:
    """Whether a whole route of the LLM API came or went: there are a dozen of them."""
    is_whole = change.kind in (Kind.ADDED, Kind.REMOVED) and bool(change.steps)
    is_of_llm = is_whole and is_llm(_label(change.steps[-1]))
    return (_SIGNS[change.kind] if is_of_llm else "", is_of_llm)


def _label(step: Step) -> str:
    return step.label.removeprefix("name=") if isinstance(step, Element) else ""


def _path(alike: Sequence[FieldChange]) -> str:
    """`routes[name=docs, api].timeout`."""
    steps: list[Step] = []
    for several in zip(*(each.steps for each in alike), strict=True):
        first = several[0]
        if isinstance(first, Element):
            others = [each for each in dict.fromkeys(map(_label, several)) if each != _label(first)]
            first = replace(first, label=", ".join((first.label, *others)))
        steps.append(first)
    return path(tuple(steps))


def _field(change: FieldChange, where: str) -> str:
    start = f"{_SIGNS[change.kind]} {where}".rstrip()
    place = f" ({change.place})" if change.place else ""
    match change.kind:
        case Kind.ADDED:
            return f"{start}: {shown(change.new)}{place}"
        case Kind.REMOVED:
            return f"{start}: {shown(change.old)}"
        case Kind.MOVED:
            return f"{start}: moved{place}"
    return f"{start}: {shown(change.old)} -> {shown(change.new)}"


def shown(value: object) -> str:
    """A value on one line, cut where it is long."""
    if isinstance(value, str) and _BARE.fullmatch(value):
        whole = value
    else:
        whole = json.dumps(value, ensure_ascii=False)
    if len(whole) <= _LONGEST_VALUE:
        return whole
    return f"{whole[:_LONGEST_VALUE]}… ({len(whole)} characters)"
