"""The command line: which commands there are, what each takes, and what the short ones do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway.config import reference
from gateway.config.check import warnings
from gateway.model import Endpoint
from gateway.names import HUB_ADDRESS, SERVICES_ADDRESS
from xds_server import control_plane, flags, programs, supervisor
from xds_server.audience import Level
from xds_server.commands import (
    audit,
    budgets,
    diff,
    explain,
    history,
    import_,
    keys,
    looking,
    mcp_consents,
    mcp_tools,
    rollback,
    status,
)
from xds_server.commands import xds as xds_commands
from xds_server.commands.command import Argument, Command, Environment, Switch, refuses
from xds_server.documents import RemoteDocuments
from xds_server.free_ports import Wanted, complaints
from xds_server.render import to_yaml
from xds_server.resources.topology import Topology
from xds_server.snapshot import Snapshot

DESCRIPTION = "A gateway for AI agents: Envoy moves the bytes, Python decides."
EPILOG = "A flag can also be set by the environment variable in brackets behind it."


FILE = Argument("file", "FILE", "the configuration: a YAML file, or a folder of them")
FILES = Argument("files", "FILE", "a YAML file, or a folder of them", count="+")
WORKERS = ("127.0.0.1:18001",)
DEMO = Switch("--demo", "run the demo providers as well")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """`dragoman run`: everything."""
    options = supervisor.Options(
        file=arguments.file,
        is_demo=arguments.demo,
        port=arguments.port if flags.PORT.key in arguments.typed else None,
        admin=arguments.admin,
        envoy_admin=arguments.envoy_admin,
        demo=Endpoint(arguments.demo_address, arguments.demo_port),
        xds=arguments.xds,
        workers=arguments.workers or flags.cores(),
        concurrency=arguments.concurrency or flags.cores(),
        state_dir=arguments.state_dir,
        drain_seconds=arguments.drain_seconds,
        log_level=arguments.log_level,
        environment=_with_ports(arguments, environment),
        convert=import_.Telling(import_.say_on_stderr),
        documents=RemoteDocuments(arguments.state_dir),
    )
    return supervisor.run(options)


def xds(arguments: argparse.Namespace, environment: Environment) -> int:
    """`dragoman xds`: the control plane alone."""
    options = control_plane.Options(
        file=arguments.file,
        environment=environment,
        target=arguments.xds or "127.0.0.1:18000",
        topology=control_plane.topology(arguments.extproc, arguments.services, arguments.hub),
        state_dir=arguments.state_dir,
        convert=import_.Telling(import_.say_on_stderr),
        documents=RemoteDocuments(arguments.state_dir),
    )
    return control_plane.run_alone(options, arguments.admin, arguments.log_level)


def elsewhere(arguments: argparse.Namespace, environment: Environment) -> int:
    """What `programs.OWN` has: `python -m xds_server` never comes here."""
    programs.become_own((arguments.command.name,), environment)
    raise AssertionError(arguments.command.name)


def demo(arguments: argparse.Namespace, environment: Environment) -> int:
    """`dragoman demo`: the quickstart's providers."""
    where = Endpoint(arguments.demo_address, arguments.demo_port)
    remedy = flags.remedy(flags.DEMO_PORT)
    if refuses(complaints([Wanted(where, "demo providers", remedy)])):
        return 1
    print(f"demo providers: http://{where.host}:{where.port}/a/v1 and /b/v1", flush=True)
    programs.become("xds_server.demo", (where.host, str(where.port)), environment)


def validate(arguments: argparse.Namespace, environment: Environment) -> int:
    """`dragoman validate`: every Problem of every file."""
    snapshots = [_snapshot(file, arguments, environment) for file in arguments.files]
    for file, snapshot in zip(arguments.files, snapshots, strict=True):
        if snapshot is not None:
            print(f"{file}: ok")
    return 0 if None not in snapshots else 1


def compile(arguments: argparse.Namespace, environment: Environment) -> int:
    """`dragoman compile`: what Envoy will be told, without the secrets."""
    snapshot = _snapshot(arguments.file, arguments, environment)
    if snapshot is None:
        return 1
    sys.stdout.write(to_yaml(snapshot))
    return 0


