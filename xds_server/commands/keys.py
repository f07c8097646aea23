"""`dragoman keys …`: virtual keys of a running gateway, by its admin API."""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from gateway.config.fetched import NotAsked
from gateway.config.sources import load_sources
from gateway.ledger_place import LedgerKind
from gateway.limits import Counted
from gateway.resolve import resolve
from xds_server.budgets.stores import LEDGER_FILE
from xds_server.commands.asking import Answer, Unanswered, rows, table, texts
from xds_server.commands.command import JSON, Argument, Command, Environment, Switch, refuses
from xds_server.commands.with_token import REACHING, TOKEN_VARIABLE, Request, asking, done, ok, user
from xds_server.flags import Flag
from xds_server.keys.desk import KEEP, Desk, Refused
from xds_server.keys.store import KeysUnavailable
from xds_server.keys.stores import store_at

BATCH = 500
"""Keys that are imported at once."""
NAME = Argument("name", "NAME", "what the key is called in rules, budgets and reports")
KEY = Argument("ref", "KEY", "a key, by its name or id")
WHOSE = Argument("ref", "KEY", "of one key, by its name or id", count="?")
FILE = Argument("file", "FILE", "JSON lines, as `dragoman keys export` writes them")


_COUNTED = tuple(each.value for each in Counted)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _tags(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in _list(text)]
    if any(not (name and equals and value) for name, equals, value in pairs):
        raise argparse.ArgumentTypeError(f"not NAME=VALUE,…: {text}")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _budgets(text: str) -> list[dict[str, object]]:
    return [_budget(part, text) for part in _list(text)]


def _budget(part: str, text: str) -> dict[str, object]:
    """`5 USD/day`, `5 USD/rolling 24h soft 80% 100%`."""
    limit, _, rest = part.rpartition("/")
    words = rest.split()
    told = [word for word in words if word == "soft" or word.endswith("%")]
    per = words[: len(words) - len(told)]
    if not limit or not per or [*per, *told] != words:
        raise argparse.ArgumentTypeError(f"not AMOUNT/PERIOD [soft] [SHARE% …],…: {text}")
    said: dict[str, object] = {"limit": limit.strip(), "per": " ".join(per)}
    if "soft" in told:
        said["mode"] = "soft"
    alerts = [{"at": word} for word in told if word != "soft"]
    return said | ({"alerts": alerts} if alerts else {})


def _limits(text: str) -> list[dict[str, str]]:
    pairs = [part.partition("=") for part in _list(text)]
    if any(counted not in _COUNTED or not rate for counted, _, rate in pairs):
        shown = ", ".join(f"{each}=RATE" for each in _COUNTED)
        raise argparse.ArgumentTypeError(f"not some of {shown}: {text}")
    return [{counted: rate.strip()} for counted, _, rate in pairs]


def _flag(name: str, kind: Callable[[str], object], metavar: str, meaning: str) -> Flag:
    return Flag(name, "", kind, metavar, meaning)


TERMS = (
    _flag("--user", str, "NAME", "whose key it is"),
    _flag("--team", str, "NAME", "the team that pays"),
    _flag("--groups", _list, "NAME,…", "what rules see as `principal.groups`"),
    _flag("--tags", _tags, "NAME=VALUE,…", "free labels, for rules"),
    _flag("--models", _list, "MODEL,…", "the models that it opens; `*` stands for anything"),
    _flag("--tools", _list, "GLOB,…", "the tools of MCP servers that it opens: `github__*`"),
    _flag(
        "--budgets",
        _budgets,
        "AMOUNT/PERIOD,…",
        "its own budgets: `5 USD/day,1M tokens/month`; one with `soft` behind it refuses nobody, "
        "and of shares behind it, the webhook of alerts is told",
    ),
    _flag(
        "--limits",
        _limits,
        "COUNTED=RATE,…",
        "its own limits: `requests=60/min,tokens=100k/min,concurrent=5`",
    ),
    _flag("--expires", str, "TIME", "when it stops working: 2027-01-31T00:00Z, or from now: 90d"),
)
RENAME = _flag("--name", str, "NAME", "another name")
TEAM = _flag("--team", str, "NAME", "only of this team")
USER = _flag("--user", str, "NAME", "only of this user")
WITHIN = Flag(
    "--keep", "", str, "TIME", f"how long the key before works on (default: {KEEP})", KEEP
)
INTO = Flag(
    "--into",
    "",
    Path,
    "CONFIG",
    "straight into the ledger, on a server, that this configuration names, before it is in force",
)
ENABLE = Switch("--enable", "let it work again")
DISABLE = Switch("--disable", "refuse it until it is enabled again")


