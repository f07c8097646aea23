"""How well personal data and secrets are found, and what it costs.

`python -m benchmarks.detectors [--write] [--mistakes]`

Reads the texts with known answers in `benchmarks/detections`. What is found counts if kind,
beginning and end are right. `--write` puts the table into `docs/guardrails.md`, without the times.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from extproc.policies.detectors.detector import Finding
from extproc.policies.detectors.scan import Scanner, detectors_of
from extproc.policies.injection import Injection
from extproc.policies.patterns import Patterns
from gateway.kinds import Kind

FOLDER = Path(__file__).parent / "detections"
PAGE = Path(__file__).parents[1] / "docs" / "guardrails.md"
BEGIN, END = "<!-- benchmarks.detectors -->\n", "<!-- end -->\n"
THRESHOLDS = (0.7, 0.4)
REGIONS = ("US", "GB", "DE")
_MARK = re.compile("⟦(?:([a-z_]+):)?([^⟧]*)⟧")


@dataclass(frozen=True)
class Sample:
    """A text, and what is in it."""

    kind: Kind | None
    """Whose file it is in."""
    text: bytes
    findings: tuple[Finding, ...]


class Finder:
    """All kinds, as a guard would ask for them."""

    def __init__(self, kinds: Iterable[Kind] = Kind) -> None:
        self.scanner = Scanner(detectors_of(kinds, REGIONS))
        self.patterns = Patterns(self.scanner.sensors)

    def find(self, text: bytes) -> list[Finding]:
        """In order."""
        hits = self.patterns.hits([text.decode()])
        return self.scanner.find(text, sorted(hits)) if hits else []


def unseen() -> Iterator[Sample]:
    """Texts that were written after the detectors, which were not changed for them."""
    for line in (FOLDER / "unseen" / "mixed.txt").read_text(encoding="utf-8").splitlines():
        yield sample(None, line)


def samples() -> Iterator[Sample]:
    """All texts of the kinds' files."""
    for path in sorted(FOLDER.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield sample(Kind(path.stem), line)


def sample(kind: Kind | None, line: str) -> Sample:
    """One line of a file."""
    line = line.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\0", "\\")
    text, findings, done = b"", [], 0
    for mark in _MARK.finditer(line):
        text += line[done : mark.start()].encode()
        value = mark[2].encode()
        findings.append(Finding(len(text), len(text) + len(value), Kind(mark[1] or str(kind))))
        text += value
        done = mark.end()
    return Sample(kind, text + line[done:].encode(), tuple(findings))


class Score(NamedTuple):
    """Of one kind, or of all."""

    positives: int = 0
    """What was to be found."""
    negatives: int = 0
    """Texts without it."""
    right: int = 0
    wrong: int = 0


def scores(mistakes: list[str] | None = None) -> dict[Kind, Score]:
    """How well each kind is found in the texts that were written for it."""
    return {kind: score for kind, score in _scored(samples(), mistakes).items() if kind is not None}


def unseen_score(mistakes: list[str] | None = None) -> Score:
    """How well all kinds are found in texts that are not for one of them."""
    numbers = zip(*_scored(unseen(), mistakes).values(), strict=True)
    return Score(*map(sum, numbers))


def _scored(each_sample: Iterable[Sample], mistakes: list[str] | None) -> dict[Kind | None, Score]:
    finder = Finder()
    totals: Counter[Kind] = Counter()
    negatives: Counter[Kind | None] = Counter()
    right: Counter[Kind] = Counter()
    wrong: Counter[Kind] = Counter()
    for each in each_sample:
        found = set(finder.find(each.text))
        wanted = set(each.findings)
        kinds = {one.kind for one in wanted}
        negatives[each.kind] += each.kind not in kinds if each.kind else not kinds
        totals.update(one.kind for one in wanted)
        right.update(one.kind for one in wanted & found)
        wrong.update(one.kind for one in found - wanted)
        if mistakes is not None and found != wanted:
            mistakes += [_told("missed", each, one) for one in sorted(wanted - found)]
            mistakes += [_told("wrong", each, one) for one in sorted(found - wanted)]
    everything: dict[Kind | None, Score] = {
        kind: Score(totals[kind], negatives[kind], right[kind], wrong[kind]) for kind in Kind
    }
    return everything | {None: Score(negatives=negatives[None])}


def injection_score(threshold: float, of: str = "") -> tuple[Score, list[str]]:
    """How well attacks are told from harmless texts, and which are not; `of`: `unseen_`."""
    said = yaml.safe_load((FOLDER / "injection.yaml").read_text(encoding="utf-8"))
    finder = Injection(threshold)
    attacks, harmless = said[f"{of}attacks"], said[f"{of}harmless"]
    missed = [text for text in attacks if not finder.is_in([text])]
    wrong = [text for text in harmless if finder.is_in([text])]
    total = len(attacks)
    score = Score(total, len(harmless), total - len(missed), len(wrong))
    return score, [*(f"missed {text!r}" for text in missed), *(f"wrong {text!r}" for text in wrong)]


def _told(what: str, each: Sample, one: Finding) -> str:
    value = each.text[one.start : one.end].decode(errors="replace")
    return f"{what} {one.kind}: {value!r} in {each.text.decode()!r}"


def table() -> str:
    """The table of `docs/guardrails.md`."""
    lines = ["| kind | samples with it | without | precision | recall |", "|---|---|---|---|---|"]
    known = scores()
    lines += [_row(f"`{kind}`", score) for kind, score in known.items()]
    lines.append(_row("all", Score(*map(sum, zip(*known.values(), strict=True)))))
    lines.append(_row("**unseen texts**, all kinds", unseen_score()))
    lines += [_row(f"`injection` at {each}", injection_score(each)[0]) for each in THRESHOLDS]
    lines += [
        _row(f"**unseen** definitions of tools, at {each}", injection_score(each, "unseen_")[0])
        for each in THRESHOLDS
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, score: Score) -> str:
    found = score.right + score.wrong
    precision = score.right / found if found else 1
    recall = score.right / score.positives if score.positives else 1
    return f"| {name} | {score.positives} | {score.negatives} | {precision:.2f} | {recall:.2f} |"


def written(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


PROSE = "The meeting is on Tuesday, and nobody has read the report that was sent around. "
LOG = '2024-11-26T10:12:01Z INFO request id=7f3a path=/v1/chat status=200 bytes=18231 "ok"\n'
NUMBERS = "12 345 67890 2024-11-26 4111 1111 1111 1112 "
FULL = "Ask jane.doe@example.com or +49 30 901820, card 4111 1111 1111 1111, from 203.0.113.7. "


def costs() -> Iterator[tuple[str, float]]:
    """Texts, and µs of CPU for a KB of each, with all kinds."""
    finder = Finder()
    injection = Injection(THRESHOLDS[0])
    texts = {"prose": PROSE, "a log": LOG, "numbers only": NUMBERS, "full of findings": FULL}
    for name, piece in texts.items():
        text = (piece * 256)[: 16 << 10].encode()
        finder.find(text)
        began, rounds = time.process_time(), 0
        while time.process_time() - began < 0.3:
            finder.find(text)
            rounds += 1
        yield name, (time.process_time() - began) / rounds / 16 * 1e6
    text = [(PROSE * 256)[: 16 << 10]]
    began = time.process_time()
    for _ in range(100):
        injection.is_in(text)
    yield "injection, prose", (time.process_time() - began) / 100 / 16 * 1e6


def main() -> None:
    """Print the table and the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--mistakes", action="store_true")
    arguments = parser.parse_args()
    if arguments.mistakes:
        mistakes: list[str] = []
        scores(mistakes)
        unseen_score(mistakes)
        mistakes += injection_score(THRESHOLDS[0])[1]
        print(*mistakes, sep="\n")
        return
    if arguments.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(table())
    for name, cost in costs():
        print(f"{name}: {cost:.0f} µs/KB")


if __name__ == "__main__":
    main()
