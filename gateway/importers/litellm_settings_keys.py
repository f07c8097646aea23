"""Keys of LiteLLM's `litellm_settings` and `router_settings`."""

from __future__ import annotations

from gateway.importers.litellm_keys import DIFFERENT, EXACT, UNSUPPORTED, Block, Keys

_UNCHANGED = "requests and answers pass as they are"
_NO_LOGS = "calls are not reported to other services"
_NO_ALERTS = "no alerts are sent"
_NO_CACHE = "answers are not cached"
_NO_LIMITS = "rates and numbers of calls are not limited"
_ONE_PROCESS = "tuning of LiteLLM's own process; there is nothing to tune here"
_ONE_FOR_ALL = "llm.failover.health has one number for all kinds of failures"
_NOT_FOR_KEYS = "names of keys have one form here; virtual keys are made by `dragoman keys create`"
_BY_ERROR = (
    "write the targets under failover of the model, and content_filter under llm.failover.after:"
    " then every refusal of a filter leads to the next target"
)
_NO_SUCH = "there is no such setting"
_TRIED_ONCE = (
    "a call that fails goes to the next target of a failover at once; no target is asked twice"
)

STRATEGIES = {
    "cost-based-routing": (
        "cheapest",
        "what costs less for the request is tried first, and the others follow when it fails; more"
        " than 5, or 2 among others, are shared out by weight",
    ),
    "latency-based-routing": (
        "fastest",
        "what begins its answers sooner is tried first, and the others follow when it fails; more"
        " than 5, or 2 among others, are shared out by weight",
    ),
}
"""How one of several deployments is chosen: ours, and what is different."""

_FALLBACKS = (
    Keys(
        ("fallbacks",),
        DIFFERENT,
        "what stands behind the models named is tried in order, but not their own fallbacks",
        "llm.models.NAME.failover",
        is_read=True,
    ),
    Keys(
        ("default_fallbacks",),
        DIFFERENT,
        "for every model of the file that has no fallbacks of its own; not for unknown names",
        "llm.models.NAME.failover",
        is_read=True,
    ),
    Keys(
        ("context_window_fallbacks",),
        DIFFERENT,
        "behind the other fallbacks, and tried after whatever else leads on",
        "llm.models.NAME.failover",
        is_read=True,
    ),
    Keys(("content_policy_fallbacks",), UNSUPPORTED, _BY_ERROR),
    Keys(("max_fallbacks",), UNSUPPORTED, "all targets are tried, at most 16"),
    Keys(("num_retries", "max_retries"), DIFFERENT, _TRIED_ONCE, acts_when_off=True),
    Keys(
        ("retry_after", "retry_policy", "model_group_retry_policy"),
        UNSUPPORTED,
        _TRIED_ONCE,
    ),
    Keys(
        ("allowed_fails",),
        DIFFERENT,
        "for all models, and failures in a row: one more than are allowed",
        "llm.failover.health.failures",
        is_read=True,
    ),
    Keys(("allowed_fails_*",), UNSUPPORTED, _ONE_FOR_ALL),
    Keys(
        ("cooldown_time",),
        DIFFERENT,
        "for all models; a time of its own that the provider says counts",
        "llm.failover.health.cool_down",
        is_read=True,
    ),
    Keys(
        ("disable_cooldowns",),
        EXACT,
        "no target is set aside",
        "llm.failover.health.failures",
        is_read=True,
    ),
    Keys(
        ("drop_params",),
        DIFFERENT,
        "whatever a provider's dialect cannot express is dropped, not parameters alone",
        "llm.lossy",
        is_read=True,
    ),
)
"""In `litellm_settings` and `router_settings` alike."""

_REDIS = Keys(
    ("redis_*", "cache_kwargs", "cache_responses", "caching_groups", "client_ttl"),
    UNSUPPORTED,
    "budgets, virtual keys and limits are shared through the ledger's server: write ledger",
)

