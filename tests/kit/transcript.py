"""Transcripts: a text file of commands and what they must say, which is the specification.

    # a comment
    publish v1 cluster a=1
    ----
    cluster 1: a=1

Blocks are divided by blank lines. `REWRITE=1` writes what is said now into the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

RULE = "----"


@dataclass(frozen=True, slots=True)
class Block:
    """Commands, and what they say together."""

    lines: tuple[str, ...]
    """Comments and commands, as written."""
    answer: tuple[str, ...]

    @property
    def commands(self) -> Iterator[str]:
        return (line for line in self.lines if not line.startswith("#"))


def check_transcript(path: Path, say: Callable[[str], Iterable[str]]) -> None:
    """Give every command to `say`, in order, and compare all that it answers with the file."""
    written = read(path.read_text())
    spoken = tuple(
        Block(block.lines, tuple(answer for command in block.commands for answer in say(command)))
        for block in written
    )
    if os.environ.get("REWRITE") == "1":
        path.write_text(write(spoken))
        return
    assert write(spoken) == write(written), path


def read(text: str) -> tuple[Block, ...]:
    """The blocks of a transcript."""
    blocks = (part.strip("\n").split("\n") for part in text.split("\n\n") if part.strip("\n"))
    return tuple(_block(lines) for lines in blocks)


def write(blocks: Iterable[Block]) -> str:
    """The text of a transcript."""
    return "\n\n".join("\n".join(_lines(block)) for block in blocks) + "\n"


def _block(lines: list[str]) -> Block:
    if RULE not in lines:
        return Block(tuple(lines), ())
    rule = lines.index(RULE)
    return Block(tuple(lines[:rule]), tuple(lines[rule + 1 :]))


def _lines(block: Block) -> tuple[str, ...]:
    has_commands = any(True for _ in block.commands)
    return (*block.lines, RULE, *block.answer) if has_commands else block.lines