def schema(arguments: argparse.Namespace, environment: Environment) -> int:
    """`dragoman schema`: for editors."""
    sys.stdout.write(reference.json_schema())
    return 0


def markdown(arguments: argparse.Namespace, environment: Environment) -> int:
    """`dragoman reference`: for people."""
    sys.stdout.write(reference.markdown())
    return 0


COMMANDS: tuple[Command, ...] = (
    Command(
        "run",
        "run the whole gateway: control plane, workers and Envoy, restarted when they die",
        run,
        (FILE,),
        (
            flags.PORT,
            flags.ADMIN,
            flags.ENVOY_ADMIN,
            flags.DEMO_PORT,
            flags.DEMO_ADDRESS,
            flags.XDS,
            flags.WORKERS,
            flags.CONCURRENCY,
            flags.STATE_DIR,
            flags.DRAIN_SECONDS,
            flags.LOG_LEVEL,
        ),
        (DEMO,),
    ),
    Command(
        "xds",
        "run the control plane alone, for an Envoy and workers that run elsewhere",
        xds,
        (FILE,),
        (
            flags.XDS,
            flags.EXTPROC,
            flags.SERVICES,
            flags.HUB,
            flags.ADMIN,
            flags.STATE_DIR,
            flags.LOG_LEVEL,
        ),
    ),
    xds_commands.GET,
    xds_commands.WATCH,
    Command("extproc", "run one worker of the request path alone; see `extproc --help`", elsewhere),
    Command("hub", "run the hub of the MCP gateway alone; see `hub --help`", elsewhere),
    Command(
        "demo",
        "run two OpenAI-compatible providers that need no key and no internet",
        demo,
        flags=(flags.DEMO_PORT, flags.DEMO_ADDRESS),
    ),
    Command("validate", "report everything that is wrong in files", validate, (FILES,)),
    Command(
        "compile",
        "print what Envoy will be told, as YAML without secrets",
        compile,
        (FILE,),
        (flags.EXTPROC, flags.SERVICES, flags.HUB, looking.ENVOY),
    ),
    import_.COMMAND,
    explain.COMMAND,
    diff.COMMAND,
    status.COMMAND,
    history.COMMAND,
    rollback.COMMAND,
    *keys.COMMANDS,
    *budgets.COMMANDS,
    *mcp_tools.COMMANDS,
    *mcp_consents.COMMANDS,
    *audit.COMMANDS,
    Command(
        "test",
        "try requests on a configuration; see `dragoman test --help`",
        elsewhere,
        details=(
            "Takes files of [policy tests](../policy-tests.md): `dragoman test FILE… [--json] "
            "[--junit FILE]`, or `--schema`. Needs no network and no state. The exit status is 0 "
            "when all is as expected, 1 when it is not, and 2 when a file is wrong."
        ),
    ),
    Command(
        "cel",
        "say what an expression is for a sample request; see `dragoman cel --help`",
        elsewhere,
        details=(
            "`dragoman cel EXPR [--with FILE] [--config FILE] [--json]` prints the type, the "
            "value, and the variables that were read. [What a sample says]"
            "(../policy-tests.md#one-expression). The exit status is 1 when the expression errs, "
            "and 2 when it, or a file, is wrong."
        ),
    ),
    Command("schema", "print the JSON Schema of the configuration file", schema),
    Command("reference", "print the reference of the configuration file", markdown),
)


def parser(environment: Environment) -> argparse.ArgumentParser:
    """The parser of every command; `settle` then takes from `environment` what was not typed."""
    whole = argparse.ArgumentParser(prog="dragoman", description=DESCRIPTION, epilog=EPILOG)
    subparsers = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = subparsers.add_parser(
            command.name, help=command.summary, description=command.summary, epilog=EPILOG
        )
        for argument in command.arguments:
            one.add_argument(
                argument.key,
                type=Path if argument.metavar == "FILE" else str,
                metavar=argument.metavar,
                help=argument.meaning,
                nargs=argument.count,
                choices=argument.choices,
            )
        for switch in command.switches:
            one.add_argument(switch.name, action="store_true", help=switch.meaning)
        for flag in command.flags:
            flag.add(one)
        one.set_defaults(command=command, environment=environment)
    return whole


