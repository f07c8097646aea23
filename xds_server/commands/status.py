"""`dragoman status`: what is in force, who has it, and what is wrong."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from xds_server.commands.asking import ADMIN, Answer, Asking, Unanswered, rows, table, texts
from xds_server.commands.command import JSON, Command, Environment, refuses

_NOTHING = "-"


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the status; 0 although something is wrong, 1 when it cannot be asked for."""
    try:
        status = Asking(arguments.admin).get("/api/status")
    except Unanswered as error:
        refuses([str(error)])
        return 1
    print(json.dumps(status, indent=2) if arguments.json else "\n".join(lines(status)))
    return 0


def lines(status: Answer) -> Iterator[str]:
    """The status for people."""
    yield _in_force(status)
    pin = status.get("pin")
    if isinstance(pin, dict):
        yield f"{pin.get('text')}"
    lacks = "; ".join(texts(status.get("missing")))
    yield f"not ready: {lacks}" if lacks else "ready"
    for problem in rows(status.get("problems")):
        yield f"problem: {problem.get('text')}"
    history = status.get("history")
    for line in texts(history.get("trouble") if isinstance(history, dict) else None):
        yield f"history: {line}"
    yield from _clients(rows(status.get("clients")))
    yield from _tokens(rows(status.get("tokens")))
    yield from _documents(rows(status.get("documents")))
    yield from _refusals(rows(status.get("refusals")))
    yield from _audits(rows(status.get("audits")))
    yield from _processes(rows(status.get("processes")))


def _in_force(status: Answer) -> str:
    if status.get("version") is None:
        return f"no configuration is in force; {status.get('file')} was read at {_at(status)}"
    return (
        f"configuration {status['version']} is in force since {status.get('since')} "
        f"({status.get('origin')}); {status.get('file')} was read at {_at(status)}"
    )


def _at(status: Answer) -> object:
    return status.get("attempted") or "no time"


def _clients(clients: list[Answer]) -> Iterator[str]:
    heads = ("CLIENT", "NODE", "PROGRAM", "GROUP", "LEVEL", "VARIANT", "VERSION", "STATE")
    keys = ("client", "node", "user_agent", "group", "level", "variant", "version")
    if not clients:
        yield "no client is connected"
        return
    yield ""
    shown = [(*(str(each.get(key) or _NOTHING) for key in keys), _state(each)) for each in clients]
    yield from table(heads, shown)
    for each in clients:
        for kind in rows(each.get("types")):
            if kind.get("rejection"):
                names = _names(kind.get("rejected"))
                yield f"{each['client']} {each['node']} refuses {kind['type']}{names}: " + str(
                    kind["rejection"]
                )


def _state(client: Answer) -> str:
    if any(kind.get("rejection") for kind in rows(client.get("types"))):
        return "refuses"
    return "current" if client.get("is_current") else "behind"


def _names(value: object) -> str:
    named = ", ".join(texts(value))
    return f" {named}" if named else ""


def _tokens(tokens: list[Answer]) -> Iterator[str]:
    """Those that could not be renewed; the others are nobody's concern."""
    for each in tokens:
        if each.get("problem"):
            left = "the last one still serves" if each.get("has_token") else "requests are refused"
            names = ", ".join(texts(each.get("providers")))
            yield f"no new token for {names}: {each['problem']}; {left}"


def _documents(documents: list[Answer]) -> Iterator[str]:
    """Those that cannot be fetched; without any of one, it is a problem of the file, too."""
    for each in documents:
        if each.get("problem"):
            fetched = each.get("fetched")
            used = f"the one of {fetched} is used" if fetched else "there is none"
            yield f"no new document from {each.get('url')}: {each['problem']}; {used}"


def _refusals(refusals: list[Answer]) -> Iterator[str]:
    if refusals:
        yield ""
        yield "the last refusals:"
    for each in refusals:
        yield (
            f"{each.get('time')} {each.get('client')} {each.get('node')} "
            f"{each.get('type')}{_names(each.get('names'))}: {each.get('reason')}"
        )


def _audits(audits: list[Answer]) -> Iterator[str]:
    """What was tried out, and what it would have done."""
    if not audits:
        return
    yield ""
    heads = ("AUDITED", "NAME", "PASS", "DENY", "ERROR", "ALLOW")
    shown = []
    for each in audits:
        found = each.get("verdicts")
        counts: dict[object, object] = found if isinstance(found, dict) else {}
        numbers = (str(counts.get(head.lower(), 0)) for head in heads[2:])
        shown.append((str(each.get("kind")), str(each.get("name")), *numbers))
    yield from table(heads, shown)


def _processes(processes: list[Answer]) -> Iterator[str]:
    if processes:
        yield ""
        heads = ("PROCESS", "PID", "RESTARTS")
        keys = ("name", "pid", "restarts")
        yield from table(
            heads,
            [tuple(str(_NOTHING if each.get(key) is None else each[key]) for key in keys)
             for each in processes],
        )  # fmt: skip


COMMAND = Command(
    "status",
    "say which configuration is in force, who has it, and what is wrong",
    run,
    flags=(ADMIN,),
    switches=(JSON,),
    details=(
        "Asks the admin API of a running `dragoman run` or `dragoman xds`. The exit status is 0 "
        "although something is wrong, and 1 when there is nobody to ask. See "
        "[operations](../operations.md)."
    ),
)
