"""The table of vendors: what a provider's `type` stands for.

Addresses, paths and headers as the vendors document them; to add a vendor is to add a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.betas import Betas
from gateway.config.offered import (
    ANTHROPIC,
    AZURE,
    BEDROCK,
    BEDROCK_CLAUDE,
    COHERE,
    GEMINI,
    OPENAI,
    OPENAI_COMPATIBLE,
    VERTEX,
    VERTEX_CLAUDE,
    Offers,
    openai,
)
from gateway.model import BodyForm
from gateway.operations import Operation


class Identity(StrEnum):
    """Who asks, where no credential is written."""

    NOBODY = "nobody"
    AWS = "aws"
    """Whoever AWS says that the machine is; requests are signed."""
    GOOGLE = "google"
    """The service account of the machine."""


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How a vendor wants to be shown a key."""

    header: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Vendor:
    """What we know of a vendor before the operator says anything."""

    url: str | None
    """Where its API is, with options in braces; None: the operator has to say."""
    offers: Offers
    key: KeyForm = KeyForm("authorization", "Bearer ")
    headers: tuple[tuple[str, str], ...] = ()
    body_form: BodyForm = BodyForm.PLAIN
    needs: tuple[str, ...] = ()
    """Options without which there is no such provider."""
    takes: tuple[str, ...] = ()
    """Options that it may have."""
    identity: Identity = Identity.NOBODY
    betas: Betas | None = None
    """Those of Anthropic's that it documents; None: all, or it serves no Claude."""


_API_KEY = KeyForm("api-key")
_X_API_KEY = KeyForm("x-api-key")
_GOOGLE_KEY = KeyForm("x-goog-api-key")
_ANTHROPIC_VERSION = (("anthropic-version", "2023-06-01"),)
_CLOUDS_BETAS: Betas = (
    "compact-2026-01-12",
    "computer-use-*",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "interleaved-thinking-2025-05-14",
    "tool-search-tool-2025-10-19",
)
_BEDROCK_BETAS: Betas = (
    *_CLOUDS_BETAS,
    "dev-full-thinking-2025-05-14",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29",
)
_VERTEX_BETAS: Betas = (*_CLOUDS_BETAS, "web-search-2025-03-05")
_VERTEX_URL = "https://{vertex_host}/v1/projects/{project}/locations/{region}"
_BEDROCK_URL = "https://bedrock-runtime.{region}.amazonaws.com"
_CHAT, _COMPLETIONS, _RESPONSES = Operation.CHAT, Operation.COMPLETIONS, Operation.RESPONSES
_MESSAGES, _EMBEDDINGS, _RERANK = Operation.MESSAGES, Operation.EMBEDDINGS, Operation.RERANK


def _compatible(url: str | None, *operations: Operation) -> Vendor:
    """One that has operations of OpenAI's at the paths that OpenAI has them at."""
    return Vendor(url, openai(*operations))


VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        # who has an API that others imitate
        "openai": Vendor("https://api.openai.com/v1", OPENAI),
        "anthropic": Vendor(
            "https://api.anthropic.com/v1", ANTHROPIC, _X_API_KEY, _ANTHROPIC_VERSION
        ),
        "gemini": Vendor("https://generativelanguage.googleapis.com/v1beta", GEMINI, _GOOGLE_KEY),
        "cohere": Vendor("https://api.cohere.com", COHERE),
        # clouds
        "azure-openai": Vendor(
            "https://{resource}.openai.azure.com",
            AZURE,
            _API_KEY,
            needs=("resource",),
            takes=("api_version",),
        ),
        "azure-foundry": Vendor(
            "https://{resource}.services.ai.azure.com{azure_project}",
            AZURE,
            _API_KEY,
            needs=("resource",),
            takes=("api_version", "project"),
        ),
        "azure-foundry-claude": Vendor(
            "https://{resource}.services.ai.azure.com/anthropic/v1",
            openai(_MESSAGES, Operation.MESSAGE_TOKENS),
            _X_API_KEY,
            _ANTHROPIC_VERSION,
            needs=("resource",),
        ),
        "bedrock": Vendor(
            _BEDROCK_URL,
            BEDROCK,
            needs=("region",),
            identity=Identity.AWS,
            betas=_BEDROCK_BETAS,
        ),
        "bedrock-claude": Vendor(
            _BEDROCK_URL,
            BEDROCK_CLAUDE,
            body_form=BodyForm.BEDROCK_CLAUDE,
            needs=("region",),
            identity=Identity.AWS,
            betas=_BEDROCK_BETAS,
        ),
        "bedrock-openai": Vendor(
            f"{_BEDROCK_URL}/openai/v1", openai(_CHAT), needs=("region",), identity=Identity.AWS
        ),
        "vertex": Vendor(
            _VERTEX_URL,
            VERTEX,
            _GOOGLE_KEY,
            needs=("project", "region"),
            identity=Identity.GOOGLE,
        ),
        "vertex-claude": Vendor(
            _VERTEX_URL,
            VERTEX_CLAUDE,
            _GOOGLE_KEY,
            body_form=BodyForm.VERTEX_CLAUDE,
            needs=("project", "region"),
            identity=Identity.GOOGLE,
            betas=_VERTEX_BETAS,
        ),
        "vertex-openai": Vendor(
            f"{_VERTEX_URL}/endpoints/openapi",
            openai(_CHAT),
            _GOOGLE_KEY,
            needs=("project", "region"),
            identity=Identity.GOOGLE,
        ),
        # who serves models behind OpenAI's API, or Anthropic's beside it
        "baseten": _compatible("https://inference.baseten.co/v1", _CHAT, _MESSAGES),
        "cerebras": _compatible("https://api.cerebras.ai/v1", _CHAT, _COMPLETIONS),
        "dashscope": _compatible(
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", _CHAT, _EMBEDDINGS
        ),
        "deepinfra": Vendor(
            "https://api.deepinfra.com",
            (
                (_CHAT, "/v1/openai/chat/completions"),
                (_MESSAGES, "/anthropic/v1/messages"),
                (_COMPLETIONS, "/v1/openai/completions"),
                (_EMBEDDINGS, "/v1/openai/embeddings"),
            ),
        ),
        "deepseek": Vendor(
            "https://api.deepseek.com",
            ((_CHAT, "/v1/chat/completions"), (_MESSAGES, "/anthropic/v1/messages")),
        ),
        "fireworks": _compatible(
            "https://api.fireworks.ai/inference/v1",
            *(_CHAT, _RESPONSES, _MESSAGES, _COMPLETIONS, _EMBEDDINGS, _RERANK),
        ),
        "groq": _compatible(
            "https://api.groq.com/openai/v1",
            *(_CHAT, _RESPONSES, Operation.SPEECH, Operation.TRANSCRIPTIONS),
            *(Operation.TRANSLATIONS, Operation.FILES, Operation.BATCHES),
        ),
        "huggingface": _compatible("https://router.huggingface.co/v1", _CHAT, _RESPONSES),
        "hyperbolic": _compatible("https://api.hyperbolic.xyz/v1", _CHAT, _COMPLETIONS),
        "mistral": _compatible(
            "https://api.mistral.ai/v1",
            *(_CHAT, _EMBEDDINGS, Operation.MODERATIONS, Operation.TRANSCRIPTIONS),
            Operation.FILES,
        ),
        "moonshot": _compatible("https://api.moonshot.ai/v1", _CHAT, Operation.FILES),
        "nebius": _compatible(
            "https://api.studio.nebius.ai/v1",
            *(_CHAT, _COMPLETIONS, _EMBEDDINGS, Operation.IMAGE_GENERATIONS),
        ),
        "novita": _compatible("https://api.novita.ai/v3/openai", _CHAT, _COMPLETIONS),
        "nvidia-nim": _compatible(
            "https://integrate.api.nvidia.com/v1", _CHAT, _COMPLETIONS, _EMBEDDINGS
        ),
        "openrouter": _compatible(
            "https://openrouter.ai/api/v1",
            *(_CHAT, _RESPONSES, _MESSAGES, _COMPLETIONS, _EMBEDDINGS, _RERANK),
        ),
        "perplexity": _compatible("https://api.perplexity.ai", _CHAT),
        "sambanova": _compatible("https://api.sambanova.ai/v1", _CHAT, _EMBEDDINGS),
        "together": _compatible(
            "https://api.together.xyz/v1",
            *(_CHAT, _COMPLETIONS, _EMBEDDINGS, _RERANK, Operation.IMAGE_GENERATIONS),
            *(Operation.SPEECH, Operation.TRANSCRIPTIONS),
        ),
        "xai": _compatible(
            "https://api.x.ai/v1",
            *(_CHAT, _RESPONSES, Operation.IMAGE_GENERATIONS, Operation.REALTIME),
        ),
        # servers of your own
        "llama-cpp": _compatible(
            "http://127.0.0.1:8080/v1",
            *(_CHAT, _MESSAGES, Operation.MESSAGE_TOKENS, _COMPLETIONS, _EMBEDDINGS, _RERANK),
        ),
        "lm-studio": _compatible(
            "http://127.0.0.1:1234/v1", _CHAT, _RESPONSES, _COMPLETIONS, _EMBEDDINGS
        ),
        "ollama": _compatible(
            "http://127.0.0.1:11434/v1", _CHAT, _RESPONSES, _COMPLETIONS, _EMBEDDINGS
        ),
        "sglang": _compatible(None, _CHAT, _COMPLETIONS, _EMBEDDINGS, _RERANK),
        "vllm": _compatible(
            None,
            *(_CHAT, _RESPONSES, _MESSAGES, _COMPLETIONS, _EMBEDDINGS, _RERANK),
            *(Operation.TRANSCRIPTIONS, Operation.TRANSLATIONS),
        ),
        # whoever else
        "openai-compatible": Vendor(None, OPENAI_COMPATIBLE),
        "anthropic-compatible": Vendor(
            None,
            openai(_MESSAGES, Operation.MESSAGE_TOKENS),
            _X_API_KEY,
            _ANTHROPIC_VERSION,
        ),
        "custom": Vendor(None, (), needs=("offers",)),
    }
)

POOL_PATH = "/v1"
"""Where the servers of a pool have their API."""
