from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gateway.config.reference import json_schema, markdown
from gateway.config.vendors import VENDORS

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs/reference"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "generate"), [("config.md", markdown), ("config.schema.json", json_schema)]
)
def test_the_committed_reference_is_current(name: str, generate: Any) -> None:
    path, made = REFERENCE / name, generate()
    if os.environ.get("REWRITE"):
        path.write_text(made, "utf-8")
    assert path.read_text("utf-8") == made


@pytest.fixture(scope="module")
def page() -> str:
    return markdown()


@pytest.fixture(scope="module")
def editor() -> jsonschema.Draft202012Validator:
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_editors_accept_the_examples(path: Path, editor: jsonschema.Draft202012Validator) -> None:
    editor.validate(yaml.safe_load(path.read_text("utf-8")))


def test_editors_refuse_mistakes(editor: jsonschema.Draft202012Validator) -> None:
    for text in (
        "routs: []",
        "gateways: {a: {port: 0}}",
        "gateways: {a: {}}",
        "llm: {providers: {a: {type: opnai}}}",
        "guardrails: [{type: regexp}]",
        "budgets: [{name: a, limit: 1 USD, per: year}]",
    ):
        assert not editor.is_valid(yaml.safe_load(text)), text


def test_every_link_of_the_page_leads_somewhere(page: str) -> None:
    anchors = {
        "".join(c for c in line[3:].lower() if c.isalnum() or c in "-_ ").replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("## ")
    }
    links = {part.split(")")[0] for part in page.split("](#")[1:]}
    assert links
    assert links <= anchors


def test_every_vendor_is_on_the_page(page: str) -> None:
    assert [name for name in VENDORS if f"| `{name}` | " not in page] == []
    assert "| `deepseek` | `https://api.deepseek.com` | |" in page
    assert "`chat` at `/v1/chat/completions`, `messages` at `/anthropic/v1/messages`" in page
