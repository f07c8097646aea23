"""`python -m extproc.trial`: what `dragoman test` and `dragoman cel` become."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from extproc.trial import asking, reports
from extproc.trial.cases import SampleBlock, json_schema, load_sample, load_suite
from extproc.trial.trying import Unusable, subject
from extproc.trial.verdicts import results
from gateway.cel import CelError
from gateway.problem import Problem

FAILED, WRONG = 1, 2


def parser() -> argparse.ArgumentParser:
    """Both commands."""
    made = argparse.ArgumentParser(prog="dragoman")
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    test = commands.add_parser(
        "test", description="Try requests on a configuration, without network and state."
    )
    test.add_argument("files", metavar="FILE", type=Path, nargs="*", help="a file of policy tests")
    test.add_argument("--json", action="store_true", help="print JSON")
    test.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit's XML there as well")
    test.add_argument("--schema", action="store_true", help="print the JSON Schema of such files")
    test.set_defaults(run=_test)
    cel = commands.add_parser("cel", description="Say what an expression is for a sample request.")
    cel.add_argument("expression", metavar="EXPR", help="an expression in CEL")
    cel.add_argument(
        "--with", dest="sample", metavar="FILE", type=Path, help="the request, in YAML"
    )
    cel.add_argument("--config", metavar="FILE", type=Path, help="whose keys, models and routes")
    cel.add_argument("--json", action="store_true", help="print JSON")
    cel.set_defaults(run=_cel)
    return made


def main(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit status: 0 all is as expected, 1 it is not, 2 it could not be tried."""
    logging.disable(logging.CRITICAL)  # what is refused is told in the report
    arguments = parser().parse_args(argv)
    run: Callable[[argparse.Namespace, Mapping[str, str]], int] = arguments.run
    return run(arguments, environment)


def _test(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    if arguments.schema:
        sys.stdout.write(json_schema())
        return 0
    if not arguments.files:
        return _complain(["dragoman test: no file was given"])
    made: list[reports.Report] = []
    for file in arguments.files:
        report = _report(file, environment)
        if not isinstance(report, reports.Report):
            return _complain(map(str, report))
        made.append(report)
    if arguments.junit is not None:
        try:
            arguments.junit.write_text(reports.junit(made), "utf-8")
        except OSError as error:
            return _complain([f"{arguments.junit}: {(error.strerror or str(error)).lower()}"])
    if arguments.json:
        print(json.dumps(reports.document(made), indent=2, ensure_ascii=False))
    else:
        print("\n".join(reports.lines(made)))
    return FAILED if any(report.failed for report in made) else 0


def _report(file: Path, environment: Mapping[str, str]) -> reports.Report | tuple[Problem, ...]:
    suite = load_suite(file, environment)
    if isinstance(suite, tuple):
        return suite
    config = file.parent / suite.block.config
    of = subject(config, {**environment, **suite.block.environment})
    if isinstance(of, tuple):
        return of
    return reports.Report(file, tuple(results(of, suite)))


def _cel(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    sample = SampleBlock.model_validate({}) if arguments.sample is None else load_sample(
        arguments.sample, environment
    )  # fmt: skip
    if isinstance(sample, tuple):
        return _complain(map(str, sample))
    of = subject(arguments.config, dict(environment))
    if isinstance(of, tuple):
        return _complain(map(str, of))
    try:
        found = asking.answered(arguments.expression, sample, of)
    except Unusable as error:
        return _complain([f"the request: {error}"])
    except asking.Unreached as error:
        return _complain([f"the request: no policy would see it: {error}"])
    if isinstance(found, str):
        return _complain([found])
    print(_as_json(found) if arguments.json else _as_text(found))
    return FAILED if isinstance(found.value, CelError) else 0


def _as_json(found: asking.Answered) -> str:
    is_error = isinstance(found.value, CelError)
    said = {"error": found.value.reason} if isinstance(found.value, CelError) else {
        "value": found.value
    }  # fmt: skip
    told = {"type": "error" if is_error else found.kind, **said, "read": found.read}
    return json.dumps(told, indent=2, ensure_ascii=False, default=_plain)


def _as_text(found: asking.Answered) -> str:
    if isinstance(found.value, CelError):
        lines = [f"error: {found.value.reason}"]
    else:
        lines = [f"{found.kind}: {json.dumps(found.value, ensure_ascii=False)}"]
    for name, value in found.read.items():
        shown = "absent" if value is None else json.dumps(value, ensure_ascii=False, default=_plain)
        lines.append(f"  {name} = {shown}")
    return "\n".join(lines)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _complain(lines: Sequence[str] | map[str]) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
