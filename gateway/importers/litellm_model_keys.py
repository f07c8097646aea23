"""Keys of the deployments in LiteLLM's `model_list`."""

from __future__ import annotations

from gateway.importers.litellm_keys import DIFFERENT, EXACT, UNSUPPORTED, Block, Keys

_UNCHANGED = (
    "not put into requests: write defaults or overrides of the model, or of the provider in its own"
    " dialect"
)
_LOSSY = "what a provider's dialect cannot say is refused, but for hints: see llm.lossy"
_NO_HEALTH = "Envoy finds out by the calls themselves which provider fails"
_NO_LIMITS = "calls of the deployment are not limited here"
_TRIED_ONCE = (
    "a call that fails goes to the next target of a failover at once; no target is asked twice"
)
_NO_COOLDOWN = "targets that fail are set aside for as long as others: llm.failover.health"
_PRICES = tuple(
    Keys(keys, EXACT, "per million tokens here", "llm.prices", is_read=True)
    for keys in (
        ("input_cost_per_token", "output_cost_per_token"),
        ("cache_read_input_token_cost", "cache_creation_input_token_cost"),
        ("cache_creation_input_token_cost_above_1hr", "output_cost_per_reasoning_token"),
        ("input_cost_per_audio_token", "output_cost_per_audio_token"),
        ("input_cost_per_image_token", "output_cost_per_image_token"),
        ("input_cost_per_character",),
    )
) + tuple(
    Keys(keys, EXACT, note, "llm.prices", is_read=True)
    for keys, note in (
        (("output_cost_per_image", "input_cost_per_second", "output_cost_per_second"), ""),
        (
            (
                "input_cost_per_token_above_*k_tokens",
                "output_cost_per_token_above_*k_tokens",
                "cache_read_input_token_cost_above_*k_tokens",
                "cache_creation_input_token_cost_above_*k_tokens",
            ),
            "`tiers` there",
        ),
        (
            tuple(
                f"{rate}_{service}"
                for service in ("batches", "flex", "priority")
                for rate in (
                    "input_cost_per_token",
                    "output_cost_per_token",
                    "cache_read_input_token_cost",
                )
            ),
            "`service_tiers` there: batch, flex, priority",
        ),
    )
)
"""In either block of a deployment."""


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
            "the share of requests where no weight is written: calls of the deployment are not"
            " limited here",
            "llm.models.NAME.weighted",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("stream_timeout",),
            DIFFERENT,
            "how long a streamed answer may take to begin",
            "llm.providers.NAME.timeouts.first_byte",
            is_read=True,
        ),
        Keys(
            ("timeout",),
            DIFFERENT,
            "how long the provider may be silent, not how long the whole call may take",
            "llm.providers.NAME.timeouts.silence",
            is_read=True,
        ),
        *_PRICES,
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
            "write them under llm.prices, where ours has such a price",
        ),
        Keys(
            ("mock_response",),
            UNSUPPORTED,
            "answers are not made up: the deployment is left out; see `dragoman demo`",
            is_read=True,
        ),
        Keys(("mock_*",), UNSUPPORTED, "failures are not made up"),
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
            ("max_parallel_requests", "itpm", "otpm", "default_api_key_*"),
            UNSUPPORTED,
            _NO_LIMITS,
            is_security=True,
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
            "write llm.providers.NAME.headers, or a secret as auth: {type: api-key, header: …}",
        ),
        Keys(
            ("api_version", "azure_*", "tenant_id", "client_id", "client_secret"),
            UNSUPPORTED,
            "Azure is asked with an api_key; write auth: {type: entra} for tokens",
        ),
        Keys(
            ("aws_*", "s3_*", "bedrock_*"), UNSUPPORTED, "of AWS's ways to sign only keys and roles"
        ),
        Keys(
            ("vertex_*", "gcs_*", "bucket_name"),
            UNSUPPORTED,
            "of Vertex AI only project, location and credentials",
        ),
        Keys(
            ("region_name", "region", "watsonx_region_name"),
            UNSUPPORTED,
            "regions are not chosen: write an api_base that lies in the one you need",
            is_security=True,
        ),
        Keys(("watsonx_*",), UNSUPPORTED, "for watsonx, whose dialect is not spoken"),
        Keys(("drop_params", "modify_params", "additional_drop_params"), UNSUPPORTED, _LOSSY),
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
            "there is no such setting for a call",
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
            DIFFERENT,
            "a file of authorities, for an https url; certificates are always verified",
            "llm.providers.NAME.ca",
            is_security=True,
            is_read=True,
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
            "what a model is for follows from its provider; of other modes than those of operations"
            " here it is left out",
            is_read=True,
        ),
        Keys(("id",), DIFFERENT, "read where a fallback names it", is_read=True),
        Keys(("blocked",), EXACT, "a blocked deployment is left out", is_read=True),
        *_PRICES,
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
            "write them under llm.prices, where ours has such a price",
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
            ("max_tokens", "max_input_tokens", "max_output_tokens", "context_window"),
            UNSUPPORTED,
            "models have no limits of tokens here; the provider's count",
        ),
        Keys(("tpm", "rpm"), UNSUPPORTED, _NO_LIMITS, is_security=True),
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