LITELLM = Block(
    "litellm_settings",
    (
        *_FALLBACKS,
        Keys(
            ("request_timeout",),
            DIFFERENT,
            "how long a provider may be silent, not how long the whole call may take",
            "llm.providers.NAME.timeouts.silence",
            is_read=True,
        ),
        Keys(("max_budget",), DIFFERENT, "see budget_duration", "budgets[].limit", is_read=True),
        Keys(("max_parallel_requests",), UNSUPPORTED, _NO_LIMITS, is_security=True),
        Keys(
            ("budget_duration",),
            DIFFERENT,
            "calendar hours, days, weeks and months in UTC; the next longer one",
            "budgets[].per",
            is_read=True,
        ),
        Keys(
            (
                "max_user_budget",
                "max_end_user_budget",
                "max_end_user_budget_*",
                "max_internal_user_budget",
                "internal_user_budget_duration",
                "default_max_internal_user_budget",
                "default_internal_user_params",
                "default_team_settings",
                "default_team_params",
                "upperbound_key_generate_params",
                "default_key_generate_params",
                "key_generation_settings",
                "tag_budget_config",
                "priority_reservation*",
            ),
            UNSUPPORTED,
            "there are no users, teams and keys but those of the file: write budgets with"
            " for: {user: NAME} or {team: NAME}",
            is_security=True,
        ),
        Keys(
            ("callbacks",),
            UNSUPPORTED,
            "calls are not reported to other services; a guard among them is told of apart",
            is_read=True,
        ),
        Keys(
            (
                "success_callback",
                "failure_callback",
                "service_callbacks",
                "audit_log_callbacks",
                "langfuse_*",
                "s3_callback_params",
                "*_callback_params",
                "datadog_*",
                "dd_*",
                "prometheus_*",
                "custom_prometheus_*",
                "require_auth_for_metrics_endpoint",
                "arize_*",
                "aws_sqs_*",
                "generic_logger_*",
                "enable_loadbalancing_on_batch_endpoints",
                "standard_logging_payload_*",
                "message_logging",
                "store_audit_logs",
                "global_disable_no_log_param",
            ),
            UNSUPPORTED,
            _NO_LOGS,
        ),
        Keys(
            ("turn_off_message_logging", "redact_*", "enable_end_user_cost_tracking*"),
            EXACT,
            "messages are logged nowhere",
        ),
        Keys(
            ("disable_end_user_cost_tracking*", "disable_token_counter", "suppress_debug_info"),
            UNSUPPORTED,
            _ONE_PROCESS,
        ),
        Keys(
            ("set_verbose", "json_logs", "log_raw_request_response", "debug*", "detailed_debug"),
            UNSUPPORTED,
            "what is logged is a flag: --log-level",
        ),
        Keys(
            ("cache", "cache_params", "enable_caching_*", "disable_copilot_*", "caching*"),
            UNSUPPORTED,
            _NO_CACHE,
        ),
        Keys(
            (
                "modify_params",
                "additional_drop_params",
                "enable_preview_features",
                "enable_json_schema_validation",
                "disable_add_transform_inline_image_block",
                "disable_stop_sequence_limit",
                "add_function_to_prompt",
                "default_system_*",
                "extra_spend_tag_headers",
                "forward_traceparent_to_llm_provider",
                "return_response_headers",
                "include_cost_in_streaming_usage",
                "always_include_stream_usage",
                "use_chat_completions_url_for_anthropic_messages",
                "route_all_chat_openai_to_responses",
                "user_url_validation",
                "vertex_*",
                "bedrock_*",
                "anthropic_*",
                "reasoning_auto_summary",
            ),
            UNSUPPORTED,
            _UNCHANGED,
        ),
        Keys(
            (
                "guardrails",
                "output_parse_pii",
            ),
            UNSUPPORTED,
            "guards of the older kind: write guardrails; until then a rule refuses all requests",
            is_security=True,
            is_read=True,
        ),
        Keys(
            (
                "llamaguard_*",
                "openai_moderations_*",
                "presidio_*",
                "banned_keywords_list",
                "blocked_user_list",
                "prompt_injection_params",
                "detect_prompt_injection",
                "google_moderation_*",
                "secret_detection*",
                "llm_guard_*",
                "enforce_*",
            ),
            UNSUPPORTED,
            "write guardrails or rules under authorize",
            is_security=True,
        ),
        Keys(
            ("public_model_groups*", "model_cost_map_url", "model_alias_map"), UNSUPPORTED, _NO_SUCH
        ),
        Keys(("custom_provider_map",), UNSUPPORTED, "providers of your own code are not called"),
        Keys(("mcp_*",), UNSUPPORTED, "MCP is not served in this version"),
        Keys(
            ("ssl_verify",),
            DIFFERENT,
            "a file of authorities, for providers with an https url; certificates are always"
            " verified",
            "llm.providers.NAME.ca",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("ssl_certificate", "ssl_*"),
            UNSUPPORTED,
            "no certificate is shown to providers, and Envoy chooses among ciphers that are safe",
            is_security=True,
            acts_when_off=True,
        ),
        Keys(
            ("api_key", "api_base", "*_key", "*_api_key", "api_version", "organization"),
            UNSUPPORTED,
            "write the key and the address at each deployment",
        ),
        Keys(
            ("force_ipv4", "disable_hf_tokenizer_download", "aiohttp_*", "network_mock", "max_*"),
            UNSUPPORTED,
            _ONE_PROCESS,
        ),
        Keys(("enable_key_alias_format_validation",), UNSUPPORTED, _NOT_FOR_KEYS),
        Keys(("num_workers", "telemetry", "default_vertex_config"), UNSUPPORTED, _ONE_PROCESS),
    ),
)

