"""YAML text → nodes that know their lines: libyaml's events, and the tags of YAML's core schema.

PyYAML's own composer does the same three times slower, and makes marks that nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

MAX_DEPTH = 50

TAG = "tag:yaml.org,2002:"
STR = TAG + "str"
_RESOLVERS = yaml.CSafeLoader.yaml_implicit_resolvers
"""First character of a plain scalar → tags and the patterns of what they look like."""


@dataclass(slots=True, eq=False)
class Scalar:
    """A text, and what it is."""

    text: str
    tag: str
    line: int


@dataclass(slots=True, eq=False)
class Sequence:
    """A list. An alias is the very node that it stands for, so a node may contain itself."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys and values, as they were written."""

    line: int
    entries: list[tuple[Node, Node]] = field(default_factory=list)


Node: TypeAlias = Scalar | Sequence | Mapping


class NotYaml(Exception):
    """The text cannot be read."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class TooDeep(Exception):
    """Blocks in blocks in blocks."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def compose(text: str) -> Node | None:
    """The one document of a text; None when there is none. Raises `NotYaml` and `TooDeep`."""
    try:
        return _Composer(yaml.parse(text, Loader=yaml.CSafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        message = ", ".join(part for part in (error.context, error.problem) if part)
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise NotYaml(message, line) from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", "it cannot be read")
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise NotYaml(str(reason), line) from None


class _Composer:
    """Builds nodes while it reads events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self.events = events
        self.anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        next(self.events)  # the stream starts
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        node = self.node(next(self.events), 0)
        next(self.events)  # the document ends
        more = next(self.events)
        if not isinstance(more, yaml.StreamEndEvent):
            message = "expected a single document in the stream, but found another document"
            raise NotYaml(message, _line(more))
        return node

    def node(self, event: yaml.Event, depth: int) -> Node:
        line = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            scalar = Scalar(event.value, _tag(event), line)
            self.name(event, scalar)
            return scalar
        if isinstance(event, yaml.AliasEvent):
            known = self.anchors.get(str(event.anchor))
            if known is None:
                raise NotYaml(f"found undefined alias '{event.anchor}'", line)
            return known
        if depth > MAX_DEPTH:
            raise TooDeep(line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, Sequence(line), depth + 1)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(event, Mapping(line), depth + 1)
        raise AssertionError(f"an event of an unknown kind: {event!r}")

    def sequence(self, event: yaml.NodeEvent, node: Sequence, depth: int) -> Sequence:
        self.name(event, node)
        for item in self.events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            node.items.append(self.node(item, depth))
        return node

    def mapping(self, event: yaml.NodeEvent, node: Mapping, depth: int) -> Mapping:
        self.name(event, node)
        for key in self.events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            known = self.node(key, depth)
            node.entries.append((known, self.node(next(self.events), depth)))
        return node

    def name(self, event: yaml.NodeEvent, node: Node) -> None:
        if event.anchor is None:
            return
        if event.anchor in self.anchors:
            first = self.anchors[event.anchor].line
            message = f"the anchor '{event.anchor}' is there already, on line {first}"
            raise NotYaml(message, _line(event))
        self.anchors[event.anchor] = node


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _tag(event: yaml.ScalarEvent) -> str:
    """The tag that was written, or what a plain scalar looks like."""
    if event.tag is not None and event.tag != "!":
        return str(event.tag)
    return tag_of(event.value) if event.implicit[0] else STR


def tag_of(text: str) -> str:
    """What a text looks like when it stands without quotes."""
    for tag, pattern in _RESOLVERS.get(text[:1], ()):
        if pattern.match(text):
            return str(tag)
    return STR
