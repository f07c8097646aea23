"""Model providers of theirs → `llm.providers`: their types, where they are, and their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from gateway.config.offered import USUAL_PATHS
from gateway.config.providers import OperationPath
from gateway.config.scalars import HostPort, Secret
from gateway.config.urls import Url
from gateway.config.vendors import VENDORS
from gateway.importers.agentgateway import llm_keys, policy_keys
from gateway.importers.agentgateway.clouds import CLOUDS, Names, read_cloud_auth
from gateway.importers.agentgateway.draft import Draft
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node
from gateway.operations import Operation

COMPATIBLE = "openai-compatible"


@dataclass(frozen=True, slots=True)
class Known:
    """What a provider of theirs is here."""

    type: str
    variable: str | None = None
    """Where its key is looked for when none is written."""


KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "openAI": Known("openai", "OPENAI_API_KEY"),
        "openai": Known("openai", "OPENAI_API_KEY"),
        "anthropic": Known("anthropic", "ANTHROPIC_API_KEY"),
        "gemini": Known("gemini", "GEMINI_API_KEY"),
        "cohere": Known("cohere"),
        "ollama": Known("ollama"),
        "baseten": Known("baseten"),
        "cerebras": Known("cerebras"),
        "deepinfra": Known("deepinfra"),
        "deepseek": Known("deepseek"),
        "groq": Known("groq"),
        "huggingface": Known("huggingface"),
        "mistral": Known("mistral"),
        "openrouter": Known("openrouter"),
        "togetherai": Known("together"),
        "xai": Known("xai"),
        "fireworks": Known("fireworks"),
        "azure": Known("azure-openai"),
        "vertex": Known("vertex"),
        "bedrock": Known("bedrock"),
        "custom": Known(COMPATIBLE),
    }
)
_FORMATS: Mapping[str, Operation] = MappingProxyType(
    {
        "completions": Operation.CHAT,
        "messages": Operation.MESSAGES,
        "responses": Operation.RESPONSES,
        "embeddings": Operation.EMBEDDINGS,
        "rerank": Operation.RERANK,
        "realtime": Operation.REALTIME,
        "anthropicTokenCount": Operation.MESSAGE_TOKENS,
    }
)
REFUSED: Mapping[str, str] = MappingProxyType(
    {"copilot": "GitHub Copilot is no provider of this version: its tokens are not fetched"}
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider's API is, as theirs says it."""

    base_url: str | None = None
    host: str | None = None
    path: str | None = None
    """The whole path of a call."""
    prefix: str | None = None
    """What stands before the path of a call."""
    is_tls: bool = False


def known(kind: str, address: Address, *, path: str | None = None) -> dict[str, object]:
    """Type and URL of a provider of theirs. Empty: it has no address that can be said."""
    vendor = KNOWN[kind].type
    url = located(replace(address, path=path or address.path), vendor)
    if url is None or not fits(Url, url):
        return {}
    block: dict[str, object] = {"type": vendor}
    if url != VENDORS[vendor].url:
        block["url"] = url
    return block


def in_cloud(
    kind: str, take: Callable[[str], Node], names: Names, model: str | None, address: Address
) -> dict[str, object]:
    """The same of a provider in a cloud, which has options instead of an address. What is written
    as its address takes their place."""
    block = CLOUDS[kind](take, names, model)
    if block is None or address.path is not None or address.prefix is not None:
        return {}
    url = located(address, COMPATIBLE)
    if url is not None:
        if kind != "azure" or not fits(Url, url):  # others have options in their paths
            return {}
        origin = "/".join(url.split("/")[:3])
        block = {**block, "url": url if address.base_url is not None else origin}
    return block


def speaks_tls(block: Mapping[str, object]) -> bool:
    """Whether a provider is asked over https."""
    vendor = VENDORS.get(str(block.get("type")))
    url = block.get("url") or (vendor.url if vendor is not None else None)
    return str(url).startswith("https:")


def located(address: Address, vendor: str) -> str | None:
    """The URL before the path of a call; None when it cannot be said."""
    own, call = VENDORS[vendor].url, VENDORS[vendor].offers[0][1]
    url = own
    if address.base_url is not None:
        before = call.removesuffix("/chat/completions") if call.endswith("/completions") else ""
        url = address.base_url.rstrip("/").removesuffix(before)
    elif address.host is not None:
        if not fits(HostPort, address.host):
            return None
        is_tls = address.is_tls or address.host.endswith(":443")
        after = "" if own is None else own.split("://", 1)[1].partition("/")[2]
        base = f"/{after}" if after else ""
        base = "/v1" if own is None else base
        url = f"{'https' if is_tls else 'http'}://{address.host}{base}"
    if url is None:
        return None
    origin = "/".join(url.split("/")[:3])
    if address.path is not None:
        before, separator, after = address.path.partition(call)
        return None if not separator or after else f"{origin}{before}"
    if address.prefix is not None:
        return f"{origin}/{address.prefix.strip('/')}".rstrip("/")
    return url