ROUTER = Block(
    "router_settings",
    (
        *_FALLBACKS,
        Keys(
            ("routing_strategy",),
            DIFFERENT,
            "`simple-shuffle` is exact; `cost-based-routing` and `latency-based-routing` are nearly"
            " so; for others, requests are shared out by weight",
            "llm.models.NAME.weighted",
            is_read=True,
        ),
        Keys(
            ("routing_strategy_args", "routing_groups", "weights"),
            UNSUPPORTED,
            "requests are shared out by the weights of the deployments",
        ),
        Keys(("model_group_alias",), EXACT, "", "llm.models", is_read=True),
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
            "how long a provider may be silent, not how long the whole call may take",
            "llm.providers.NAME.timeouts.silence",
            is_read=True,
        ),
        _REDIS,
        Keys(("cache_params",), UNSUPPORTED, _NO_CACHE),
        Keys(
            ("enable_pre_call_checks", "enable_pre_call_check"),
            UNSUPPORTED,
            "requests are not checked against the model's limits before the call",
        ),
        Keys(
            ("optional_pre_call_checks",),
            UNSUPPORTED,
            "nothing is checked before a call: rates of deployments are not limited here",
            is_security=True,
        ),
        Keys(
            ("enable_tag_filtering", "tag_filtering_match_any", "tag_*"),
            UNSUPPORTED,
            "targets are not chosen by tags: write models of other names, and rules for them",
            is_security=True,
        ),
        Keys(
            ("provider_budget_config", "provider_budget*"),
            UNSUPPORTED,
            "write budgets with for: {provider: NAME}",
            is_security=True,
        ),
        Keys(("default_max_parallel_requests",), UNSUPPORTED, _NO_LIMITS, is_security=True),
        Keys(
            ("default_priority", "polling_interval"),
            UNSUPPORTED,
            "calls do not wait in a queue",
        ),
        Keys(("default_litellm_params",), UNSUPPORTED, "requests go as the client wrote them"),
        Keys(("alerting_config",), UNSUPPORTED, _NO_ALERTS),
        Keys(
            ("set_verbose", "debug_level", "router_general_settings", "ignore_invalid_deployments"),
            UNSUPPORTED,
            _ONE_PROCESS,
        ),
        Keys(
            (
                "assistants_config",
                "search_tools",
            ),
            UNSUPPORTED,
            _NO_SUCH,
        ),
        Keys(
            ("deployment_affinity_*", "model_group_affinity_*"),
            UNSUPPORTED,
            "write sticky beside weighted",
        ),
        Keys(
            ("guardrail_list",),
            UNSUPPORTED,
            "write them under guardrails",
            is_security=True,
        ),
    ),
)
