"""`dragoman explain`: what a configuration makes of requests, and what each policy costs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence

from gateway.config.check import warnings
from xds_server import flags
from xds_server.audience import Level
from xds_server.check import Check, Failing, Where
from xds_server.commands.command import JSON, Argument, Command, Environment, refuses
from xds_server.commands.looking import ENVOY, Unusable, compiled, subject
from xds_server.explained import (
    Cluster,
    Explanation,
    Filter,
    GatewayPart,
    ModelPart,
    RoutePart,
    Try,
    Way,
)
from xds_server.explanation import COUNTED, UNREAD, explain, to_document
from xds_server.python_messages import Message
from xds_server.resources.topology import Topology

_MOST_NAMED = 6
"""Clusters of an LLM API; models are told with theirs."""

FILE = Argument("file", "FILE", "the configuration: a file or folder")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the explanation."""
    try:
        found = subject(arguments.file, arguments, environment)
        snapshot = compiled(found.gateway, Topology(arguments.extproc), arguments.envoy)
    except Unusable as unusable:
        refuses(unusable.lines)
        return 1
    refuses(f"warning: {warning}" for warning in warnings(found.config))
    explanation = explain(found.gateway, snapshot, arguments.envoy)
    if arguments.json:
        print(json.dumps(to_document(explanation), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in text(explanation)))
    return 0


COMMAND = Command(
    "explain",
    "show what each route costs, what is checked where, and what fails open or closed",
    run,
    (FILE,),
    (ENVOY, flags.PORT, flags.EXTPROC),
    (JSON,),
    details="Changes nothing, and asks nobody. Described in [explain.md](../explain.md).",
)


def text(explanation: Explanation) -> Iterator[str]:
    """The explanation for people, line by line."""
    levels = [level.value for level in Level]
    later = levels[levels.index(explanation.envoy) + 1 :]
    before = f", before {later[0]}" if later else ""
    yield f"for Envoy {explanation.envoy} and newer{before}"
    service = explanation.service
    if service is not None:
        headers = "all headers" if service.headers == ("*",) else ", ".join(service.headers)
        yield f"Python has {service.timeout} for each answer, and sees of the headers: {headers}"
    for gateway in explanation.gateways:
        yield ""
        yield from _gateway(gateway)
    if explanation.models:
        yield ""
        yield "models"
        for model in explanation.models:
            yield from _model(model)
    if explanation.clusters:
        yield ""
        yield "clusters, and what runs there once for each try"
        yield from _columns((_cluster(each) for each in explanation.clusters), "  ")


def _gateway(gateway: GatewayPart) -> Iterator[str]:
    tls = "" if gateway.tls == "none" else f", {gateway.tls}"
    yield f"gateway {gateway.name} at {gateway.address}{tls}"
    if gateway.filters:
        yield f"  filters: {_chain(gateway.filters)}"
    if gateway.unexplained:
        yield f"  {gateway.unexplained}"
    for route in gateway.routes:
        yield ""
        yield from _route(route)


def _route(route: RoutePart) -> Iterator[str]:
    hosts = "" if route.hosts == ("*",) else f" for {', '.join(route.hosts)}"
    if route.kind == "llm":
        yield f"  the LLM API, {route.reading}{hosts}"
        yield from _columns(map(_way, route.ways), "    ")
    else:
        (way,) = route.ways
        yield f"  route {', '.join(way.names)}: {way.match}{hosts}"
    if route.kind == "answer":
        yield "    answered by Envoy itself; nothing is asked or sent on"
        return
    yield f"    messages to Python: {_count(route)}"
    yield from _columns(_message(each) for each in route.messages)
    if route.checks:
        yield "    checks, in order"
        yield from _columns(_check(each) for each in route.checks)
    yield f"    when extproc is dead or late: {route.when_extproc_fails}"
    yield f"    body: {route.body_limit}"
    yield f"    time: {'; '.join(route.timeouts)}"
    yield f"    retries: {route.retries}"
    if route.clusters:
        yield f"    goes to: {_where(route)}"
    if route.copies:
        yield f"    copies go to: {', '.join(route.copies)}, where the model says so"
    yield f"    nobody checks: {'; '.join(route.unseen)}"


def _way(way: Way) -> tuple[str, ...]:
    """The fewer of the providers are named."""
    named = ", ".join(way.names)
    if not way.translated or not way.own:
        return (way.match, named, "")
    if len(way.own) > len(way.translated):
        return (way.match, named, f"translated for {', '.join(way.translated)}")
    return (way.match, named, f"translated but for {', '.join(way.own)}")


def _where(route: RoutePart) -> str:
    if route.reading and len(route.clusters) > _MOST_NAMED:
        if route.reading in (UNREAD, COUNTED):
            return "the first of `llm.stored_at` that has it"
        return "the tries of the model that is asked for"
    return ", ".join(route.clusters)


def _count(route: RoutePart) -> str:
    if not route.messages:
        return "none"
    if route.messages_most == route.messages_least:
        return str(route.messages_least)
    if route.messages_most is None:
        return f"at least {route.messages_least}, and more where an answer comes in pieces"
    return f"{route.messages_least} to {route.messages_most}"


def _message(message: Message) -> tuple[str, ...]:
    name = f"{message.name}, piece by piece" if message.is_each_part else message.name
    return (name, message.when, message.why)


def _check(check: Check) -> tuple[str, ...]:
    where = "Envoy" if check.where is Where.ENVOY else "extproc"
    failing = f"{check.failing}: {check.failure}" if check.failure else str(check.failing)
    nobody = "refuses nobody" if check.failing is Failing.OPEN else ""
    return (where, check.name, check.refusal or nobody, failing)


def _cluster(cluster: Cluster) -> tuple[str, ...]:
    tls = " (TLS)" if cluster.is_tls else ""
    where = f"{', '.join(cluster.endpoints) or 'the endpoints of its parts'}{tls}"
    return (cluster.name, where, _chain(cluster.filters) or "no filters")


def _model(model: ModelPart) -> Iterator[str]:
    yield f"  {model.name}" + (f": {model.chosen}" if model.chosen else "")
    yield from _columns(_try(each, model) for each in model.tries)


def _try(one: Try, model: ModelPart) -> tuple[str, ...]:
    equals = {(each.provider, each.model) for each in model.tries if each.place == one.place}
    is_chosen = not model.chosen and len(equals) > 1
    weight = f", weight {one.weight}" if is_chosen else ""
    more = f"{one.messages} more messages to Python, where it is to be told something else"
    cost = more if one.messages else ""
    return (f"{one.place}. {one.provider}/{one.model}{weight}", ", ".join(one.clusters), cost)


def _chain(filters: Sequence[Filter]) -> str:
    return " → ".join(each.name for each in filters)


def _columns(rows: Iterator[tuple[str, ...]], indent: str = "      ") -> Iterator[str]:
    """Rows as a table, indented; the last column is as long as it likes."""
    whole = list(rows)
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    for row in whole:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{indent}{'  '.join(cells)}".rstrip()
