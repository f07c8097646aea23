"""Plain values → YAML of ours."""

from __future__ import annotations

from decimal import Decimal

import yaml

from gateway.config.load import load
from gateway.config.schema import Config
from gateway.importers.emit import emit


def test_blocks_are_apart_and_the_header_is_a_comment() -> None:
    assert emit(
        {"gateways": {"a": {"port": 80}}, "routes": [], "budgets": [{"name": "b"}]},
        ["From theirs.yaml"],
    ) == ("# From theirs.yaml\n\ngateways:\n  a:\n    port: 80\n\nbudgets:\n  - name: b\n")


def test_texts_keep_their_lines_and_numbers_their_digits() -> None:
    written = emit(
        {"a": {"b": "x\ny\n", "c": Decimal("0.10"), "d": Decimal(3), "e": "on", "f": ""}}
    )
    assert "b: |\n" in written
    assert "c: 0.10\n" in written
    assert yaml.safe_load(written)["a"] == {"b": "x\ny\n", "c": 0.1, "d": 3, "e": "on", "f": ""}


def test_what_is_used_twice_is_written_twice() -> None:
    shared = {"x": 1}
    assert "&" not in emit({"a": [shared, shared]})


def test_a_variable_stays_one() -> None:
    text = emit({"gateways": {"default": {"port": "${PORT}"}}})
    config = load(text, file="x", environment={"PORT": "81"})
    assert isinstance(config, Config)
    assert config.gateways["default"].port == 81
