"""`dragoman import`: another gateway's configuration in our language, and what became of each key.

`Telling` is the same for `dragoman run`: it converts, and says what it found.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from gateway.config.sources import Loader
from gateway.imported import Imported
from gateway.importers import report
from gateway.importers.dialect import import_text
from gateway.importers.walk import has_variable
from gateway.problem import Problem
from xds_server import flags
from xds_server.commands.command import Argument, Command, Environment, Switch, refuses

FAILED = 1
NOT_WHOLE = 3
_NOT_OURS = re.compile(r"the environment variable .* is not set|'.*' cannot be read: .*")
"""What the loader says of variables and files that are not here: no fault of what was made."""

_DETAILS = """
The YAML goes to standard output, the findings to standard error, security first, and a warning for
each variable and file that the YAML needs and that is not here. Each key of the
file is `exact`, `different` (the note names the difference) or `unsupported` (the note says why).
With `--json`, one document goes to standard output: `file`, `dialect`, `counts`, `security`,
`findings` and `yaml`. What maps to what: [import](../import.md).

| exit status | means |
|---|---|
| 0 | everything was taken over, exactly or with a difference |
| 1 | nothing was written: the file cannot be read, is wrong, or is none that can be imported |
| 3 | the YAML was written, and something of the file is not in it |

```sh
dragoman import config.yaml --output gateway.yaml
dragoman import config.yaml --json | jq '.findings[] | select(.security)'
```
"""


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Convert one file; the exit status."""
    file: Path = arguments.file
    text = _read(file)
    if text is None:
        return FAILED
    imported = import_text(text, str(file))
    if imported is None:
        refuses(
            [
                f"{file}: no configuration of AgentGateway or LiteLLM;"
                " for one of ours: dragoman validate"
            ]
        )
        return FAILED
    if not isinstance(imported, Imported):
        refuses(str(problem) for problem in imported)
        return FAILED
    loaded = Loader(file, environment).load_text(imported.yaml)
    if refuses(_faults(loaded.problems, imported, file)):
        return FAILED
    if refuses(_write(imported, file, arguments)):
        return FAILED
    for problem in loaded.problems:
        print(f"warning: {problem.path}: {problem.message}", file=sys.stderr)
    return NOT_WHOLE if report.has_unsupported(imported) else 0


class Telling:
    """Converts whatever is foreign, and says what became of it, once for each text of the file."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told = ""

    def __call__(self, text: str, file: str) -> Imported | tuple[Problem, ...] | None:
        """What `load_sources` asks for as its `convert`."""
        imported = import_text(text, file)
        if isinstance(imported, Imported):
            findings = report.text(imported, file, with_exact=False)
            if findings != self._told:
                self._told = findings
                self._say(findings)
        return imported


def say_on_stderr(findings: str) -> None:
    """Where `dragoman run` tells what it found."""
    print(findings, file=sys.stderr, flush=True)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        refuses([f"{file}: cannot be read: {(error.strerror or str(error)).lower()}"])
    except UnicodeDecodeError as error:
        refuses([f"{file}: not utf-8: byte {error.start} is invalid"])
    return None


def _faults(problems: Iterable[Problem], imported: Imported, file: Path) -> list[str]:
    """What our own loader says of what we made; it should have nothing to say."""
    made = yaml.safe_load(imported.yaml)
    wrong = [
        each
        for each in problems
        if not _NOT_OURS.fullmatch(each.message) and not _is_of_a_variable(made, each.path)
    ]
    if not wrong:
        return []
    return [
        f"{file}: the import made a configuration that does not load; this is a fault of the"
        " import, please report it:",
        *(f"  {each.path}: {each.message}" for each in wrong),
    ]


def _is_of_a_variable(made: object, path: str) -> bool:
    """Whether a value is the environment's. Keys may have dots in them."""
    if not path:
        return isinstance(made, str) and has_variable(made)
    entries: Iterable[tuple[object, object]] = ()
    if isinstance(made, dict):
        entries = made.items()
    elif isinstance(made, list):
        entries = enumerate(made)
    return any(
        _is_of_a_variable(value, path[len(str(key)) :].removeprefix("."))
        for key, value in entries
        if path == str(key) or path.startswith(f"{key}.")
    )


def _write(imported: Imported, file: Path, arguments: argparse.Namespace) -> list[str]:
    """Print and write; what could not be."""
    output: Path | None = arguments.output
    if output is not None:
        refusal = _save(output, imported.yaml, file)
        if refusal:
            return [f"{output}: {refusal}"]
    if arguments.json:
        found = {**report.document(imported, str(file)), "yaml": imported.yaml}
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return []
    if output is None:
        sys.stdout.write(imported.yaml)
        sys.stdout.flush()
    sys.stderr.write(report.text(imported, str(file)))
    return []


def _save(output: Path, yaml: str, source: Path) -> str:
    """Why it could not be saved; empty when it was."""
    try:
        if output.exists() and output.samefile(source):
            return "is the file that is imported"
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(descriptor, 0o600)
            stream.write(yaml)
    except OSError as error:
        return f"cannot be written: {(error.strerror or str(error)).lower()}"
    return ""


COMMAND = Command(
    "import",
    "turn a configuration of AgentGateway or LiteLLM into one of ours, and say what became of it",
    run,
    (Argument("file", "FILE", "the configuration of the other gateway, YAML"),),
    (flags.OUTPUT,),
    (Switch("--json", "print the findings and the YAML as one JSON document"),),
    _DETAILS,
)
