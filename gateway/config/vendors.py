"""The table of vendors: what a provider's `type` stands for.

Base addresses as the vendors document them; to add a vendor is to add a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.model import Dialect


@dataclass(frozen=True, slots=True)
class Vendor:
    """What we know of a vendor before the operator says anything."""

    dialect: Dialect
    url: str | None
    """Where its API is; None: the operator has to say."""


VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        "openai": Vendor(Dialect.OPENAI_CHAT, "https://api.openai.com/v1"),
        "openai-compatible": Vendor(Dialect.OPENAI_CHAT, None),
        "deepseek": Vendor(Dialect.OPENAI_CHAT, "https://api.deepseek.com/v1"),
        "fireworks": Vendor(Dialect.OPENAI_CHAT, "https://api.fireworks.ai/inference/v1"),
        "groq": Vendor(Dialect.OPENAI_CHAT, "https://api.groq.com/openai/v1"),
        "mistral": Vendor(Dialect.OPENAI_CHAT, "https://api.mistral.ai/v1"),
        "ollama": Vendor(Dialect.OPENAI_CHAT, "http://127.0.0.1:11434/v1"),
        "openrouter": Vendor(Dialect.OPENAI_CHAT, "https://openrouter.ai/api/v1"),
        "together": Vendor(Dialect.OPENAI_CHAT, "https://api.together.xyz/v1"),
        "vllm": Vendor(Dialect.OPENAI_CHAT, None),
        "xai": Vendor(Dialect.OPENAI_CHAT, "https://api.x.ai/v1"),
    }
)

POOL_PATH = "/v1"
"""Where the servers of a pool have their API."""
