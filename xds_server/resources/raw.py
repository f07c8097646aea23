"""Resources that operators wrote: JSON in, checked against Envoy's API, a `Resource` out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import envoy_api
from google.protobuf.json_format import ParseError

from gateway import names
from gateway.config.finding import Path, Place, dotted
from gateway.config.schema import Config
from gateway.model import RawResource
from gateway.problem import Problem, did_you_mean
from gateway.resolve import resolve, resolve_xds
from xds_server.audience import Level
from xds_server.resources.extension import resource
from xds_server.resources.features import FEATURES
from xds_server.resources.filters import added, parts_of
from xds_server.snapshot import LISTENER, SECRET, TYPES, Resource, resource_of

_FIELD = re.compile(r"Failed to parse (\w+) field: ")
_AT = re.compile(r'\s+at "?\w+((?:\.\w+|\[[^\]]*\])*)"?\.*$')
_STEP = re.compile(r"\.(\w+)|\[([^\]]*)\]")
_UNKNOWN = re.compile(r'Message type "[\w.]+" has no field named "(.*?)"')
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a resource, and where in it."""

    path: Path
    message: str
    hint: str = ""


class BrokenResource(ValueError):
    """A resource that Envoy's API does not know."""

    def __init__(self, raw: RawResource, mistake: Mistake) -> None:
        super().__init__(f"{raw.path}: {mistake.message}")
        self.mistake = mistake


def raw_resource(raw: RawResource) -> Resource:
    """The resource that was written. Raises `BrokenResource`; see `raw_problems`."""
    fields = json.loads(raw.json)
    try:
        made = resource(raw.type_url, raw.name, fields)
    except ParseError as error:
        raise BrokenResource(raw, _parsed(raw, str(error))) from None
    except envoy_api.UnknownMessage as error:
        raise BrokenResource(raw, _unknown_type(str(error.args[0]))) from None
    return resource_of(made.name, made.type_url, made.body, made.needs, raw.ttl_seconds)


def raw_problems(config: Config) -> tuple[Problem, ...]:
    """Everything that is wrong with the resources of all groups: asked before anything compiles."""
    xds = resolve_xds(config)
    every = (*xds.resources, *(each for group in xds.groups for each in group.resources))
    return (*_problems(every, config.source.place), *_of_tables(every, config))


def _problems(
    resources: tuple[RawResource, ...], place: Callable[[Path], Place]
) -> Iterator[Problem]:
    for raw in resources:
        try:
            raw_resource(raw)
        except BrokenResource as broken:
            mistake = broken.mistake
            where = place((*raw.at, *mistake.path))
            yield Problem(dotted(where.path), mistake.message, where.line, where.file, mistake.hint)


def _of_tables(resources: tuple[RawResource, ...], config: Config) -> Iterator[Problem]:
    """Listeners that ask for the routes of a gateway by a name that these do not have."""
    asked = [
        ((*raw.at, *path), table)
        for raw in resources
        if raw.type_url == LISTENER and names.route_table("") in raw.json
        for path, table in _tables_asked(json.loads(raw.json))
    ]
    if not asked:
        return
    gateway, features = resolve(config), FEATURES[Level.V1_40]
    filters = added(features, parts_of(gateway, features))
    called = {
        names.route_table(each.name): names.route_table(each.name, filters)
        for each in gateway.listeners
    }
    for path, table in asked:
        there = called.get(table.partition("#")[0])
        if there is not None and there != table:
            where = config.source.place(path)
            message = f"there are no routes {table!r}: their name follows from the filters"
            hint = f"here they are called {there!r}"
            yield Problem(dotted(where.path), message, where.line, where.file, hint)


def _tables_asked(value: Any, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Where in a resource's JSON a table is named, and how."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("route_config_name", "routeConfigName") and isinstance(inner, str):
                yield (*at, key), inner
            yield from _tables_asked(inner, (*at, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _tables_asked(inner, (*at, place))


def _parsed(raw: RawResource, text: str) -> Mistake:
    """What protobuf says, taken apart: it names the fields on the way, and where it ended."""
    said, _, available = text.partition("Available Fields")
    message = said.strip()
    way: list[str | int] = []
    while (step := _FIELD.match(message)) is not None:
        way.append(step[1])
        message = message[step.end() :]
    if (end := _AT.search(message)) is not None:
        ended = [_key(name, position) for name, position in _STEP.findall(end[1])]
        way = max(ended, way, key=len)
        message = message[: end.start()]
    if (unknown := _UNKNOWN.match(message)) is not None:
        known = [_CAPITAL.sub(r"_\1", name).lower() for name in re.findall(r"'(\w+)'", available)]
        hint = did_you_mean(unknown[1], known)
        return Mistake((*way, unknown[1]), f"unknown key '{unknown[1]}'", hint)
    if message.startswith("repeated field"):
        return Mistake(tuple(way), "must be a list")
    if raw.type_url == SECRET:
        return Mistake(tuple(way), "is not what Envoy's API has here")  # values may be secret
    return Mistake(tuple(way), message.rstrip(". ") or "is not what Envoy's API has here")


def _key(name: str, position: str) -> str | int:
    return name or (int(position) if position.isdigit() else position)


def _unknown_type(name: str) -> Mistake:
    known = [each.rpartition("/")[2] for each in TYPES]
    return Mistake(("@type",), f"Envoy's API has no message '{name}'", did_you_mean(name, known))
