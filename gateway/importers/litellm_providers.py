"""Which of LiteLLM's providers we can speak to, and how: one row each.

Addresses and variables as https://docs.litellm.ai/docs/providers documents them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.catalog import catalog
from gateway.config.vendors import VENDORS

COMPATIBLE = "openai-compatible"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A provider whose dialect we speak."""

    type: str
    """Ours: a row of `vendors`."""
    key_variable: str = ""
    """Where LiteLLM looks for the key when the file has none; empty: it goes without."""
    url: str | None = None
    """Where it is, when the type does not say."""
    base_variable: str = ""
    """Where LiteLLM looks for the address when the file has none."""
    path: str = ""
    """What comes after the address that LiteLLM is given."""
    model_prefix: str = ""
    """What LiteLLM puts before the name of the model."""
    note: str = ""
    """A difference to how LiteLLM speaks to it."""
    hosts: tuple[str, ...] = ()
    """Where alone it is; at another address given something else is."""
    cloud: str = ""
    """A row of `litellm_clouds`: it has options instead of an address."""


_OLLAMA = Spoken(
    "ollama",
    path="/v1",
    base_variable="OLLAMA_API_BASE",
    note="spoken to by its OpenAI-compatible API, not by its own",
)

SPOKEN: Mapping[str, Spoken] = MappingProxyType(
    {
        "openai": Spoken("openai", "OPENAI_API_KEY"),
        "custom_openai": Spoken(COMPATIBLE, "OPENAI_API_KEY"),
        "openai_like": Spoken(COMPATIBLE, "OPENAI_LIKE_API_KEY"),
        "deepseek": Spoken("deepseek", "DEEPSEEK_API_KEY"),
        "fireworks_ai": Spoken(
            "fireworks", "FIREWORKS_API_KEY", model_prefix="accounts/fireworks/models/"
        ),
        "groq": Spoken("groq", "GROQ_API_KEY"),
        "mistral": Spoken("mistral", "MISTRAL_API_KEY"),
        "ollama": _OLLAMA,
        "ollama_chat": _OLLAMA,
        "openrouter": Spoken("openrouter", "OPENROUTER_API_KEY"),
        "together_ai": Spoken("together", "TOGETHERAI_API_KEY"),
        "xai": Spoken("xai", "XAI_API_KEY"),
        "hosted_vllm": Spoken("vllm", base_variable="HOSTED_VLLM_API_BASE"),
        "azure": Spoken(
            "azure-openai",
            "AZURE_API_KEY",
            base_variable="AZURE_API_BASE",
            note="an address in a variable must not end with a slash",
            hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
        ),
        "anthropic": Spoken(
            "anthropic", "ANTHROPIC_API_KEY", base_variable="ANTHROPIC_API_BASE", path="/v1"
        ),
        "gemini": Spoken("gemini", "GEMINI_API_KEY"),
        "bedrock": Spoken("bedrock", cloud="bedrock", note="by Converse"),
        "bedrock_converse": Spoken("bedrock", cloud="bedrock"),
        "vertex_ai": Spoken("vertex", cloud="vertex"),
        "vertex_ai_beta": Spoken("vertex", cloud="vertex"),
        "cohere_chat": Spoken(
            "cohere",
            "COHERE_API_KEY",
            note="spoken to by its OpenAI-compatible API, not by its own",
            hosts=("api.cohere.ai", "api.cohere.com"),
        ),
        "lm_studio": Spoken("lm-studio", base_variable="LM_STUDIO_API_BASE"),
        "llamafile": Spoken("llama-cpp"),
        "litellm_proxy": Spoken(
            COMPATIBLE, "LITELLM_PROXY_API_KEY", base_variable="LITELLM_PROXY_API_BASE"
        ),
        "perplexity": Spoken("perplexity", "PERPLEXITYAI_API_KEY"),
        "nvidia_nim": Spoken("nvidia-nim", "NVIDIA_NIM_API_KEY"),
        "cerebras": Spoken("cerebras", "CEREBRAS_API_KEY"),
        "sambanova": Spoken("sambanova", "SAMBANOVA_API_KEY"),
        "deepinfra": Spoken(COMPATIBLE, "DEEPINFRA_API_KEY", "https://api.deepinfra.com/v1/openai"),
        "moonshot": Spoken("moonshot", "MOONSHOT_API_KEY"),
        "hyperbolic": Spoken("hyperbolic", "HYPERBOLIC_API_KEY"),
        "nebius": Spoken("nebius", "NEBIUS_API_KEY"),
        "novita": Spoken("novita", "NOVITA_API_KEY"),
        "dashscope": Spoken(
            "dashscope",
            "DASHSCOPE_API_KEY",
            base_variable="DASHSCOPE_API_BASE",
        ),
        "volcengine": Spoken(
            COMPATIBLE,
            "VOLCENGINE_API_KEY",
            "https://ark.cn-beijing.volces.com/api/v3",
            base_variable="VOLCENGINE_API_BASE",
        ),
        "xinference": Spoken(
            COMPATIBLE, url="http://127.0.0.1:9997/v1", base_variable="XINFERENCE_API_BASE"
        ),
        "featherless_ai": Spoken(
            COMPATIBLE, "FEATHERLESS_AI_API_KEY", "https://api.featherless.ai/v1"
        ),
        "vercel_ai_gateway": Spoken(
            COMPATIBLE, "VERCEL_AI_GATEWAY_API_KEY", "https://ai-gateway.vercel.sh/v1"
        ),
        "aiml": Spoken(COMPATIBLE, "AIML_API_KEY", "https://api.aimlapi.com/v1"),
    }
)

