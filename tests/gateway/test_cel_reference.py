"""The reference page is what the tables say."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.cel_functions import GROUPS
from gateway.cel_reference import reference_page
from gateway.cel_variables import VARIABLES

PAGE = Path(__file__).parents[2] / "docs/reference/cel.md"


def test_the_reference_page_is_current() -> None:
    if os.environ.get("REWRITE"):
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(reference_page(VARIABLES, GROUPS), "utf-8")
    assert PAGE.read_text("utf-8") == reference_page(VARIABLES, GROUPS)


def test_every_variable_has_a_row() -> None:
    lines = reference_page(VARIABLES, GROUPS).splitlines()
    for variable in VARIABLES:
        assert sum(line.startswith(f"| `{variable.name}` |") for line in lines) == 1
