"""Every key of LiteLLM's `config.yaml` that we know, and how it fares: one row for keys alike.

After https://docs.litellm.ai/docs/proxy/config_settings and the pages that it links.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config import stars
from gateway.imported import Outcome
from gateway.importers.walk import Node

EXACT = Outcome.EXACT
DIFFERENT = Outcome.DIFFERENT
UNSUPPORTED = Outcome.UNSUPPORTED


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


_UNCHANGED = "requests go to the provider as the client wrote them: set it in the client"
_NO_ADMIN = "there is no admin interface of LiteLLM's kind"
_NO_LOGS = "calls are not reported to other services"
_NO_CACHE = "answers are not cached"
_NO_HEALTH = "Envoy finds out by the calls themselves which provider fails"
_NO_LIMITS = "rates of calls are not limited"
_ONE_PROCESS = "tuning of LiteLLM's own process; there is nothing to tune here"
_CHAT_ONLY = "this version serves chat completions alone"
_TRIED_ONCE = (
    "a call that fails goes to the next target of a failover at once; no target is asked twice"
)
_NO_COOLDOWN = "a target that fails is not set aside for the calls that follow"

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
        Keys(("mcp_servers", "mcp_tools", "mcp_*"), UNSUPPORTED, "there is no mcp yet"),
        Keys(("agent_list", "agents", "agent_*", "a2a_*"), UNSUPPORTED, "there is no a2a yet"),
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
            _CHAT_ONLY,
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
        Keys(("model_name",), EXACT, "", "llm.models", is_read=True),
        Keys(("litellm_params", "model_info"), EXACT, is_read=True),
        Keys(
            ("blocked",), EXACT, "a blocked deployment is left out", is_read=True, is_security=True
        ),
    ),
)

PARAMS = Block(
    "model_list[].litellm_params",
    (
        Keys(("model",), EXACT, "", "llm.models", is_read=True),
        Keys(("custom_llm_provider",), EXACT, "", "llm.providers.NAME.type", is_read=True),
        Keys(("api_key",), EXACT, "", "llm.providers.NAME.key", is_read=True),
        Keys(("api_base", "base_url"), EXACT, "", "llm.providers.NAME.url", is_read=True),
        Keys(
            ("litellm_credential_name",),
            EXACT,
            "the credential is put here",
            "llm.providers.NAME",
            is_read=True,
        ),
        Keys(("weight",), EXACT, "", "llm.models.NAME.weighted", is_read=True),
        Keys(("order",), EXACT, "", "llm.models.NAME.failover", is_read=True),
        Keys(
            ("rpm", "tpm"),
            DIFFERENT,
            "the share of requests where no weight is written; not a limit",
            "llm.models.NAME.weighted",
            is_read=True,
        ),
        Keys(
            ("timeout", "stream_timeout"),
            DIFFERENT,
            "how long the provider may be silent, not how long the whole call may take",
            "llm.providers.NAME.timeouts.silence",
            is_read=True,
        ),
        Keys(
            ("input_cost_per_token", "output_cost_per_token"),
            EXACT,
            "per million tokens here",
            "llm.prices",
            is_read=True,
        ),
        Keys(
            ("cache_read_input_token_cost", "cache_creation_input_token_cost"),
            EXACT,
            "per million tokens here",
            "llm.prices",
            is_read=True,
        ),
        Keys(
            (
                "input_cost_per_*",
                "output_cost_per_*",
                "cache_read_*",
                "cache_creation_*",
                "citation_cost_per_token",
                "search_context_cost_per_query",
                "tiered_pricing",
                "custom_pricing",
            ),
            UNSUPPORTED,
            "prices are by tokens of input, output and cache alone",
        ),
        Keys(
            ("mock_response", "mock_*"),
            UNSUPPORTED,
            "answers are not made up: the deployment is left out; see `dragoman demo`",
            is_read=True,
        ),
        Keys(
            ("max_budget", "budget_duration"),
            UNSUPPORTED,
            "budgets of one deployment: write budgets with for: {provider: NAME}",
            is_security=True,
        ),
        Keys(
            ("num_retries", "max_retries"),
            DIFFERENT,
            _TRIED_ONCE,
            "llm.models.NAME.failover",
            acts_when_off=True,
        ),
        Keys(("cooldown_time",), UNSUPPORTED, _NO_COOLDOWN),
        Keys(
            ("max_parallel_requests", "itpm", "otpm", "default_api_key_*"), UNSUPPORTED, _NO_LIMITS
        ),
        Keys(
            ("tags", "tag_regex"),
            UNSUPPORTED,
            "targets are not chosen by tags: write models of other names, and rules for them",
            is_security=True,
        ),
        Keys(
            ("extra_headers", "headers", "default_headers", "organization", "project"),
            UNSUPPORTED,
            "headers are not added to calls of a provider",
        ),
        Keys(
            ("api_version", "azure_*", "tenant_id", "client_id", "client_secret"),
            UNSUPPORTED,
            "for Azure, whose dialect is not spoken",
        ),
        Keys(("aws_*", "s3_*", "bedrock_*"), UNSUPPORTED, "for AWS, whose dialects are not spoken"),
        Keys(
            ("vertex_*", "gcs_*", "bucket_name"),
            UNSUPPORTED,
            "for Vertex AI, whose dialect is not spoken",
        ),
        Keys(("watsonx_*", "region_name", "region"), UNSUPPORTED, "regions are not chosen"),
        Keys(("drop_params", "modify_params", "additional_drop_params"), UNSUPPORTED, _UNCHANGED),
        Keys(
            (
                "temperature",
                "top_p",
                "top_k",
                "n",
                "stop",
                "seed",
                "user",
                "stream",
                "stream_options",
                "max_tokens",
                "max_completion_tokens",
                "presence_penalty",
                "frequency_penalty",
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "response_format",
                "tools",
                "tool_choice",
                "functions",
                "function_call",
                "parallel_tool_calls",
                "reasoning_effort",
                "thinking",
                "verbosity",
                "modalities",
                "dimensions",
                "encoding_format",
                "input_type",
                "service_tier",
                "metadata",
                "extra_body",
                "allowed_openai_params",
                "web_search_options",
                "safety_settings",
                "messages",
                "prompt*",
                "initial_prompt_value",
                "roles",
                "final_prompt_value",
                "bos_token",
                "eos_token",
                "merge_reasoning_content_in_choices",
                "supports_system_message",
                "cache_control_injection_points",
                "keep_alive",
                "num_ctx",
                "repetition_penalty",
                "min_p",
                "chat_template*",
                "guided_*",
            ),
            UNSUPPORTED,
            _UNCHANGED,
        ),
        Keys(
            ("guardrails",),
            UNSUPPORTED,
            "guards are for all models: write guardrails",
            is_security=True,
        ),
        Keys(
            ("configurable_clientside_auth_params",),
            UNSUPPORTED,
            "clients cannot choose the provider's address or key",
        ),
        Keys(
            ("use_in_pass_through", "use_litellm_proxy", "use_chat_completions_api"),
            UNSUPPORTED,
            _CHAT_ONLY,
        ),
        Keys(
            ("auto_router_*", "complexity_router_*", "adaptive_router_*", "quality_router_*"),
            UNSUPPORTED,
            "models are not chosen by what the request says",
        ),
        Keys(
            ("vector_store_*", "milvus_*", "valkey_*", "embedding_model", "index_name"),
            UNSUPPORTED,
            "stores are not served",
        ),
        Keys(("model_info",), UNSUPPORTED, "write it beside litellm_params"),
        Keys(
            ("ssl_verify",),
            UNSUPPORTED,
            "certificates are verified by the system's authorities",
            acts_when_off=True,
        ),
        Keys(
            (
                "litellm_trace_id",
                "langfuse_*",
                "no-log",
                "litellm_*",
                "max_file_size_mb",
                "provider_affinity_header",
                "keepalive_seconds",
                "allow_client_keepalive_override",
                "cache",
                "caching",
                "tokenizer",
                "force_timeout",
            ),
            UNSUPPORTED,
            "there is no such setting for a call",
        ),
    ),
)

INFO = Block(
    "model_list[].model_info",
    (
        Keys(
            ("mode",),
            EXACT,
            "chat alone; other models are left out: this version serves chat completions",
            is_read=True,
        ),
        Keys(("id",), DIFFERENT, "read where a fallback names it", is_read=True),
        Keys(("blocked",), EXACT, "a blocked deployment is left out", is_read=True),
        Keys(
            ("input_cost_per_token", "output_cost_per_token"),
            EXACT,
            "per million tokens here",
            "llm.prices",
            is_read=True,
        ),
        Keys(
            ("cache_read_input_token_cost", "cache_creation_input_token_cost"),
            EXACT,
            "per million tokens here",
            "llm.prices",
            is_read=True,
        ),
        Keys(
            (
                "input_cost_per_*",
                "output_cost_per_*",
                "cache_read_*",
                "cache_creation_*",
                "tiered_pricing",
                "ptu_*",
                "cost_per_ptu_per_hour",
            ),
            UNSUPPORTED,
            "prices are by tokens of input, output and cache alone",
        ),
        Keys(
            ("base_model",),
            UNSUPPORTED,
            "prices are looked up by the provider's own name of the model: write llm.prices",
        ),
        Keys(
            ("access_groups", "team_id", "team_public_model_name", "access_windows"),
            UNSUPPORTED,
            "write a rule under authorize with for: {model: NAME}",
            is_security=True,
        ),
        Keys(
            ("max_tokens", "max_input_tokens", "max_output_tokens", "context_window", "tpm", "rpm"),
            UNSUPPORTED,
            "models have no limits of tokens here; the provider's count",
        ),
        Keys(
            ("supports_*", "supported_*", "litellm_provider", "metadata", "description", "tier"),
            UNSUPPORTED,
            "models are not described here; nothing is decided by it",
        ),
        Keys(
            ("health_check_*", "disable_background_health_check"),
            UNSUPPORTED,
            _NO_HEALTH,
        ),
        Keys(
            (
                "db_model",
                "created_*",
                "updated_*",
                "key",
                "discoverable",
                "enable_tag_filtering",
                "allow_fail_open",
                "member_auto_router",
                "internal_router_model",
                "output_vector_size",
            ),
            UNSUPPORTED,
            "there is no such setting for a model",
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


def answer_rest(node: Node, block: Block) -> None:
    """Answer by the table for every key of a block that the converter has said nothing of."""
    node.expect(name for name in block.names() if "*" not in name)
    for key, below in node.fields():
        row = block.find(key)
        if row is not None and not row.is_read and not below.is_answered:
            answer(below, row)


def answer(node: Node, row: Keys) -> None:
    """Say what the row says; what is switched off says nothing."""
    to = "" if "NAME" in row.to or "[]" in row.to else row.to
    is_off = node.value in (None, False, "", [], {})
    if is_off and not row.acts_when_off:
        node.exact()
    elif row.outcome is Outcome.EXACT:
        node.exact(to, row.note)
    elif row.outcome is Outcome.DIFFERENT:
        node.different(to, row.note, is_security=row.is_security)
    else:
        node.unsupported(row.note, is_security=row.is_security)
