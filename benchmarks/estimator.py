"""How far off the estimator of tokens is: `python -m benchmarks.estimator` prints its errors.

Its estimates of the texts in `corpus/` are held against counts by the tokenizers themselves, in
`corpus/counts.json`. `--count FAMILY FILE` counts anew with a `tokenizer.json` and the package
`tokenizers`, which is needed for that alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import timeit
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from extproc.llm.estimate import expected, upper
from extproc.llm.reserving import BYTES_PER_TOKEN_OF_SHORT
from extproc.llm.token_weights import Family

CORPUS = Path(__file__).with_name("corpus")
COUNTS = CORPUS / "counts.json"
SEPARATOR = "\n===\n"

Counts = Mapping[str, Mapping[str, Sequence[int]]]
"""Of a family, the tokens of each text of a file."""


@dataclass(frozen=True, slots=True)
class Error:
    """Of one text, in percent: above zero, the estimate is too high."""

    percent: float
    is_exceeded: bool
    """More tokens than `upper` says."""


def texts() -> dict[str, list[str]]:
    """By the name of their file."""
    return {
        path.stem: path.read_text("utf-8").rstrip("\n").split(SEPARATOR)
        for path in sorted(CORPUS.glob("*.txt"))
    }


def errors(family: Family, counts: Counts, kinds: Iterable[str]) -> list[Error]:
    corpus = texts()
    return [
        Error(
            100 * (expected((text,), family) - tokens) / tokens,
            upper((text,), family) < tokens,
        )
        for kind in kinds
        for text, tokens in zip(corpus[kind], counts[family][kind], strict=True)
    ]


def summary(found: Sequence[Error]) -> str:
    sizes = sorted(abs(error.percent) for error in found)
    bias = sum(error.percent for error in found) / len(found)
    p95 = sizes[ceil(0.95 * len(sizes)) - 1]
    exceeded = sum(error.is_exceeded for error in found)
    mean = sum(sizes) / len(sizes)
    return f"{bias:+6.1f} {mean:6.1f} {p95:6.1f} {sizes[-1]:6.1f} {exceeded:4d} of {len(found)}"


def count_again(family: Family, file: str) -> None:
    tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(file)
    counts = json.loads(COUNTS.read_text("utf-8"))
    counts[family] = {
        kind: [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in parts]
        for kind, parts in texts().items()
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(of)}" for name, of in counts.items())
    COUNTS.write_text(f"{{\n{lines}\n}}\n", "utf-8")


def speed(text: str) -> float:
    """Microseconds."""
    calls = 2000
    return min(timeit.repeat(lambda: upper((text,), Family.OPENAI), number=calls)) / calls * 1e6


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", nargs=2, metavar=("FAMILY", "FILE"))
    chosen = parser.parse_args(arguments).count
    if chosen:
        count_again(Family(chosen[0]), chosen[1])
    counts: Counts = json.loads(COUNTS.read_text("utf-8"))
    corpus = texts()
    print(f"{'error in %':12}   bias   mean    p95  worst  above upper")
    families = [Family(name) for name in counts]
    for family in families:
        print(f"{family:12} {summary(errors(family, counts, corpus))}")
    for kind in corpus:
        found = [each for family in families for each in errors(family, counts, (kind,))]
        print(f"{kind:12} {summary(found)}")
    halves = [
        ceil(len(text.encode()) / BYTES_PER_TOKEN_OF_SHORT) < tokens
        for family in families
        for kind, parts in corpus.items()
        for text, tokens in zip(parts, counts[family][kind], strict=True)
    ]
    print(f"half of the bytes is too little for {sum(halves)} of {len(halves)}")
    english, chinese = corpus["english"][0], corpus["chinese"][0]
    for name, text in (("english", english), ("chinese", chinese)):
        for size in (1024, 4096, 200 * 1024):
            bytes_each = len(text.encode()) / len(text)
            long = (text * (size // len(text) + 1))[: round(size / bytes_each)]
            print(f"{name:12} {size:7d} bytes {speed(long):7.1f} µs")


if __name__ == "__main__":
    main(sys.argv[1:])