def create(arguments: argparse.Namespace, environment: Environment) -> int:
    """Make a key; print it, and nothing else, unless JSON is asked for."""
    body = {"name": arguments.name, **_terms(arguments)}

    def shown(answer: Answer) -> Iterator[str]:
        yield str(answer["key"])

    return done(arguments, environment, ("POST", "/api/keys", body), shown)


def change(arguments: argparse.Namespace, environment: Environment) -> int:
    """Change what was said of a key; an empty text takes it away."""
    if arguments.enable and arguments.disable:
        refuses(["either --enable or --disable"])
        return 1
    body = {name: value or None for name, value in _terms(arguments).items()}
    if arguments.name is not None:
        body["name"] = arguments.name
    if arguments.enable or arguments.disable:
        body["enabled"] = arguments.enable
    return done(arguments, environment, ("PATCH", _path(arguments.ref), body), described)


def rotate(arguments: argparse.Namespace, environment: Environment) -> int:
    """Give a key another text; print it."""

    def shown(answer: Answer) -> Iterator[str]:
        yield str(answer["key"])

    asked = ("POST", f"{_path(arguments.ref)}/rotate", {"keep": arguments.keep})
    return done(arguments, environment, asked, shown)


def revoke(arguments: argparse.Namespace, environment: Environment) -> int:
    """Refuse a key from now on, for good."""
    asked: Request = ("POST", f"{_path(arguments.ref)}/revoke", {})
    return done(arguments, environment, asked, lambda answer: [f"revoked: {answer['name']}"])


def delete(arguments: argparse.Namespace, environment: Environment) -> int:
    """Forget a key."""
    asked: Request = ("DELETE", _path(arguments.ref), {})
    return done(arguments, environment, asked, lambda answer: [f"deleted: {answer['name']}"])


