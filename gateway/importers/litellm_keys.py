"""Every key of LiteLLM's `config.yaml` that we know, and how it fares: one row for keys alike.

After https://docs.litellm.ai/docs/proxy/config_settings and the pages that it links.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config import stars
from gateway.imported import Outcome
from gateway.importers.walk import UNKNOWN_KEY, Node
from gateway.problem import did_you_mean

EXACT = Outcome.EXACT
DIFFERENT = Outcome.DIFFERENT
UNSUPPORTED = Outcome.UNSUPPORTED


def is_off(value: object) -> bool:
    """Whether a value stands for nothing. A zero is a number."""
    return value is None or value is False or value in ("", [], {})


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one block that fare alike."""

    names: tuple[str, ...]
    """A `*` in a name stands for anything."""
    outcome: Outcome
    note: str = ""
    to: str = ""
    is_security: bool = False
    is_read: bool = False
    """The converter decides by the value; the row says what it comes to as a rule."""
    acts_when_off: bool = False
    """`false`, null and empty say something too; for all others they are the default."""


@dataclass(frozen=True, slots=True)
class Block:
    """One mapping of the file."""

    path: str
    """As the documentation writes it: `model_list[].litellm_params`."""
    rows: tuple[Keys, ...]

    def find(self, name: str) -> Keys | None:
        """The row of a key: by its whole name, else by the longest family."""
        families: list[tuple[int, Keys]] = []
        for row in self.rows:
            if name in row.names:
                return row
            families += [
                (len(each), row) for each in row.names if "*" in each and stars.matches(each, name)
            ]
        return max(families, key=lambda each: each[0])[1] if families else None

    def names(self) -> Iterator[str]:
        """Every name of every row."""
        for row in self.rows:
            yield from row.names


_NO_ADMIN = "there is no admin interface of LiteLLM's kind"
_NO_LOGS = "calls are not reported to other services"
_NO_CACHE = "answers are not cached"
_ONE_PROCESS = "tuning of LiteLLM's own process; there is nothing to tune here"

TOP = Block(
    "",
    (
        Keys(("model_list",), EXACT, "", "llm", is_read=True),
        Keys(("litellm_settings", "router_settings", "general_settings"), EXACT, is_read=True),
        Keys(("credential_list",), EXACT, "put where it is named", "llm.providers", is_read=True),
        Keys(
            ("environment_variables",),
            DIFFERENT,
            "the value is the default of ${VARIABLE} where the file reads the variable",
            is_read=True,
        ),
        Keys(("guardrails",), DIFFERENT, "see below", "guardrails", is_read=True),
        Keys(
            ("include",),
            UNSUPPORTED,
            "other files are not read: put everything into one; until then nobody comes in without"
            " a key",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("mcp_servers", "mcp_tools", "mcp_*"),
            UNSUPPORTED,
            "MCP is not served in this version: its clients get 404",
        ),
        Keys(
            ("agent_list", "agents", "agent_*", "a2a_*"),
            UNSUPPORTED,
            "agents are not served in this version: their clients get 404",
        ),
        Keys(
            ("policies", "policy_attachments"),
            UNSUPPORTED,
            "guards are not chosen by policy",
            is_security=True,
        ),
        Keys(("guardrail_settings",), UNSUPPORTED, "guards have no common settings"),
        Keys(
            ("vector_store_registry", "vector_stores", "vector_store_*", "search_tools", "rag_*"),
            UNSUPPORTED,
            "stores and searches are not served",
        ),
        Keys(("prompts", "prompt_*"), UNSUPPORTED, "prompts are not kept here"),
        Keys(
            ("assistant_settings", "files_settings", "finetune_settings", "batch_*"),
            UNSUPPORTED,
            "files and batches go to the providers of llm.stored_at; assistants are not served",
        ),
        Keys(("callback_settings", "callbacks"), UNSUPPORTED, _NO_LOGS),
        Keys(("cache_params", "cache"), UNSUPPORTED, _NO_CACHE),
        Keys(("plugins", "skills", "tools", "ui_*"), UNSUPPORTED, _NO_ADMIN),
        Keys(("num_workers", "telemetry", "worker_*"), UNSUPPORTED, _ONE_PROCESS),
    ),
)

