"""How these tests import: what became of a file, and what the result means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent
from zlib import crc32

from gateway.config.files import Nowhere
from gateway.config.schema import Config
from gateway.config.sources import Loader
from gateway.imported import Imported, Mapped, Outcome
from gateway.importers.agentgateway import convert
from gateway.importers.agentgateway.draft import Draft
from gateway.importers.walk import Node, walk
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve
from tests.kit.certificates import Authority

NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


class Certificates(Nowhere):
    """Every file that is named holds a key and its certificate."""

    def read_bytes(self, path: Path) -> bytes:
        return pem().encode()


@cache
def pem() -> str:
    """A key and its certificate."""
    certificate, key = Authority().server()
    return key + certificate


def imported(text: str) -> Imported:
    """What became of a file, or a failure that shows what is wrong with it."""
    found = convert(dedent(text), "theirs.yaml")
    assert isinstance(found, Imported), "\n".join(map(str, found))
    return found


def problems(text: str) -> list[str]:
    """What is wrong with a file."""
    found = convert(dedent(text), "theirs.yaml")
    assert isinstance(found, tuple), found.yaml
    return [str(each) for each in found]


def load_problems(yaml: str) -> tuple[Problem, ...]:
    """What our loader has against a result. Each variable is a number, and no other's.

    What it says of a variable, such as that a number is no address, is not against the result.
    """
    environment = {name: str(1 + crc32(name.encode()) % 60_000) for name in NAMED.findall(yaml)}
    loaded = Loader(Path("ours.yaml"), environment, files=Certificates()).load_text(yaml)
    if loaded.config is not None:
        return ()
    return tuple(each for each in loaded.problems if "${" not in each.message)


def config(text: str) -> Config:
    """Ours of theirs."""
    yaml = imported(text).yaml
    environment = {name: str(1 + crc32(name.encode()) % 60_000) for name in NAMED.findall(yaml)}
    loaded = Loader(Path("ours.yaml"), environment, files=Certificates()).load_text(yaml)
    assert loaded.config is not None, "\n".join([yaml, *map(str, loaded.problems)])
    return loaded.config


def ours(text: str) -> Gateway:
    """What ours of theirs means."""
    return resolve(config(text))


def outcomes(text: str) -> dict[str, tuple[Outcome, str, str]]:
    """Outcome, target and note of each path; the last one of a path."""
    return {each.path: (each.outcome, each.to, each.note) for each in imported(text).mappings}


def guarded(text: str) -> list[str]:
    """The paths that are said first: what they kept out is out of ours too."""
    return [each.path for each in imported(text).mappings if each.is_security]


def node(text: str) -> tuple[Node, Draft]:
    """A part of a file alone, and a draft to read it into."""
    found = walk(dedent(text), "theirs.yaml")
    return found.root, Draft(found)


def answers(of: Node) -> dict[str, Mapped]:
    """What was said of a part."""
    return {each.path: each for each in of.walk.finish()}


def paths(value: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every key of a document."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield ".".join((*path, str(key)))
            yield from paths(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, str(index)))