OTHER_DIALECTS = frozenset(
    {
        "a2a",
        "ai21",
        "aleph_alpha",
        "anthropic_text",
        "assemblyai",
        "azure_ai",
        "azure_text",
        "baseten",
        "bytez",
        "clarifai",
        "cloudflare",
        "codestral",
        "cohere",
        "cometapi",
        "custom",
        "databricks",
        "deepgram",
        "elevenlabs",
        "friendliai",
        "galadriel",
        "gigachat",
        "github",
        "github_copilot",
        "gradient_ai",
        "heroku",
        "huggingface",
        "infinity",
        "jina_ai",
        "lambda_ai",
        "langgraph",
        "maritalk",
        "meta_llama",
        "nlp_cloud",
        "oci",
        "oobabooga",
        "palm",
        "petals",
        "predibase",
        "recraft",
        "replicate",
        "sagemaker",
        "sagemaker_chat",
        "snowflake",
        "text-completion-codestral",
        "text-completion-openai",
        "topaz",
        "triton",
        "vllm",
        "voyage",
        "watsonx",
        "watsonx_text",
        "zai",
    }
)
"""Names of providers that we know to be LiteLLM's, and do not speak to."""

_OPENAI = re.compile(r"(gpt-|chatgpt-|o[1-9](-|$)|ft:gpt-|codex-|computer-use-)")
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "claude": "anthropic",
        "gemini": "vertex_ai",
        "command": "cohere_chat",
        "anthropic.": "bedrock",
    }
)


@dataclass(frozen=True, slots=True)
class Meant:
    """What a `model` of LiteLLM's stands for."""

    provider: str
    """LiteLLM's name of it; empty: we cannot tell."""
    model: str
    spoken: Spoken | None = None


def meant(model: str, custom_provider: str = "") -> Meant:
    """`groq/llama-3` → the provider and the model, as LiteLLM tells them apart."""
    prefix, slash, rest = model.partition("/")
    if custom_provider:
        own = rest if slash and prefix == custom_provider else model
        return Meant(custom_provider, own, SPOKEN.get(custom_provider))
    if slash and (prefix in SPOKEN or prefix in OTHER_DIALECTS):
        return Meant(prefix, rest, SPOKEN.get(prefix))
    if not slash:
        if _OPENAI.match(model) or f"openai/{model}" in catalog():
            return Meant("openai", model, SPOKEN["openai"])
        for start, provider in _ELSEWHERE.items():
            if model.startswith(start):
                return Meant(provider, model, SPOKEN.get(provider))
    return Meant("", model)


def default_url(spoken: Spoken) -> str | None:
    """Where the provider is when nobody says."""
    url = spoken.url or VENDORS[spoken.type].url
    return None if url is not None and "{" in url else url