def settle(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Give every flag that was not typed its value; what is wrong with the environment."""
    wrong, typed = [], set()
    for flag in arguments.command.flags:
        given = getattr(arguments, flag.key)
        if given is not None:
            typed.add(flag.key)
        try:
            setattr(arguments, flag.key, flag.value(given, arguments.environment))
        except flags.InvalidVariable as mistake:
            wrong.append(f"dragoman {arguments.command.name}: {mistake}")
    arguments.typed = frozenset(typed)
    return tuple(wrong)


def with_one_name(argv: list[str]) -> list[str]:
    """The name of a command of two words as one argument, which is how its parser knows it."""
    name = " ".join(argv[:2])
    return [name, *argv[2:]] if any(command.name == name for command in COMMANDS) else argv


def _takes(arguments: argparse.Namespace, rest: list[str]) -> bool:
    """Whether words that stand behind flags, which argparse leaves over, belong to a list."""
    last = arguments.command.arguments[-1:]
    if not last or last[0].count != "*" or any(word.startswith("-") for word in rest):
        return False
    getattr(arguments, last[0].key).extend(rest)
    return True


def main(argv: list[str], environment: Environment) -> int:
    """Run what `argv` says; the exit status."""
    reading = parser(environment)
    arguments, rest = reading.parse_known_args(with_one_name(argv))
    if rest and not _takes(arguments, rest):
        reading.error(f"unrecognized arguments: {' '.join(rest)}")
    if refuses(settle(arguments)):
        return 2
    return int(arguments.command.run(arguments, environment))


def cli_markdown() -> str:
    """`docs/reference/cli.md`."""
    rule = "The flag counts before the environment variable, and that before the default."
    parts = ["# Command line\n", f"{DESCRIPTION}\n", f"{rule}\n"]
    for command in COMMANDS:
        words = ["dragoman", command.name, *map(_usage, command.arguments)]
        if command.flags or command.switches:
            words.append("[FLAG…]")
        parts.append(f"## {' '.join(words)}\n")
        parts.append(f"{command.summary[0].upper()}{command.summary[1:]}.\n")
        if command.details:
            parts.append(f"{command.details.strip()}\n")
        if command.flags or command.switches:
            parts.append("\n".join(_flag_rows(command)) + "\n")
    return "\n".join(parts)


def _usage(argument: Argument) -> str:
    shown = {None: "{}", "?": "[{}]", "+": "{}…", "*": "[{}…]"}
    return shown[argument.count].format(argument.metavar)


def _flag_rows(command: Command) -> list[str]:
    rows = ["| Flag | Environment | Meaning |", "|---|---|---|"]
    rows.extend(f"| `{switch.name}` | | {switch.meaning} |" for switch in command.switches)
    rows.extend(
        f"| `{flag.name} {flag.metavar}` | {f'`{flag.variable}`' if flag.variable else ''} |"
        f" {flag.meaning} |"
        for flag in command.flags
    )
    return rows


def _snapshot(
    file: Path, arguments: argparse.Namespace, environment: Environment
) -> Snapshot | None:
    """What Envoy will be told; says on stderr what is wrong with the file or will surprise."""
    workers = getattr(arguments, flags.EXTPROC.key, WORKERS)
    services = getattr(arguments, flags.SERVICES.key, SERVICES_ADDRESS)
    hub = getattr(arguments, flags.HUB.key, HUB_ADDRESS)
    level = getattr(arguments, looking.ENVOY.key, Level.V1_40)
    try:
        seen = looking.subject(file, arguments, environment)
        topology = Topology(workers=workers, services=services, hub=hub)
        snapshot = looking.compiled(seen.gateway, topology, level)
    except looking.Unusable as mistakes:
        refuses(mistakes.lines)
        return None
    for warning in warnings(seen.config):
        print(f"warning: {warning}", file=sys.stderr)
    return snapshot


def _with_ports(arguments: argparse.Namespace, environment: Environment) -> Environment:
    """The environment as the file sees it: flags stand above variables."""
    ports = {flags.DEMO_PORT.variable: str(arguments.demo_port)}
    if arguments.port is not None:
        ports[flags.PORT.variable] = str(arguments.port)
    if arguments.admin is not None:
        ports[flags.ADMIN.variable] = str(arguments.admin.port)
    return {**environment, **ports}
