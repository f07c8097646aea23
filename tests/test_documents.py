"""What the documents say is so: examples load, links resolve, commands, files and codes exist."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from extproc import verdict
from extproc.__main__ import parser as extproc_parser
from extproc.hub.__main__ import parser as hub_parser
from gateway.config.fetched import NotAsked
from gateway.config.files import Nowhere
from gateway.config.sources import Loader
from xds_server import cli
from xds_server.resources.local_replies import (
    EXTERNAL_REPLIES,
    LOCAL_REPLIES,
    OF_A2A,
    OF_LOGINS,
    OF_MCP,
    POLICY_UNAVAILABLE,
)

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "proto/*.md")
    for path in ROOT.glob(pattern)
)
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
MAKE_TARGETS = frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PAGE_WORDS = 600
"""Of a page of prose and tables, generously."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_CODE_FOLDERS = ("gateway/", "extproc/", "xds_server/", "proto/", "envoy/", "tests/", "docs/")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Every fenced block of a language, with the document that it stands in."""
    for path in DOCUMENTS:
        for found, text in _FENCE.findall((ROOT / path).read_text("utf-8")):
            if found == language:
                yield str(path), text


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", text)


def anchors(path: Path) -> frozenset[str]:
    """The headings of a document, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", prose(path.read_text("utf-8")), re.MULTILINE)
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    )


def commands() -> Iterator[str]:
    """Every line of the README's consoles, and every command that its prose names."""
    for language, text in _FENCE.findall(README):
        if language == "console":
            joined = text.replace("\\\n", " ")
            yield from (line[2:] for line in joined.splitlines() if line.startswith("$ "))
    yield from _INLINE.findall(prose(README))


def words(command: str) -> list[str]:
    """A command without comments and variables of the shell before it."""
    found = shlex.split(command, comments=True)
    while found and re.fullmatch(r"[A-Z]+=\S*", found[0]):
        del found[0]
    return found


def named(program: str) -> list[list[str]]:
    """The arguments of every command of a program."""
    lines = [one for one in commands() if re.search(rf"(^|\s){program} ", one)]
    split = [words(one) for one in lines]
    return [found[1:] for found in split if found[:1] == [program]]


def refusals() -> frozenset[tuple[str, str]]:
    """Status and code of every `Deny` that the request path makes."""
    return frozenset(
        (str(node.args[0].value), code)
        for path in (ROOT / "extproc").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Deny"
        and isinstance(node.args[0], ast.Constant)
        and (code := code_in(node.args[1]))
    )


def code_in(node: ast.expr) -> str:
    """The code of a refusal where it is written, or one of those that have a name."""
    if isinstance(node, ast.Name):
        return str(vars(verdict).get(node.id, ""))
    return str(node.value) if isinstance(node, ast.Constant) else ""


def error_rows() -> frozenset[tuple[str, str]]:
    """Status and code of every row of the table of errors."""
    pages = ("docs/llm.md", "docs/mcp.md", "docs/a2a.md")
    text = "\n".join((ROOT / page).read_text("utf-8") for page in pages)
    return frozenset(re.findall(r"^\| (\w+) \| `(\w+)` \|", text, re.MULTILINE))


def test_examples_in_yaml_load() -> None:
    found = list(blocks("yaml"))
    assert "README.md" in {path for path, _ in found}
    for path, text in found:
        environment = dict.fromkeys(_VARIABLE.findall(text), "a-value")
        loader = Loader(Path(path), environment, files=Nowhere(), documents=NotAsked())
        loaded = loader.load_text(text)
        assert loaded.config is not None, loaded.problems


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    lost = []
    for link in _LINK.findall(prose((ROOT / path).read_text("utf-8"))):
        if "://" in link:
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (ROOT / path.parent / file) if file else ROOT / path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_commands_of_the_readme_are_ours(capsys: pytest.CaptureFixture[str]) -> None:
    found = named("dragoman")
    assert len(found) > 5
    for arguments in found:
        own = {"extproc": extproc_parser, "hub": hub_parser}.get(arguments[0])
        if own is not None:
            is_ours = parses(own({}), arguments[1:])
        else:
            is_ours = parses(cli.parser({}), cli.with_one_name(arguments))
        assert is_ours, f"dragoman {shlex.join(arguments)}: {capsys.readouterr().err}"


def parses(parser: argparse.ArgumentParser, arguments: list[str]) -> bool:
    """Whether a parser takes these arguments."""
    try:
        parser.parse_args(arguments)
    except SystemExit:
        return False
    return True


def test_the_make_targets_of_the_readme_exist() -> None:
    found = named("make")
    assert {"run", "test", "bench"} <= {target for target, *_ in found}
    assert {target for target, *_ in found} <= MAKE_TARGETS


def test_the_readmes_python_compiles() -> None:
    found = [text for path, text in blocks("python") if path == "README.md"]
    assert found
    for text in found:
        compile(text, "README.md", "exec")


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_files_that_are_named_exist(path: Path) -> None:
    spans = _INLINE.findall(prose((ROOT / path).read_text("utf-8")))
    files = [one for one in spans if one.startswith(_CODE_FOLDERS) and " " not in one]
    assert [one for one in files if "*" not in one and not (ROOT / one).exists()] == []


def test_the_import_rules_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    said = " ".join(" ".join(text for _, text in _FENCE.findall(ARCHITECTURE)).split())
    layers = {
        one["containers"][0]: " ► ".join(one["layers"])
        for one in contracts["contracts"]
        if one["type"] == "layers"
    }
    assert set(layers) == {"gateway", "extproc", "xds_server"}
    for package, order in layers.items():
        assert f"{package} {order}" in said


def test_the_architecture_is_short_enough_to_be_read() -> None:
    assert len(ARCHITECTURE.split()) <= 4 * PAGE_WORDS


def test_every_refusal_is_in_the_table_of_errors_and_no_other() -> None:
    rows = error_rows()
    envoys = {
        reply.code
        for reply in (
            POLICY_UNAVAILABLE,
            *EXTERNAL_REPLIES,
            *OF_LOGINS,
            *OF_A2A,
            *OF_MCP,
            *LOCAL_REPLIES,
        )
    }
    assert refusals() - rows == frozenset()
    assert envoys - {code for _, code in rows} == set()
    assert {row for row in rows - refusals() if row[1] not in envoys} == set()
