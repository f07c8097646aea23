"""Plain values → YAML text, event by event: the way back of `nodes`."""

from __future__ import annotations

import yaml

from gateway.config.nodes import STR, tag_of

_WIDTH = 4096
"""Long texts stay on one line."""


_START = (yaml.StreamStartEvent(), yaml.DocumentStartEvent(explicit=False))
_END = (yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent())
_MAPPING, _NO_MAPPING = (
    yaml.MappingStartEvent(None, None, True, flow_style=is_empty) for is_empty in (False, True)
)
_SEQUENCE, _NO_SEQUENCE = (
    yaml.SequenceStartEvent(None, None, True, flow_style=is_empty) for is_empty in (False, True)
)
_MAPPING_END, _SEQUENCE_END = yaml.MappingEndEvent(), yaml.SequenceEndEvent()


def emit(value: object) -> str:
    """Block style, in the order of the values."""
    events: list[yaml.Event] = [*_START]
    _Writer(events).write(value)
    events += _END
    return str(yaml.emit(events, Dumper=yaml.CSafeDumper, allow_unicode=True, width=_WIDTH))


class _Writer:
    """Adds the events of a value; keys come again and again."""

    def __init__(self, events: list[yaml.Event]) -> None:
        self.events = events
        self.keys: dict[str, yaml.Event] = {}

    def write(self, value: object) -> None:
        match value:
            case dict():
                self.events.append(_MAPPING if value else _NO_MAPPING)
                for key, item in value.items():
                    self.events.append(self.keys.get(key) or self.key(key))
                    self.write(item)
                self.events.append(_MAPPING_END)
            case list():
                self.events.append(_SEQUENCE if value else _NO_SEQUENCE)
                for item in value:
                    self.write(item)
                self.events.append(_SEQUENCE_END)
            case str():
                self.events.append(_text(value))
            case _:
                self.events.append(_plain(value))

    def key(self, key: str) -> yaml.Event:
        return self.keys.setdefault(key, _text(key))


def _plain(value: object) -> yaml.Event:
    if value is None:
        text = "null"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int):
        text = str(value)
    elif isinstance(value, float):
        text = _number(value)
    else:
        raise TypeError(f"not a plain value: {type(value).__name__}")
    return yaml.ScalarEvent(None, None, (True, False), text)


def _number(value: float) -> str:
    """YAML wants a point before an exponent."""
    digits, mark, exponent = repr(value).partition("e")
    return repr(value) if not mark or "." in digits else f"{digits}.0e{exponent}"


def _text(text: str) -> yaml.Event:
    """In quotes where it would be read as something else."""
    return yaml.ScalarEvent(None, None, (tag_of(text) == STR, True), text)
