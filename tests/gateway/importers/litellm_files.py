"""How these tests convert: a file of LiteLLM's that is right, and what its keys come to."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import yaml

from gateway.imported import Imported, Mapped
from gateway.importers.litellm import convert
from tests.gateway.importers.litellm_documents import complaints


def imported(text: str) -> Imported:
    """What comes of a file that is right, and loads."""
    found = convert(dedent(text), "config.yaml")
    assert isinstance(found, Imported), found
    assert complaints(found) == []
    return found


def ours(text: str) -> dict[str, Any]:
    """Our configuration, as plain values."""
    return dict(yaml.safe_load(imported(text).yaml))


def finding(text: str, path: str) -> Mapped:
    """What is said of one key."""
    (found,) = [each for each in imported(text).mappings if each.path == path]
    return found
