"""`dragoman history`: which configurations can be gone back to, and what they were."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from xds_server import flags
from xds_server.commands.asking import ADMIN, Answer, Asking, Unanswered, rows, table, texts
from xds_server.commands.command import JSON, Argument, Command, Environment, Switch, refuses
from xds_server.history import Entry, History

VERSION = Argument("version", "VERSION", "one configuration, by version or number", count="?")
TEXTS = Switch(
    "--texts",
    "print the YAML of VERSION as it was written, with the secrets in it; reads --state-dir, "
    "which its owner alone may",
)


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the list, one entry of it, or its texts."""
    if arguments.texts:
        return _print_texts(arguments)
    try:
        history = Asking(arguments.admin).get("/api/history")
    except Unanswered as error:
        refuses([str(error)])
        return 1
    if arguments.version is not None:
        found = found_in(history, arguments.version)
        if found is None:
            refuses([f"no configuration {arguments.version!r} in the history"])
            return 1
        print(json.dumps(found, indent=2) if arguments.json else "\n".join(described(found)))
        return 0
    print(json.dumps(history, indent=2) if arguments.json else "\n".join(lines(history)))
    return 0


def found_in(history: Answer, wanted: str) -> Answer | None:
    """As the control plane finds it."""
    entries = rows(history.get("entries"))
    by_version = (each for each in entries if each.get("version") == wanted)
    by_number = (each for each in entries if str(each.get("number")) == wanted)
    return next(by_version, None) or next(by_number, None)


def lines(history: Answer) -> Iterator[str]:
    """The list for people, the latest first."""
    pin = history.get("pin")
    if isinstance(pin, dict):
        yield f"{pin.get('text')}"
    for line in texts(history.get("trouble")):
        yield f"history: {line}"
    entries = rows(history.get("entries"))
    if not entries:
        yield "no configuration was taken yet"
        return
    heads = ("NUMBER", "VERSION", "TIME", "ORIGIN", "FILES", "")
    shown = [
        (
            str(each.get("number")),
            str(each.get("version")),
            str(each.get("time")),
            str(each.get("origin")),
            str(len(texts(each.get("files")))),
            "in force" if each.get("is_in_force") else "",
        )
        for each in entries
    ]
    yield from table(heads, shown)


def described(entry: Answer) -> Iterator[str]:
    """One entry for people."""
    in_force = ", in force" if entry.get("is_in_force") else ""
    yield f"{entry['version']} (number {entry.get('number')}{in_force})"
    yield f"taken at {entry.get('time')}, by {entry.get('origin')}"
    for path in texts(entry.get("files")):
        yield f"file {path}"
    for each in rows(entry.get("referenced")):
        yield f"referenced {each.get('path')} (digest {each.get('digest')})"


def _print_texts(arguments: argparse.Namespace) -> int:
    if arguments.version is None:
        refuses(["--texts needs a VERSION"])
        return 1
    state_dir: Path = arguments.state_dir
    history = History(state_dir, lambda: datetime.now(UTC))
    entry = history.find(arguments.version)
    if entry is None:
        refuses(history.trouble)
        refuses([f"no configuration {arguments.version!r} in the history of {state_dir}"])
        return 1
    by_path = dict(entry.sources.texts)
    print(json.dumps(by_path, indent=2) if arguments.json else _joined(entry))
    return 0


def _joined(entry: Entry) -> str:
    """Every text below a line that names its file, the root first."""
    ordered = sorted(entry.sources.texts.items(), key=lambda item: item[0] != entry.sources.root)
    return "\n".join(f"# {path}\n{text.rstrip()}" for path, text in ordered)


COMMAND = Command(
    "history",
    "list the configurations that were in force, for `dragoman rollback`",
    run,
    arguments=(VERSION,),
    flags=(ADMIN, flags.STATE_DIR),
    switches=(TEXTS, JSON),
    details=(
        "Asks the admin API of a running `dragoman run` or `dragoman xds`, which tells no texts: "
        "they may hold secrets. `--texts` reads them from the state directory instead. How many "
        "are kept is `xds.history`."
    ),
)
