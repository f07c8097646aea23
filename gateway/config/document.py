"""YAML text → plain values that know their lines: keys written twice, aliases, variables.

Scalars follow the YAML 1.2 core schema: `on`, `yes` and `1:30` are text, fractions are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

from gateway.config.environment import substitute
from gateway.config.finding import Finding, Path
from gateway.config.nodes import MAX_DEPTH, TAG, Node, NotYaml, Scalar, Sequence, TooDeep, compose
from gateway.config.nodes import Mapping as MappingNode

MAX_VALUES = 200_000
"""Once its aliases are followed; stops files that unfold to billions."""

_MERGE = TAG + "merge"


@dataclass(frozen=True, slots=True)
class Document:
    """What the text says, before anybody asks what it means."""

    value: object = None
    """None, bool, int, Decimal, str, list, or dict with text as keys."""
    lines: Mapping[Path, int] = field(default_factory=dict)
    written: Mapping[Path, str] = field(default_factory=dict)
    """Scalars as they stand in the file: `${PORT}` where `value` has 8080. Safe to show."""
    findings: tuple[Finding, ...] = ()
    lost: frozenset[Path] = frozenset()
    """Values that could not be read; whatever else is wrong with them follows from that."""
    is_readable: bool = True

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def inside(self, key: str) -> Document:
        """What stands under a key, as if nothing else were written."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Document(
            value,
            {path[1:]: line for path, line in self.lines.items() if path[:1] == (key,)},
            {path[1:]: text for path, text in self.written.items() if path[:1] == (key,)},
            tuple(
                replace(finding, path=finding.path[1:])
                for finding in self.findings
                if finding.path[:1] == (key,)
            ),
            frozenset(path[1:] for path in self.lost if path[:1] == (key,)),
            self.is_readable,
        )


class _Unreadable(Exception):
    """The document as a whole has to be refused."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding


def read(text: str, environment: Mapping[str, str]) -> Document:
    """Read one YAML document; what is wrong with it is in `findings`."""
    try:
        root = compose(text)
        if root is None:
            return Document()
        reader = _Reader(environment)
        value = reader.value(root, ())
    except NotYaml as error:
        return Document(findings=(_syntax(error, text),), is_readable=False)
    except TooDeep as error:
        found = Finding((), f"nested more than {MAX_DEPTH} deep", line=error.line)
        return Document(findings=(found,), is_readable=False)
    except _Unreadable as refused:
        return Document(findings=(refused.finding,), is_readable=False)
    return Document(
        value, reader.lines, reader.written, tuple(reader.findings), frozenset(reader.lost)
    )


def _syntax(error: NotYaml, text: str) -> Finding:
    lines = text.splitlines()
    around = lines[error.line - 2 : error.line] if error.line > 1 else lines[:1]
    is_bare = any("${" in each for each in around)
    hint = 'between { } or [ ], write "${VARIABLE}" with quotes' if is_bare else ""
    return Finding((), f"not YAML: {error.message}", hint, error.line)


class _Reader:
    """Walks YAML's nodes once, collecting values, lines and mistakes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.lines: dict[Path, int] = {}
        self.written: dict[Path, str] = {}
        self.findings: list[Finding] = []
        self.lost: set[Path] = set()
        self.values = 0

    def value(self, node: Node, path: Path) -> object:
        self.lines.setdefault(path, node.line)
        self.count(node.line)
        if isinstance(node, Scalar):
            return self.scalar(node, path)
        if len(path) > MAX_DEPTH:  # also through aliases
            raise TooDeep(node.line)
        if isinstance(node, Sequence):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.items)]
        return self.mapping(node, path)

    def count(self, line: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            message = f"more than {MAX_VALUES} values once its aliases are followed"
            raise _Unreadable(Finding((), message, line=line))

    def mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in self.own_entries(node, path):
            line = key.line
            inner = (*path, key.text)
            if key.text in found:
                message = f"written twice, first on line {self.lines[inner]}"
                self.findings.append(Finding(inner, message, "keep one of them", line))
                continue
            self.lines[inner] = line
            found[key.text] = self.value(value, inner)
        for key, value in self.merged_entries(node, path, depth=0):
            inner = (*path, key.text)
            if key.text not in found:
                self.lines[inner] = key.line
                found[key.text] = self.value(value, inner)
        return found

    def own_entries(self, node: MappingNode, path: Path) -> Iterator[tuple[Scalar, Node]]:
        for key, value in node.entries:
            if not isinstance(key, Scalar):
                self.findings.append(Finding(path, "a key must be plain text", line=key.line))
            elif key.tag == _MERGE:
                continue
            elif "${" in key.text:
                message = f"'{key.text}': variables are not read in keys"
                self.findings.append(Finding(path, message, line=key.line))
            else:
                yield key, value

    def merged_entries(
        self, node: MappingNode, path: Path, depth: int
    ) -> Iterator[tuple[Scalar, Node]]:
        """What `<<` brings in, the first source first."""
        for key, value in node.entries:
            if not isinstance(key, Scalar) or key.tag != _MERGE:
                continue
            sources = value.items if isinstance(value, Sequence) else [value]
            for source in sources:
                self.count(key.line)
                if not isinstance(source, MappingNode) or depth > MAX_DEPTH:
                    message = "'<<' must be followed by an alias of a block, or a list of them"
                    self.findings.append(Finding(path, message, line=key.line))
                    continue
                yield from self.own_entries(source, path)
                yield from self.merged_entries(source, path, depth + 1)

    def scalar(self, node: Scalar, path: Path) -> object:
        text = node.text
        self.written[path] = text
        match node.tag.removeprefix(TAG):
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int":
                return _integer(text)
            case "float":
                return _fraction(text)
            case "str":
                return self.substituted(text, path)
            case "bool" | "timestamp" | "value":
                return text
        self.findings.append(Finding(path, f"the tag {node.tag} is not understood"))
        self.lost.add(path)
        return None

    def substituted(self, text: str, path: Path) -> str:
        result = substitute(text, self.environment)
        for name in result.unset:
            message = f"the environment variable {name} is not set"
            self.findings.append(
                Finding(path, message, f"set it, or write a default: ${{{name}:-default}}")
            )
        if result.is_malformed:
            self.findings.append(
                Finding(path, "'${' starts no variable", "write $${ for a literal ${")
            )
        if result.unset or result.is_malformed:
            self.lost.add(path)
        return result.text


def _integer(text: str) -> object:
    digits = text.replace("_", "")
    try:
        return int(digits, 16) if digits.lower().startswith("0x") else int(digits)
    except ValueError:
        return text


def _fraction(text: str) -> object:
    try:
        number = Decimal(text.replace("_", ""))
    except InvalidOperation:
        return text
    return number if number.is_finite() else text
