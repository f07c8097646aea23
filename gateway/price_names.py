"""What else a priced model may be called: dated versions, and the spellings of clouds.

Bedrock: `us.anthropic.claude-sonnet-4-5-20250929-v1:0`; Vertex: `claude-sonnet-4-5@20250929`,
`publishers/google/models/gemini-2.5-pro`; OpenAI's fine-tunes: `ft:gpt-4o-2024-08-06:org::id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

LIKE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "azure-foundry": ("azure", "openai", "anthropic"),
        "azure-foundry-claude": ("azure", "anthropic"),
        "azure-openai": ("azure", "openai"),
        "bedrock": ("anthropic",),
        "bedrock-claude": ("bedrock", "anthropic"),
        "bedrock-openai": ("bedrock",),
        "openrouter": ("gemini",),
        "vertex": ("gemini", "anthropic"),
        "vertex-claude": ("vertex", "anthropic"),
        "vertex-openai": ("vertex", "gemini"),
    }
)
"""Whose rows count for vendors that serve models of others, after their own."""

_ARN = re.compile(r"arn:[^/]*/")
_FOLDER = re.compile(r"(?:projects/.+/)?(?:publishers|accounts)/[^/]+/models/|models/|google/")
_REGION = re.compile(r"(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9]+\.)")
_BUILD = re.compile(r"(?<=.)(?:-v[0-9]+)?:[0-9]+(?::[0-9a-z]+)?$|(?<=.)-v[0-9]+$")
_LABEL = re.compile(r"(?<=.)@[a-z]+$")
_DATE = re.compile(r"(?<=.)(?:-[0-9]{4}-[0-9]{2}-[0-9]{2}|[-@][0-9]{8})$")
_MAKER = re.compile(r"[a-z0-9]+\.(?=[a-z])")


def spellings(model: str) -> Iterator[str]:
    """The name itself, then what it is called with less and less said."""
    yield model
    if model.startswith("ft:"):
        model = ":".join(model.split(":")[:2])
        yield model
    for what in (_ARN, _FOLDER):
        found = what.match(model)
        if found and found.end() < len(model):
            model = model[found.end() :]
            yield model
    for what in (_BUILD, _LABEL, _DATE):
        found = what.search(model)
        if found:
            model = model[: found.start()]
            yield model
    for what in (_REGION, _MAKER):
        found = what.match(model)
        if found:
            model = model[found.end() :]
            yield model


def keys(provider: str, vendor: str, model: str) -> Iterator[str]:
    """Under which names prices are looked for, the closest first."""
    for name in spellings(model):
        yield f"{provider}/{name}"
        yield f"{vendor}/{name}"
        yield name
        for other in LIKE.get(vendor, ()):
            yield f"{other}/{name}"
        if vendor == "openrouter":  # whose names are `maker/model-4.5`
            yield name.replace(".", "-")
