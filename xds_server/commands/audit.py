"""`dragoman audit …`: the audit log, read from its files; nothing has to run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway.audit_log.chain import Link
from gateway.audit_log.reading import Verified, records, verify
from gateway.audit_log.sealing import SHORTEST_KEY, SealingKey, by_id, key_of
from xds_server import flags
from xds_server.commands.asking import table
from xds_server.commands.command import JSON, Argument, Command, Environment, refuses

FOLDER = Argument("folder", "FOLDER", "where the log is (default: audit/ in --state-dir)", "?")
_SHOWN = 16
"""Characters of a digest, for people."""


def _time(text: str) -> str:
    """As it stands in records."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a time such as 2026-11-26T04:00Z: {text}") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _secrets(text: str) -> tuple[SealingKey, ...]:
    """From files, with commas between."""
    found: list[SealingKey] = []
    for name in filter(None, map(str.strip, text.split(","))):
        try:
            key = key_of(Path(name).read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise argparse.ArgumentTypeError(f"cannot be read: {error}") from None
        if key is None:
            raise argparse.ArgumentTypeError(f"{name}: has fewer than {SHORTEST_KEY} characters")
        found.append(key)
    return tuple(found)


HEADS = flags.Flag(
    "--heads",
    "",
    Path,
    "FILE",
    "what `dragoman audit verify --json` has printed before: those records must still be there",
)
SECRETS = flags.Flag(
    "--secret-files",
    "DRAGOMAN_AUDIT_SECRET_FILES",
    _secrets,
    "FILE,…",
    "what records are sealed with, and were before: then each must have its seal",
)
SINCE = flags.Flag("--since", "", _time, "TIME", "from this time on: 2026-11-26T04:00Z")
UNTIL = flags.Flag("--until", "", _time, "TIME", "before this time")


class _Chain(msgspec.Struct):
    writer: str
    seq: int
    sha256: str


class _Heads(msgspec.Struct):
    chains: list[_Chain]


class _Timed(msgspec.Struct):
    time: str = ""


def run_verify(arguments: argparse.Namespace, environment: Environment) -> int:
    """Say of every chain whether it is as it was written; 1 where one is not."""
    folder = _folder(arguments)
    try:
        found = verify(folder, _heads(arguments.heads), _keys(arguments))
    except (OSError, msgspec.DecodeError) as error:
        refuses([f"cannot be read: {error}"])
        return 1
    if not found:
        refuses([f"there is no audit log in '{folder}'"])
        return 1
    is_intact = not any(each.flaws for each in found)
    if arguments.json:
        rows = list(map(_row, found))
        print(json.dumps({"is_intact": is_intact, "chains": rows}, indent=2))
    else:
        print(*_lines(found, are_sealed=bool(arguments.secret_files)), sep="\n")
    return 0 if is_intact else 1


def run_export(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the records of all chains by their times; 1 where a chain is not as it was written."""
    folder = _folder(arguments)
    since, until = arguments.since or "", arguments.until or "~"
    try:
        found = verify(folder, keys=_keys(arguments))
        flaws = [str(flaw) for each in found for flaw in each.flaws]
        for line in records(folder):
            if since <= msgspec.json.decode(line, type=_Timed).time < until:
                print(line.decode())
    except OSError as error:
        refuses([f"cannot be read: {error}"])
        return 1
    return 1 if refuses(flaws) else 0


def _folder(arguments: argparse.Namespace) -> Path:
    typed: str | None = arguments.folder
    state_dir: Path = arguments.state_dir
    return state_dir / "audit" if typed is None else Path(typed)


def _keys(arguments: argparse.Namespace) -> Mapping[str, SealingKey]:
    return by_id(arguments.secret_files or ())


def _heads(path: Path | None) -> Mapping[str, Link]:
    if path is None:
        return {}
    heads = msgspec.json.decode(path.read_bytes(), type=_Heads)
    return {each.writer: Link(each.seq, each.sha256) for each in heads.chains}


def _row(chain: Verified) -> Mapping[str, object]:
    return {
        "writer": chain.writer,
        "records": chain.count,
        "first": chain.first,
        "seq": chain.last.seq,
        "sha256": chain.last.digest,
        "sealed": chain.sealed,
        "flaws": [str(flaw) for flaw in chain.flaws],
    }


def _lines(found: Sequence[Verified], *, are_sealed: bool) -> Iterator[str]:
    """`are_sealed`: seals were looked at."""
    heads = ("WRITER", "RECORDS", "FROM", "TO", "SHA-256", "SEALED", "")
    yield from table(
        heads,
        [
            (
                each.writer,
                str(each.count),
                str(each.first),
                str(each.last.seq),
                each.last.digest[:_SHOWN],
                f"{each.sealed}" if are_sealed or not each.sealed else f"{each.sealed}?",
                "broken" if each.flaws else "intact",
            )
            for each in found
        ],
    )
    for each in found:
        yield from map(str, each.flaws)
    if not are_sealed and any(each.sealed for each in found):
        yield "seals were not looked at: --secret-files"


COMMANDS = (
    Command(
        "audit verify",
        "say whether the audit log is as it was written",
        run_verify,
        arguments=(FOLDER,),
        switches=(JSON,),
        flags=(flags.STATE_DIR, HEADS, SECRETS),
        details=(
            "Reads the [files](../audit.md#what-verify-finds) of all writers. The exit status is 0 "
            "when all chains are intact, and 1 when one is not, or there is none. Keep what "
            "`--json` prints elsewhere, and show it with `--heads` the next time: then a log that "
            "was written anew from its beginning is found, too. With `--secret-files`, so is "
            "whatever was not written by who has the secret."
        ),
    ),
    Command(
        "audit export",
        "print the audit log as lines of JSON, by time",
        run_export,
        arguments=(FOLDER,),
        flags=(flags.STATE_DIR, SECRETS, SINCE, UNTIL),
        details=(
            "What is not as it was written is told on standard error, and the exit status is 1 "
            "then."
        ),
    ),
)
