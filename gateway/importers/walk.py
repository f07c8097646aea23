"""A foreign YAML document, walked so that nothing is dropped: each key is answered, or reported.

A converter takes what it knows (`node.take("port")`) and says what became of it (`.exact(…)`); an
answer counts for all below. `finish` reports every key that nobody spoke of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from gateway.config.document import Document, read
from gateway.config.environment import each_text, escape
from gateway.config.finding import Path, dotted
from gateway.imported import Mapped, Outcome
from gateway.problem import Problem, did_you_mean

UNKNOWN_KEY = "unknown key"
NOT_TAKEN = "not taken over"
PARTLY = "in part: what is below says more"
NOTHING_BELOW = "nothing of what is below is taken over"


def has_variable(text: str) -> bool:
    """Whether a text, as our language writes it, has a `${VARIABLE}` in it."""
    return "${" in text.replace("$${", "")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the document, or the place where it would stand."""

    walk: Walk = field(repr=False, compare=False)
    path: Path
    value: object = field(repr=False)
    """May be, or hold, a secret."""
    is_written: bool

    @property
    def line(self) -> int:
        """Where it stands; for what is not written, what is around it."""
        return self.walk.line(self.path)

    @property
    def is_empty(self) -> bool:
        """Not written, or a key with nothing after it."""
        return self.value is None

    def take(self, key: str) -> Node:
        """What is under a key. Not written: a node that is empty, whose answers count for nothing.

        A `<<` and an alias are what they stand for.
        """
        self.walk.expect(self.path, (key,))
        value = self.value if isinstance(self.value, dict) else {}
        return Node(self.walk, (*self.path, key), value.get(key), key in value)

    def has(self, key: str) -> bool:
        """Whether a key is written with something after it."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def expect(self, keys: Iterable[str]) -> None:
        """Keys that could be here: they are what `did you mean` knows."""
        self.walk.expect(self.path, keys)

    def fields(self) -> Iterator[tuple[str, Node]]:
        """The keys and what is under them, if it is a block; else it is a Problem."""
        if self.block():
            assert isinstance(self.value, dict)
            for key in self.value:
                yield key, Node(self.walk, (*self.path, key), self.value[key], True)

    def items(self) -> Iterator[Node]:
        """The elements, if it is a list; else it is a Problem."""
        if not isinstance(self.value, list):
            self._must(self.is_empty, "must be a list")
            return
        for index, value in enumerate(self.value):
            yield Node(self.walk, (*self.path, index), value, True)

    def block(self) -> bool:
        """Whether it is a block; anything else but nothing is a Problem."""
        is_block = isinstance(self.value, dict)
        self._must(is_block or self.is_empty, "must be a block of keys and values")
        return is_block

    def text(self) -> str | None:
        """The text; another kind of value is a Problem."""
        if isinstance(self.value, str):
            return self.value
        self._must(self.is_empty, "must be text")
        return None

    def texts(self) -> tuple[str, ...]:
        """A list of text."""
        found = [item.text() for item in self.items()]
        return tuple(text for text in found if text is not None)

    def integer(self) -> int | str | None:
        """The whole number, or the text of a variable that stands for one."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return self.value
        return self._variable("must be a whole number")

    def number(self) -> int | Decimal | str | None:
        """The number, or the text of a variable that stands for one."""
        if isinstance(self.value, int | Decimal) and not isinstance(self.value, bool):
            return self.value
        return self._variable("must be a number")

    def flag(self) -> bool | str | None:
        """True or false, or the text of a variable that stands for one."""
        if isinstance(self.value, bool):
            return self.value
        return self._variable("must be true or false")

    def exact(self, to: str = "", note: str = "") -> None:
        """It means the same in ours, and so does all below. No `to`: it says nothing."""
        self._answer(Outcome.EXACT, to, note)

    def different(self, to: str, note: str, *, is_security: bool = False) -> None:
        """It is in ours, with a difference, and so is all below."""
        self._answer(Outcome.DIFFERENT, to, note, is_security=is_security)

    def unsupported(self, note: str, *, is_security: bool = False) -> None:
        """It is not in ours, nor is anything below."""
        self._answer(Outcome.UNSUPPORTED, "", note, is_security=is_security)

    def problem(self, message: str, hint: str = "") -> None:
        """It is so wrong that the file cannot be understood."""
        self.walk.problem(self.path, message, hint)

    def forget(self) -> None:
        """Takes back all that was said of it, and of what is below."""
        self.walk.forget(self.path)

    @property
    def is_answered(self) -> bool:
        """Whether somebody has said what became of it."""
        return self.path in self.walk.answers

    def _variable(self, otherwise: str) -> str | None:
        if isinstance(self.value, str) and has_variable(self.value):
            return self.value
        self._must(self.is_empty, otherwise)
        return None

    def _must(self, holds: bool, message: str) -> None:
        if not holds:
            self.problem(message)

    def _answer(self, outcome: Outcome, to: str, note: str, *, is_security: bool = False) -> None:
        if self.is_written:
            self.walk.answer(
                Mapped(dotted(self.path), self.line, outcome, to, note, is_security), self.path
            )


