from __future__ import annotations

import os
from pathlib import Path

from gateway.imported import Imported
from gateway.importers.litellm import convert
from gateway.importers.litellm_providers import SPOKEN
from gateway.importers.litellm_reference import BLOCKS, markdown

PAGE = Path(__file__).parents[3] / "docs/reference/import-litellm.md"


def test_the_page_is_up_to_date() -> None:
    if os.environ.get("REWRITE"):
        PAGE.write_text(markdown(), "utf-8")
    assert PAGE.read_text("utf-8") == markdown()


def test_every_key_and_every_provider_is_on_the_page() -> None:
    page = markdown()
    for block in BLOCKS:
        assert all(f"`{name}`" in page for name in block.names())
    assert all(f"| `{name}` |" in page for name in SPOKEN)


def test_the_example_of_the_guide_is_what_the_import_makes() -> None:
    guide = (PAGE.parents[1] / "import.md").read_text("utf-8")
    theirs, ours = (
        guide.partition(f"```{language}\n")[2].partition("```")[0] for language in ("yml", "yaml")
    )
    found = convert(theirs, "config.yaml")
    assert isinstance(found, Imported)
    assert found.yaml.partition("\n\n")[2] == ours
