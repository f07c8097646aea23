"""In what servers that speak OpenAI's chat dialect differ: which fields each of them takes.

OpenAI refuses fields that it does not know, and so does Mistral; its reasoning models refuse
`max_tokens`, which is all that most others take. Rows say what each vendor documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from extproc.protocols import json_spans


@dataclass(frozen=True, slots=True)
class Server:
    """What one server takes."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Its own names for OpenAI's top-level fields; an empty one: it refuses the field."""
    takes: frozenset[str] = frozenset()
    """What it takes beyond OpenAI: top-level `top_k`, `reasoning`; `images` in answers; in messages
    `reasoning_content`, `reasoning_details`, `extra_content` (Gemini's seals), `video_url`;
    and for cache marks either `cache_control` or `prompt_cache_breakpoint`."""
    call_id_length: int | None = None
    """The ids of tool calls have this many letters and digits; None: up to 40 characters."""


_ASKS_USAGE = "stream_options"
_MAX_TOKENS = MappingProxyType({"max_completion_tokens": "max_tokens"})

OPENAI = Server()
STRICT = Server(_MAX_TOKENS)
"""Refuses fields that it does not know, or does not say that it passes over them."""
COMPATIBLE = Server(_MAX_TOKENS, frozenset({"top_k", "reasoning_content"}))
"""Passes over fields that it does not know, as vLLM, SGLang and llama.cpp do."""
_GEMINI = Server(takes=frozenset({"extra_content"}))

SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        "openai": OPENAI,
        "azure-openai": OPENAI,
        "azure-foundry": OPENAI,
        "bedrock-openai": OPENAI,
        "cerebras": OPENAI,
        "groq": OPENAI,
        "xai": OPENAI,
        "cohere": STRICT,
        "huggingface": STRICT,
        "nvidia-nim": STRICT,
        "perplexity": STRICT,
        "sambanova": STRICT,
        "deepseek": Server(_MAX_TOKENS, frozenset({"reasoning_content"})),
        "gemini": _GEMINI,
        "vertex": _GEMINI,
        "vertex-openai": _GEMINI,
        "mistral": Server(
            {
                **_MAX_TOKENS,
                "logprobs": "",
                "prompt_cache_key": "",
                "seed": "random_seed",
                "service_tier": "",
                "stream_options": "",
                "top_logprobs": "",
                "user": "",
                "verbosity": "",
            },
            call_id_length=9,
        ),
        "openrouter": Server(
            takes=frozenset(
                {
                    "cache_control",
                    "images",
                    "reasoning",
                    "reasoning_content",
                    "reasoning_details",
                    "top_k",
                    "video_url",
                }
            )
        ),
        "vllm": Server(takes=frozenset({"reasoning_content", "top_k", "video_url"})),
    }
)
"""By the names of vendors. All others are `COMPATIBLE`."""


def in_terms(body: bytes, names: Iterable[str], server: Server) -> bytes:
    """A client's own body with what the server calls its fields; `names` are those of its members.

    What a server refuses altogether it may refuse, but for what asks for the usage: it tells that.
    """
    called = server.names
    others = [name for name in names if name in called and (called[name] or name == _ASKS_USAGE)]
    if not others:
        return body
    members = json_spans.members(body)
    kept = {
        called[name]: members[name]
        for name in others
        if called[name] and called[name] not in members
    }
    body = json_spans.remove(body, others)
    return json_spans.replace(body, kept) if kept else body


def may_be_asked_for_usage(server: Server) -> bool:
    """Whether a client of the dialect may ask how much a stream used; others tell it anyway."""
    return server.names.get(_ASKS_USAGE) != ""


def server_of(vendor: str) -> Server:
    """What a vendor's server takes."""
    return SERVERS.get(vendor, COMPATIBLE)