MODEL = Block(
    "model_list[]",
    (
        Keys(
            ("model_name",),
            EXACT,
            "of several deployments, one that fails is not tried on another of them",
            "llm.models",
            is_read=True,
        ),
        Keys(("litellm_params", "model_info"), EXACT, is_read=True),
        Keys(
            ("blocked",), EXACT, "a blocked deployment is left out", is_read=True, is_security=True
        ),
        Keys(
            ("rpm", "tpm"),
            UNSUPPORTED,
            "calls of the deployment are not limited here; a share is litellm_params.weight",
            is_security=True,
        ),
    ),
)

ALIAS = Block(
    "router_settings.model_group_alias.NAME",
    (
        Keys(("model",), EXACT, "", "llm.models", is_read=True),
        Keys(("hidden",), EXACT, "", "llm.models.NAME.listed", is_read=True),
    ),
)

GUARD = Block(
    "guardrails[]",
    (
        Keys(("guardrail_name",), EXACT, "", "guardrails[].name", is_read=True),
        Keys(("litellm_params",), EXACT, is_read=True),
        Keys(("guardrail_info", "guardrail_id"), UNSUPPORTED, "guards are not described here"),
        Keys(("callbacks", "default_on", "*"), UNSUPPORTED, "a setting of that guard"),
    ),
)

GUARD_PARAMS = Block(
    "guardrails[].litellm_params",
    (
        Keys(
            ("guardrail",),
            DIFFERENT,
            "`litellm_content_filter`, `bedrock` and `openai_moderation` have theirs here; where"
            " another one is on for all requests, a rule refuses all until you decide",
            "guardrails[].type",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("mode",),
            DIFFERENT,
            "requests are checked before they go out; answers are not",
            is_security=True,
            is_read=True,
        ),
        Keys(("default_on",), DIFFERENT, "a guard is asked about every request", is_read=True),
        Keys(
            ("patterns", "blocked_words"),
            DIFFERENT,
            "your own patterns and words, by RE2; prebuilt patterns are not there",
            "guardrails[].patterns",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("guardrailIdentifier", "guardrailVersion", "aws_region_name"),
            EXACT,
            "",
            "guardrails[]",
            is_read=True,
        ),
        Keys(("api_key", "api_base"), EXACT, "", "guardrails[]", is_read=True),
        Keys(("*",), UNSUPPORTED, "a setting of that guard; there is none like it here"),
    ),
)


def answer_rest(node: Node, block: Block, *, unknown_is_security: bool = False) -> None:
    """Answer by the table for every key of a block that the converter has said nothing of.

    A key that we do not know is left to the walk, which guesses what was meant; where such a key
    may have kept somebody out, it is said here.
    """
    node.expect(name for name in block.names() if "*" not in name)
    for key, below in node.fields():
        row = block.find(key)
        if row is not None and not row.is_read and not below.is_answered:
            answer(below, row)
        elif row is None and unknown_is_security:
            hint = did_you_mean(key, block.names())
            guess = f" ({hint})" if hint.startswith("did you mean") else ""
            below.unsupported(f"{UNKNOWN_KEY}{guess}", is_security=not is_off(below.value))


def answer(node: Node, row: Keys) -> None:
    """Say what the row says; what is switched off says nothing."""
    to = "" if "NAME" in row.to or "[]" in row.to else row.to
    if is_off(node.value) and not row.acts_when_off:
        node.exact()
    elif row.outcome is Outcome.EXACT:
        node.exact(to, row.note)
    elif row.outcome is Outcome.DIFFERENT:
        node.different(to, row.note, is_security=row.is_security)
    else:
        node.unsupported(row.note, is_security=row.is_security)
