"""The flags that workers and the hub have in common: where their configuration comes from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from envoy_api.dial import Credentials, Server
from envoy_api.discovery import Variant

from extproc.source import Build, FileSource
from extproc.xds_source import XdsSource
from gateway.telemetry import LEVELS

Built = TypeVar("Built")

XDS_VARIANTS = ("auto", *Variant)
XDS_FILES = (
    ("ca", "PEM: who may have signed the management server's certificate; without it, no TLS"),
    ("cert", "PEM: this process's certificate for the management server"),
    ("key", "PEM: its key"),
    ("token", "the file that holds the bearer token for the management server"),
)


def add_source(made: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Where the configuration comes from; environment variables are the defaults."""
    source = made.add_mutually_exclusive_group()
    source.add_argument(
        "--xds",
        metavar="TARGET",
        default=environment.get("DRAGOMAN_XDS", "127.0.0.1:18000"),
        help="the management server to take the configuration from: HOST:PORT or unix:PATH "
        "[DRAGOMAN_XDS]",
    )
    source.add_argument(
        "--config", metavar="FILE", type=Path, help="a YAML file to take it from instead"
    )
    made.add_argument(
        "--xds-variant",
        metavar="VARIANT",
        type=one_of(XDS_VARIANTS),
        default=environment.get("DRAGOMAN_XDS_VARIANT", "auto"),
        help="how to speak xDS: delta, sotw, or auto, which is delta where the server speaks it "
        "[DRAGOMAN_XDS_VARIANT]",
    )
    for name, what in XDS_FILES:
        variable = f"DRAGOMAN_XDS_{name.upper()}"
        given = environment.get(variable)
        made.add_argument(
            f"--xds-{name}",
            metavar="FILE",
            type=Path,
            default=Path(given) if given else None,
            help=f"{what} [{variable}]",
        )
    made.add_argument(
        "--xds-server-name",
        metavar="NAME",
        default=environment.get("DRAGOMAN_XDS_SERVER_NAME"),
        help="the name in the management server's certificate, when it is not the host's "
        "[DRAGOMAN_XDS_SERVER_NAME]",
    )


def add_log_level(made: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """How much is logged."""
    made.add_argument(
        "--log-level",
        type=one_of(LEVELS),
        metavar="LEVEL",
        default=environment.get("DRAGOMAN_LOG_LEVEL", "warning"),
        help=f"how much is logged: {', '.join(LEVELS)} (default: %(default)s) [DRAGOMAN_LOG_LEVEL]",
    )


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """A flag's type; `choices` would not look at what the environment says."""

    def check(value: str) -> str:
        if value not in known:
            raise argparse.ArgumentTypeError(f"not one of {', '.join(known)}: {value}")
        return value

    return check


def address(value: str) -> str:
    """The type of an address, of a port or of a Unix socket."""
    host, _, port = value.rpartition(":")
    is_unix = value.startswith("unix:") and value != "unix:"
    if is_unix or (host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        return value
    raise argparse.ArgumentTypeError(f"neither HOST:PORT nor unix:PATH: {value}")


def credentials(arguments: argparse.Namespace) -> Credentials:
    """What is shown to the management server."""
    return Credentials(
        ca=arguments.xds_ca,
        certificate=arguments.xds_cert,
        key=arguments.xds_key,
        token=arguments.xds_token,
        server_name=arguments.xds_server_name,
    )


def source(
    arguments: argparse.Namespace, node: str, agent: str, make: Build[Built]
) -> FileSource[Built] | XdsSource[Built]:
    """Where the flags say that the configuration comes from."""
    if arguments.config:
        return FileSource(arguments.config, os.environ, make)
    server = Server(arguments.xds, credentials(arguments))
    is_open = arguments.xds_variant == "auto"
    variant = None if is_open else Variant(arguments.xds_variant)
    return XdsSource(server, node, make, variant=variant, agent=agent)
