"""`docs/reference/import-litellm.md`: every key of LiteLLM's that we know, from the tables."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.importers.litellm_general_keys import GENERAL, PASS_THROUGH
from gateway.importers.litellm_keys import ALIAS, GUARD, GUARD_PARAMS, MODEL, TOP, Block, Keys
from gateway.importers.litellm_model_keys import INFO, PARAMS
from gateway.importers.litellm_providers import OTHER_DIALECTS, SPOKEN, default_url
from gateway.importers.litellm_settings_keys import LITELLM, ROUTER

BLOCKS: tuple[Block, ...] = (
    TOP,
    MODEL,
    PARAMS,
    INFO,
    LITELLM,
    ROUTER,
    ALIAS,
    GENERAL,
    PASS_THROUGH,
    GUARD,
    GUARD_PARAMS,
)
"""In the order of the page."""

_HEAD = """# Keys of LiteLLM

Generated from `gateway/importers/`; `REWRITE=1 make test` writes it anew. How to import, and what
fails closed: [import](../import.md).

What becomes of each key of a `config.yaml`; a `*` in a key stands for anything. Keys that are not
here are reported as unknown. A key that is switched off (`false`, nothing after it) counts as
exact. **S**: about security. Where it depends on the value, the row says what is usual.
"""


def markdown() -> str:
    """The page."""
    parts = [_HEAD, *map(_table, BLOCKS), _providers()]
    return "\n".join(parts)


def _table(block: Block) -> str:
    rows = ["| key | becomes | in ours | how |", "|---|---|---|---|"]
    rows += [_row(row) for row in block.rows]
    title = f"`{block.path}`" if block.path else "The file"
    return f"## {title}\n\n" + "\n".join(rows) + "\n"


def _row(row: Keys) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    mark = " **S**" if row.is_security else ""
    to = f"`{row.to}`" if row.to else ""
    return f"| {names} | {row.outcome.value}{mark} | {to} | {row.note} |"


def _providers() -> str:
    rows = ["| `model: …/` | type | address | key without `api_key` |", "|---|---|---|---|"]
    rows += list(_provider_rows())
    others = ", ".join(f"`{name}`" for name in sorted(OTHER_DIALECTS))
    return (
        "## Providers\n\n"
        + "\n".join(rows)
        + "\n\nDeployments of these are left out, since they speak an API of their own or have not"
        f" been tried: {others}. Several have an address that speaks OpenAI's too: write the"
        " deployment as `openai/NAME` with `api_base`.\n"
    )


def _provider_rows() -> Iterator[str]:
    for name, spoken in SPOKEN.items():
        where = default_url(spoken) or (
            "by its options"
            if spoken.cloud
            else f"`${{{spoken.base_variable}}}`"
            if spoken.base_variable
            else "`api_base`"
        )
        address = f"`{where}`" if where.startswith("http") else where
        key = f"`${{{spoken.key_variable}}}`" if spoken.key_variable else "none"
        note = f" ({spoken.note})" if spoken.note else ""
        yield f"| `{name}` | `{spoken.type}`{note} | {address} | {key} |"
