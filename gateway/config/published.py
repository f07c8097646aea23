"""The configuration as the control plane sends it to extproc: complete, and without secrets.

Variables are replaced, keys of providers and guards are gone, API keys are digests. No file has to
be read for it: what workers need of other files stands in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.config.emission import emit
from gateway.config.environment import escape
from gateway.config.identity import ApiKeyBlock
from gateway.config.schema import Config

_SECRET = "key"
_NOT_FOR_WORKERS = ("include", "xds")


def published(config: Config) -> str:
    """YAML that loads, with any environment, to the same but for the secrets."""
    document = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for key in _NOT_FOR_WORKERS:
        document.pop(key, None)
    for gateway in document.get("gateways", {}).values():
        gateway.pop("tls", None)
    document.get("llm", {}).pop("price_files", None)
    for provider in document.get("llm", {}).get("providers", {}).values():
        for key in (_SECRET, "ca"):
            provider.pop(key, None)
    for guard in document.get("guardrails", ()):
        guard.pop(_SECRET, None)
    keys = document.get("identity", {}).get("api_keys", {}).get("keys", ())
    if keys:
        hashed = map(_hashed, keys, config.identity.api_keys.keys)
        document["identity"]["api_keys"]["keys"] = list(hashed)
    return emit(_each_text(document, escape))


def _hashed(written: dict[str, Any], key: ApiKeyBlock) -> dict[str, Any]:
    rest = {name: value for name, value in written.items() if name not in (_SECRET, "digest")}
    return {"name": rest.pop("name"), "digest": key.sha256, **rest}


def _each_text(value: object, change: Callable[[str], str]) -> object:
    match value:
        case str():
            return change(value)
        case dict():
            return {key: _each_text(item, change) for key, item in value.items()}
        case list():
            return [_each_text(item, change) for item in value]
    return value