class Walk:
    """A document, and what has been said about it."""

    def __init__(self, document: Document, file: str) -> None:
        self.answers: dict[Path, list[Mapped]] = {}
        self.file = file
        self._document = document
        self._expected: dict[Path, dict[str, None]] = {}
        self._problems: dict[Problem, None] = {}
        for each in document.findings:
            line = each.line or document.line(each.path) or 1
            self._add(Problem(dotted(each.path), each.message, line, file, each.hint))

    @property
    def root(self) -> Node:
        """The whole document."""
        return Node(self, (), self._document.value, True)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the file, in its order."""
        return tuple(sorted(self._problems, key=lambda each: (each.line, each.path)))

    def at(self, path: Path) -> Node:
        """What is written at a path, for more to be said of it."""
        value: object = self.root.value
        for part in path:
            if isinstance(value, list):
                value = value[int(part)]
            elif isinstance(value, dict):
                value = value[part]
        return Node(self, path, value, True)

    def line(self, path: Path) -> int:
        """The line of a path, or of what is around it."""
        return self._document.line(path) or 1

    def expect(self, path: Path, keys: Iterable[str]) -> None:
        """Keys that could be in a block."""
        self._expected.setdefault(path, {}).update(dict.fromkeys(keys))

    def problem(self, path: Path, message: str, hint: str = "") -> None:
        """The file is wrong there."""
        self._add(Problem(dotted(path), message, self.line(path), self.file, hint))

    def answer(self, mapped: Mapped, path: Path) -> None:
        """What became of a path. Differences are kept, and then it is not exact."""
        known = self.answers.setdefault(path, [])
        is_exact = mapped.outcome is Outcome.EXACT
        if (is_exact and known) or mapped in known:
            return
        known[:] = [each for each in known if each.outcome is not Outcome.EXACT]
        known.append(mapped)

    def forget(self, path: Path) -> None:
        """Nothing has been said of a path, nor of what is below."""
        for known in [each for each in self.answers if each[: len(path)] == path]:
            del self.answers[known]

    def finish(self) -> tuple[Mapped, ...]:
        """Every answer in the order of the file; keys that nobody spoke of are unsupported."""
        return tuple(self._below(self.root.value, ()))

    def is_spoken_of(self, path: Path) -> bool:
        """Whether anything was said of a path, or of what is below."""
        return any(known[: len(path)] == path for known in self.answers)

    def _add(self, problem: Problem) -> None:
        self._problems[problem] = None

    def _below(self, value: object, path: Path) -> list[Mapped]:
        """The answers for what is in a value, in its order."""
        return [
            mapped
            for key, item in _entries(value)
            for mapped in self._of(item, (*path, key), is_open=True)
        ]

    def _of(self, value: object, path: Path, *, is_open: bool) -> list[Mapped]:
        own = self.answers.get(path, [])
        if own:
            return [*own, *self._answered(value, path)]
        below = self._below(value, path) if self._is_entered(value, path) else []
        if not below:
            return [self._silent(value, path)] if is_open else []
        if isinstance(path[-1], int):
            return below
        return [self._summary(path, below), *below]

    def _answered(self, value: object, path: Path) -> list[Mapped]:
        """What was said of parts of something that is answered as a whole."""
        found: list[Mapped] = []
        for key, item in _entries(value):
            found += self.answers.get((*path, key), [])
            found += self._answered(item, (*path, key))
        return found

    def _is_entered(self, value: object, path: Path) -> bool:
        """Whether somebody spoke of anything below, or looked for a key there."""
        if path in self._expected and isinstance(value, dict) and value:
            return True
        if isinstance(value, dict):
            return any(self._speaks(item, (*path, key)) for key, item in value.items())
        if isinstance(value, list):
            return any(self._speaks(item, (*path, index)) for index, item in enumerate(value))
        return False

    def _speaks(self, value: object, path: Path) -> bool:
        return path in self.answers or self._is_entered(value, path)

    def _silent(self, value: object, path: Path) -> Mapped:
        expected = self._expected.get(path[:-1], {})
        key = str(path[-1])
        where = dotted(path)
        is_known = key in expected or isinstance(path[-1], int)
        if is_known and _says_nothing(value):
            return Mapped(where, self.line(path), Outcome.EXACT)
        if is_known:
            return Mapped(where, self.line(path), Outcome.UNSUPPORTED, note=NOT_TAKEN)
        hint = did_you_mean(key, expected)
        note = f"{UNKNOWN_KEY} ({hint})" if hint.startswith("did you mean") else UNKNOWN_KEY
        return Mapped(where, self.line(path), Outcome.UNSUPPORTED, note=note)

    def _summary(self, path: Path, below: list[Mapped]) -> Mapped:
        """What became of a block of which only the parts were answered."""
        outcomes = {mapped.outcome for mapped in below}
        line = self.line(path)
        if outcomes == {Outcome.EXACT}:
            targets = {mapped.to for mapped in below}
            return Mapped(dotted(path), line, Outcome.EXACT, _around(targets), is_sum=True)
        if outcomes == {Outcome.UNSUPPORTED}:
            note = NOTHING_BELOW
            return Mapped(dotted(path), line, Outcome.UNSUPPORTED, note=note, is_sum=True)
        return Mapped(dotted(path), line, Outcome.DIFFERENT, note=PARTLY, is_sum=True)


def walk(text: str, file: str, rewrite: Callable[[str], str] = escape) -> Walk:
    """Read a document, variables left alone.

    `rewrite` makes each text of theirs what our language would write for it; by default, a literal
    `${` stays one. What is wrong with the YAML is in `problems`.
    """
    document = read(escape(text), {})
    return Walk(replace(document, value=each_text(document.value, rewrite), written={}), file)


def _entries(value: object) -> Iterable[tuple[str | int, object]]:
    """What is directly in a block or a list."""
    match value:
        case dict():
            return value.items()
        case list():
            return enumerate(value)
    return ()


def _says_nothing(value: object) -> bool:
    """Whether there is no scalar in it."""
    if isinstance(value, dict):
        return all(_says_nothing(item) for item in value.values())
    if isinstance(value, list):
        return all(_says_nothing(item) for item in value)
    return value is None


def _around(targets: Iterable[str]) -> str:
    """The longest path that all targets are in."""
    paths = [target.split(".") for target in targets if target]
    if not paths:
        return ""
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)
