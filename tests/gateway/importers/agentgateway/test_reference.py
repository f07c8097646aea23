from __future__ import annotations

import os
from pathlib import Path

from gateway.importers.agentgateway.keys import by_name
from gateway.importers.agentgateway.providers import KNOWN, REFUSED
from gateway.importers.agentgateway.reference import BLOCKS, markdown

PAGE = Path(__file__).parents[4] / "docs/reference/import-agentgateway.md"


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("REWRITE"):
        PAGE.write_text(markdown(), "utf-8")
    assert PAGE.read_text("utf-8") == markdown()


def test_every_key_and_every_provider_is_on_the_page() -> None:
    page = markdown()
    for rows in BLOCKS.values():
        assert all(f"`{name}`" in page for name in by_name(rows))
    assert all(f"| `{name}` |" in page for name in (*KNOWN, *REFUSED))


def test_the_page_says_which_keys_close_what_they_protect() -> None:
    page = markdown()
    assert "| `jwtAuth` | lock |" in page
    assert "| `concurrencyLimit` | limit |" in page