def show(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print one key."""
    return done(arguments, environment, ("GET", _path(arguments.ref), None), described)


def list_(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print every key, page after page."""
    asked = {"team": arguments.team, "user": arguments.user}
    holder = {name: value for name, value in asked.items() if value}
    found: list[Answer] = []
    try:
        admin, after = asking(arguments, environment), ""
        while True:
            page = admin.ask("GET", f"/api/keys?{urlencode({**holder, 'after': after})}")
            found += rows(ok(page).get("keys"))
            after = str(page[1].get("next") or "")
            if not after:
                break
    except Unanswered as error:
        refuses([str(error)])
        return 1
    print(json.dumps(found, indent=2) if arguments.json else "\n".join(_list_lines(found)))
    return 0


def log(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the latest changes, the newest first."""
    query = urlencode({"key": arguments.ref or ""})

    def shown(answer: Answer) -> Iterable[str]:
        heads = ("TIME", "WHO", "WHAT", "KEY", "ID", "DETAILS")
        names = ("at", "who", "what", "key", "id", "details")
        entries = rows(answer.get("entries"))
        return table(heads, [tuple(str(each.get(name)) for name in names) for each in entries])

    return done(arguments, environment, ("GET", f"/api/key-log?{query}", None), shown)


def export(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print every key as a line of JSON, with hashes in the place of secrets."""
    try:
        for line in asking(arguments, environment).lines("/api/key-export"):
            if line:
                print(line)
    except Unanswered as error:
        refuses([str(error)])
        return 1
    return 0


def import_(arguments: argparse.Namespace, environment: Environment) -> int:
    """Take over exported keys, some at a time; stops at the first that cannot be."""
    taken = 0
    try:
        give = _giving(arguments, environment)
        with arguments.file.open(encoding="utf-8") as opened:
            lines = enumerate(opened, 1)
            while batch := list(islice(((at, line) for at, line in lines if line.strip()), BATCH)):
                status, answer = give([_decoded(at, line) for at, line in batch])
                if status != 200:
                    raise Unanswered(_by_line(answer, [at for at, _ in batch]))
                taken += len(batch)
    except (OSError, ValueError, Unanswered) as error:
        refuses([f"{arguments.file}: {error}", f"imported before it: {taken}"])
        return 1
    print(f"imported: {taken}")
    return 0


Give: TypeAlias = Callable[[list[object]], tuple[int, Answer]]
"""Lets somebody take over keys; a status, and what was answered."""


def _giving(arguments: argparse.Namespace, environment: Environment) -> Give:
    if arguments.into is None:
        admin = asking(arguments, environment)
        return lambda keys: admin.ask("POST", "/api/key-import", {"keys": keys})
    loaded = load_sources(arguments.into, environment, documents=NotAsked())
    if loaded.config is None:
        raise Unanswered("; ".join(map(str, loaded.problems)))
    gateway = resolve(loaded.config)
    if gateway.ledger.kind is LedgerKind.SQLITE:
        raise Unanswered(f"{arguments.into} names no ledger on a server")
    names = {key.name for key in gateway.identity.api_keys}
    store = store_at(Path(LEDGER_FILE), gateway.ledger)
    desk = Desk(store, time.time, secrets.token_bytes, lambda: names)

    def give(keys: list[object]) -> tuple[int, Answer]:
        try:
            became = desk.import_(keys, user())
        except KeysUnavailable as error:
            raise Unanswered(str(error)) from error
        if isinstance(became, Refused):
            return became.status, {"problems": [str(each) for each in became.problems]}
        return 200, became

    return give


def _decoded(at: int, line: str) -> object:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(f"line {at}: {error}") from error


def _by_line(answer: Answer, lines: list[int]) -> str:
    """What was refused, by lines of the file; `keys.3.name: …` is of the fourth that was sent."""
    told = []
    for problem in texts(answer.get("problems")) or [str(answer.get("error"))]:
        keys, _, rest = problem.partition(".")
        place, _, what = rest.partition(".")
        number, colon, bare = place.partition(":")
        if keys == "keys" and number.isdigit():
            told.append(f"line {lines[int(number)]}: {bare.strip() if colon else what}")
        else:
            told.append(problem)
    return "; ".join(told)


def described(key: Answer) -> Iterator[str]:
    """One key for people, what is said of it line by line."""
    for name, value in key.items():
        match value:
            case list():
                shown = ", ".join(map(_part, value))
            case dict():
                shown = ", ".join(f"{tag}={text}" for tag, text in value.items())
            case bool():
                continue  # the state says it
            case _:
                shown = str(value)
        yield f"{name.replace('_', ' ')}: {shown}"


def _part(said: object) -> str:
    match said:
        case {"limit": limit, "per": per, **more}:
            soft = " (soft)" if more.get("mode") == "soft" else ""
            shares = " and ".join(str(each.get("at")) for each in rows(more.get("alerts")))
            return f"{limit} per {per}{soft}" + (f", told at {shares}" if shares else "")
        case {"algorithm": algorithm, **rates}:
            return f"{_part(rates)} ({algorithm})"
        case dict():
            return ", ".join(f"{counted}={rate}" for counted, rate in said.items())
        case _:
            return str(said)


def _list_lines(keys: list[Answer]) -> list[str]:
    if not keys:
        return ["no keys"]
    names = ("name", "id", "state", "user", "team", "expires", "last_used")
    heads = tuple(name.upper().replace("_", " ") for name in names)
    return table(heads, [tuple(str(each.get(name) or "") for name in names) for each in keys])


def _terms(arguments: argparse.Namespace) -> dict[str, object]:
    """What was typed of them."""
    typed = {flag.key: getattr(arguments, flag.key) for flag in TERMS}
    return {name: value for name, value in typed.items() if value is not None}


def _path(ref: str) -> str:
    return f"/api/keys/{quote(ref, safe='')}"


COMMANDS = (
    Command(
        "keys create",
        "make a virtual key and print it; it is shown this once",
        create,
        arguments=(NAME,),
        flags=(*TERMS, *REACHING),
        switches=(JSON,),
        details=(
            "Keys are accepted where the file says `identity: {api_keys: {enabled: true}}`, by "
            "every worker, at once. All commands about keys ask the admin API of a running "
            f"gateway, with the token in its state directory, or in `{TOKEN_VARIABLE}`. See "
            "[Virtual keys](../keys.md)."
        ),
    ),
    Command(
        "keys list",
        "list the virtual keys",
        list_,
        flags=(TEAM, USER, *REACHING),
        switches=(JSON,),
    ),
    Command("keys show", "print one virtual key", show, (KEY,), REACHING, (JSON,)),
    Command(
        "keys change",
        "change what a virtual key is for or what it opens; an empty value takes one away",
        change,
        arguments=(KEY,),
        flags=(RENAME, *TERMS, *REACHING),
        switches=(ENABLE, DISABLE, JSON),
    ),
    Command(
        "keys rotate",
        "give a virtual key a new text and print it; the one before works on for a while",
        rotate,
        arguments=(KEY,),
        flags=(WITHIN, *REACHING),
        switches=(JSON,),
    ),
    Command(
        "keys revoke",
        "refuse a virtual key from now on, for good; it stays in the list",
        revoke,
        (KEY,),
        REACHING,
        (JSON,),
    ),
    Command(
        "keys delete", "forget a virtual key; its name is free", delete, (KEY,), REACHING, (JSON,)
    ),
    Command(
        "keys log",
        "print who changed virtual keys, the newest first",
        log,
        (WHOSE,),
        REACHING,
        (JSON,),
    ),
    Command(
        "keys export",
        "print every virtual key as a line of JSON, with salted hashes for secrets",
        export,
        flags=REACHING,
    ),
    Command("keys import", "take over exported virtual keys", import_, (FILE,), (INTO, *REACHING)),
)
