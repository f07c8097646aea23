"""The table of vendors: what a provider's `type` stands for.

Base addresses as the vendors document them; to add a vendor is to add a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from gateway.operations import Operation

Offers: TypeAlias = tuple[tuple[Operation, str], ...]


@dataclass(frozen=True, slots=True)
class Vendor:
    """What we know of a vendor before the operator says anything."""

    url: str | None
    """Where its API is; None: the operator has to say."""
    offers: Offers


CHAT: Offers = ((Operation.CHAT, "/chat/completions"),)

VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        "openai": Vendor("https://api.openai.com/v1", CHAT),
        "openai-compatible": Vendor(None, CHAT),
        "deepseek": Vendor("https://api.deepseek.com/v1", CHAT),
        "fireworks": Vendor("https://api.fireworks.ai/inference/v1", CHAT),
        "groq": Vendor("https://api.groq.com/openai/v1", CHAT),
        "mistral": Vendor("https://api.mistral.ai/v1", CHAT),
        "ollama": Vendor("http://127.0.0.1:11434/v1", CHAT),
        "openrouter": Vendor("https://openrouter.ai/api/v1", CHAT),
        "together": Vendor("https://api.together.xyz/v1", CHAT),
        "vllm": Vendor(None, CHAT),
        "xai": Vendor("https://api.x.ai/v1", CHAT),
    }
)

POOL_PATH = "/v1"
"""Where the servers of a pool have their API."""