def read_custom(node: Node) -> tuple[str | None, bool]:
    """The path of chat completions, and whether they are served at all."""
    settle(node, llm_keys.CUSTOM, unknown_is_lock=False)
    path, is_served = None, False
    for item in node.take("formats").items():
        settle(item, llm_keys.FORMAT, unknown_is_lock=False)
        kind = item.take("type")
        if kind.text() == "completions":
            item.exact("llm.providers.type")
            path, is_served = item.take("path").text(), True
        else:
            item.unsupported("what it serves so is left out: write `offers`")
    return path, is_served


def add_offers(node: Node, block: dict[str, object]) -> None:
    """What a provider of one's own serves, and nothing else, as far as its paths can be said."""
    url = str(block.get("url"))
    base = url.split("://", 1)[-1].partition("/")[2]
    base = f"/{base}" if base else ""
    found: dict[str, str] = {}
    items = list(node.take("formats").items())
    kinds = {item.take("type").text(): item.take("path").text() for item in items}
    usual = "/v1" if kinds.get("completions") else base  # the url is made of that path
    for item in items:
        operation = _FORMATS.get(item.take("type").text() or "")
        if operation is None:
            continue
        path = item.take("path").text() or f"{usual}{USUAL_PATHS[operation]}"
        after = path.removeprefix(base)
        if operation is Operation.CHAT:
            path, after = f"{base}/", USUAL_PATHS[operation]
        if path.startswith(f"{base}/") and fits(OperationPath, after) and "${" not in after:
            found[operation.value] = after
            item.forget()
            item.exact("llm.providers.type")
    if found:
        block["offers"] = found


def read_auth(node: Node, block: dict[str, object]) -> bool:
    """The credential of a provider. False: it cannot be sent, so that calls would fail."""
    if node.is_empty:
        return True
    if not isinstance(node.value, dict):
        node.unsupported("no tokens of GitHub Copilot are fetched")
        return False
    cloud = read_cloud_auth(node, block)
    settle(node, policy_keys.BACKEND_AUTH, unknown_is_lock=False)
    if cloud is not None:
        _leave(node, "passthrough", "key", "aws", "gcp", "azure")
        return cloud
    passed = node.take("passthrough")
    if passed.is_written:
        passed.unsupported("clients' own keys are not passed on: write the provider's key")
        _leave(node, "key")
        return True
    key = node.take("key")
    value = key
    if isinstance(key.value, dict):
        settle(key, policy_keys.BACKEND_KEY, unknown_is_lock=False)
        value = key.take("value") if key.has("value") else key
        if key.has("location") and not _is_bearer(key.take("location").value):
            key.unsupported("keys are sent as `Authorization: Bearer …`", is_security=False)
            return False
        key.take("location").exact("llm.providers.key")
    if key.is_empty:
        return False
    return read_key(value, block)


def _leave(node: Node, *names: str) -> None:
    """What is written beside the credential that is taken."""
    for name in names:
        if node.has(name):
            node.take(name).unsupported("a provider has one credential", is_security=False)


def read_key(node: Node, block: dict[str, object], variable: str = "PROVIDER_API_KEY") -> bool:
    """A key that is written, or in a file."""
    if isinstance(node.value, dict):
        block["key"] = f"${{{variable}}}"
        node.different("llm.providers.key", f"put what is in the file into {variable}")
        return True
    text = node.text()
    if text is not None and fits(Secret, text):
        block["key"] = text
        node.exact("llm.providers.key")
        return True
    node.unsupported("a key is printable ascii without spaces", is_security=False)
    return False


def _is_bearer(location: object) -> bool:
    header = location.get("header") if isinstance(location, dict) else None
    if not isinstance(header, dict):
        return False
    prefix = header.get("prefix")
    return (
        str(header.get("name", "")).lower() == "authorization"
        and isinstance(prefix, str)
        and prefix.strip() == "Bearer"
    )


def provider_name(block: Mapping[str, object], wanted: str, draft: Draft) -> str:
    """The name of a provider; equal ones are one."""
    for name, other in draft.providers.items():
        if other == dict(block):
            return name
    name = draft.name("provider", wanted, "provider")
    draft.providers[name] = dict(block)
    return name
