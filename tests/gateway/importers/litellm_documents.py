"""Random files of LiteLLM's, drawn from the tables of its keys; and what a conversion must keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from gateway.config.document import read
from gateway.config.environment import escape
from gateway.config.finding import Path as KeyPath
from gateway.config.finding import dotted
from gateway.config.sources import Loader
from gateway.imported import Imported
from gateway.importers.litellm_general_keys import GENERAL, PASS_THROUGH
from gateway.importers.litellm_keys import (
    ALIAS,
    GUARD,
    GUARD_PARAMS,
    MODEL,
    TOP,
    Block,
)
from gateway.importers.litellm_model_keys import INFO, PARAMS
from gateway.importers.litellm_providers import OTHER_DIALECTS, SPOKEN
from gateway.importers.litellm_settings_keys import LITELLM, ROUTER
from tests.gateway.importers.agentgateway.imports import Certificates

SECRET = "sk-the-secret-of-somebody"
NAMES = ("a", "b", "gpt-4", "openai/*", "openai/gpt-4", "*", "a b", "${X}", "os.environ/N", "a:1")
MODELS = (
    "gpt-4o",
    "openai/gpt-4o",
    "openai/*",
    "*",
    "groq/llama",
    "unheard/of",
    "os.environ/MODEL",
    *(f"{name}/m" for name in sorted(SPOKEN)),
    *(f"{name}/m" for name in sorted(OTHER_DIALECTS)[:5]),
)

words = st.sampled_from(
    [
        *NAMES,
        *MODELS,
        SECRET,
        "os.environ/KEY",
        "os.environ/not a name",
        "https://host.example/v1",
        "http://127.0.0.1:11434",
        "https://u:p@host/?q",
        "30d",
        "1h",
        "12",
        "0.5",
        "yes",
        "/path",
        "/v1/rerank",
        "10.0.0.1",
        "pre_call",
        "post_call",
        "BLOCK",
        "MASK",
        "(?=python)",
        r"\d+",
        "simple-shuffle",
        "chat",
        "embedding",
        "bedrock",
        "presidio",
        "litellm_content_filter",
        "openai_moderation",
        "regex",
        "",
        "$${",
        "${A:-b}",
        "é\u2028",
    ]
)
plain = st.sampled_from(["a", "gpt-4", "openai/*", "KEY", "a.b", "x y", ""])
numbers = st.one_of(
    st.integers(-5, 10**7),
    st.sampled_from([0.1, 0.25, 1e-07, 2.5e-06, 1e-12, 1e300]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, words)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(plain, inner, max_size=3)),
    max_leaves=6,
)


TYPED: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("blocked", "default_on", "hidden", "auth"), st.booleans()),
    **dict.fromkeys(("include_subpath", "forward_headers"), st.booleans()),
    **dict.fromkeys(("timeout", "stream_timeout", "request_timeout", "weight", "order"), numbers),
    **dict.fromkeys(("rpm", "tpm", "max_budget", "max_request_size_mb"), numbers),
    **dict.fromkeys(("pass_through_request_timeout",), numbers),
    **dict.fromkeys(("api_key", "api_base", "base_url", "custom_llm_provider", "mode"), words),
    **dict.fromkeys(("litellm_credential_name", "budget_duration", "routing_strategy"), words),
    **dict.fromkeys(("guardrailIdentifier", "aws_region_name"), words),
    **dict.fromkeys(("allowed_routes", "include", "callbacks"), st.lists(words, max_size=3)),
    **dict.fromkeys(
        (
            "input_cost_per_token",
            "output_cost_per_token",
            "cache_read_input_token_cost",
            "cache_creation_input_token_cost",
        ),
        st.sampled_from([0, 1e-07, 2.5e-06, "3e-6", 1e-12]),
    ),
    "environment_variables": st.dictionaries(st.sampled_from(["KEY", "OPENAI_API_KEY"]), words),
    "patterns": st.lists(
        st.fixed_dictionaries({"pattern": words, "action": words, "name": words}), max_size=3
    ),
    "blocked_words": st.lists(
        st.fixed_dictionaries({"keyword": words, "action": words}), max_size=3
    ),
    "credential_list": st.lists(
        st.fixed_dictionaries(
            {"credential_name": words, "credential_values": st.just({"api_key": SECRET})}
        ),
        max_size=2,
    ),
}
"""What is likely to be right, where the converter looks at the type."""


def blocks_of(table: Block, known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A block with keys of its table, some with likely values, and one that nobody knows."""
    likely = {
        key.replace("*", "x"): known.get(key, TYPED.get(key, values))
        for key in dict.fromkeys(table.names())
    }
    keys = [*likely, "unheard_of"]
    return st.lists(st.sampled_from(keys), unique=True, max_size=8).flatmap(
        lambda chosen: st.fixed_dictionaries({key: likely.get(key, values) for key in chosen})
    )


