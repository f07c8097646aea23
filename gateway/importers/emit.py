"""Plain values → YAML of ours that people like to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import yaml

_LINE_LENGTH = 100


class _Dumper(yaml.SafeDumper):
    """Block style, no anchors, texts of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented below their key."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    is_long = "\n" in value.rstrip("\n") and all(
        line == line.rstrip() for line in value.split("\n")
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if is_long else None)


def _number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.Node:
    whole = value == value.to_integral_value()
    kind, text = ("int", str(int(value))) if whole else ("float", f"{value:f}")
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Decimal, _number)


def emit(configuration: Mapping[str, object], header: Sequence[str] = ()) -> str:
    """The configuration as YAML, empty blocks left out; `header` lines come first, as comments.

    Texts are written as they are: a variable is `${VAR}` in them, a literal `${` is `$${`.
    """
    blocks = [
        yaml.dump(
            {name: block},
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=_LINE_LENGTH,
            default_flow_style=False,
        )
        for name, block in configuration.items()
        if block not in ({}, [], (), None)
    ]
    comment = "".join(f"# {line}\n" if line else "#\n" for line in header)
    return "\n".join([comment, *blocks]) if comment else "\n".join(blocks)