def _with(block: st.SearchStrategy[Any], **wanted: st.SearchStrategy[Any]) -> Any:
    """The block, with keys that LiteLLM insists on."""
    return st.builds(lambda one, other: {**one, **other}, block, st.fixed_dictionaries(wanted))


names = st.sampled_from(NAMES)
models = st.lists(
    _with(
        blocks_of(MODEL, {}),
        model_name=names,
        litellm_params=_with(
            blocks_of(PARAMS, dict.fromkeys(("weight", "order", "rpm", "tpm", "timeout"), numbers)),
            model=st.sampled_from(MODELS),
        ),
        model_info=blocks_of(INFO, {"mode": st.sampled_from(["chat", "chat", "embedding"])}),
    ),
    max_size=6,
)
fallbacks = st.lists(
    st.dictionaries(st.sampled_from(NAMES[:7]), st.lists(names, max_size=3), max_size=2), max_size=3
)
aliases = st.dictionaries(
    st.sampled_from([*NAMES[:7], "old"]),
    st.one_of(names, _with(blocks_of(ALIAS, {"hidden": st.booleans()}), model=names)),
    max_size=3,
)
endpoints = st.lists(
    _with(
        blocks_of(PASS_THROUGH, {"methods": st.lists(st.sampled_from(["get", "POST", "NO"]))}),
        path=st.sampled_from(["/a", "/a/b", "/v1/x", "a", "/"]),
        target=st.sampled_from(["https://host.example", "https://host.example/a/b", "module.f"]),
    ),
    max_size=3,
)
guards = st.lists(
    _with(
        blocks_of(GUARD, {}),
        guardrail_name=names,
        litellm_params=_with(
            blocks_of(GUARD_PARAMS, {"default_on": st.booleans()}),
            guardrail=words,
        ),
    ),
    max_size=3,
)
settings = {"fallbacks": fallbacks, "default_fallbacks": st.lists(names, max_size=2)}
documents = _with(
    blocks_of(TOP, {"model_list": models, "guardrails": guards}),
    model_list=models,
    litellm_settings=st.one_of(
        st.none(), blocks_of(LITELLM, {**settings, "max_budget": numbers, "budget_duration": words})
    ),
    router_settings=blocks_of(ROUTER, {**settings, "model_group_alias": aliases}),
    general_settings=blocks_of(
        GENERAL,
        {
            "master_key": st.sampled_from(["os.environ/MASTER", SECRET, "with space", None]),
            "pass_through_endpoints": endpoints,
            "allowed_ips": st.lists(words, max_size=2),
        },
    ),
)


def written(document: object) -> str:
    """As YAML."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def unaccounted(text: str, imported: Imported) -> list[str]:
    """Keys of the file that are in no finding, nor below one."""
    found = {mapping.path for mapping in imported.mappings}
    return [
        dotted(path)
        for path in _paths(read(escape(text), {}).value, ())
        if isinstance(path[-1], str)
        and not any(dotted(path[:size]) in found for size in range(1, len(path) + 1))
    ]


def complaints(imported: Imported) -> list[str]:
    """What our own loader says of what was made, but for variables that have no value."""
    loaded = Loader(Path("ours.yaml"), {}, files=Certificates()).load_text(imported.yaml)
    problems = () if loaded.config is not None else loaded.problems
    return [str(each) for each in problems if "environment variable" not in each.message]


def _paths(value: object, path: KeyPath) -> Iterator[KeyPath]:
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, item in entries:
        yield (*path, key)
        yield from _paths(item, (*path, key))
