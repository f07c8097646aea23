"""Keys of LiteLLM's three blocks of settings, and of its pass-through endpoints."""

from __future__ import annotations

from gateway.importers.litellm_keys import DIFFERENT, EXACT, UNSUPPORTED, Block, Keys

_UNCHANGED = "requests and answers pass as they are"
_NO_DATABASE = "there is no database of keys, users and spending: those in it are not taken over"
_NO_ADMIN = "there is no admin interface of LiteLLM's kind"
_NO_LOGS = "calls are not reported to other services"
_NO_ALERTS = "no alerts are sent"
_NO_CACHE = "answers are not cached"
_NO_HEALTH = "Envoy finds out by the calls themselves which provider fails"
_NO_LIMITS = "rates and numbers of calls are not limited"
_NO_SECRETS = "secrets come from environment variables: ${VARIABLE}"
_ONE_PROCESS = "tuning of LiteLLM's own process; there is nothing to tune here"
_CHAT_ONLY = "this version serves chat completions alone"
_NO_COOLDOWN = "a target that fails is not set aside for the calls that follow"
_NOT_FOR_KEYS = "keys are written under identity.api_keys; the gateway makes none"
_NO_OTHER_IDENTITY = "callers are known by API keys alone; until then nobody comes in without one"
_BY_ERROR = "a provider's refusal goes to the client; only failures lead to the next target"
_NO_SUCH = "there is no such setting"
_TRIED_ONCE = (
    "a call that fails goes to the next target of a failover at once; no target is asked twice"
)

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
    Keys(("context_window_fallbacks", "content_policy_fallbacks"), UNSUPPORTED, _BY_ERROR),
    Keys(("max_fallbacks",), UNSUPPORTED, "all targets are tried, at most 16"),
    Keys(("num_retries", "max_retries"), DIFFERENT, _TRIED_ONCE, acts_when_off=True),
    Keys(
        ("retry_after", "retry_policy", "model_group_retry_policy", "allowed_fails*"),
        UNSUPPORTED,
        _TRIED_ONCE,
    ),
    Keys(("cooldown_time", "disable_cooldowns"), UNSUPPORTED, _NO_COOLDOWN),
)
"""In `litellm_settings` and `router_settings` alike."""

_REDIS = Keys(
    ("redis_*", "cache_kwargs", "cache_responses", "caching_groups", "client_ttl"),
    UNSUPPORTED,
    "nothing is shared through Redis: budgets are in the ledger, see --state-dir",
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
                "drop_params",
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
        Keys(("mcp_*",), UNSUPPORTED, "there is no mcp yet"),
        Keys(
            ("ssl_verify", "ssl_certificate", "ssl_*"),
            UNSUPPORTED,
            "certificates are verified by the system's authorities",
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
            "`simple-shuffle` is exact; for others, requests are shared out by weight",
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
            ("timeout", "stream_timeout"),
            DIFFERENT,
            "how long a provider may be silent, not how long the whole call may take",
            "llm.providers.NAME.timeouts.silence",
            is_read=True,
        ),
        _REDIS,
        Keys(("cache_params",), UNSUPPORTED, _NO_CACHE),
        Keys(
            ("enable_pre_call_checks", "enable_pre_call_check", "optional_pre_call_checks"),
            UNSUPPORTED,
            "requests are not checked against the model's limits before the call",
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
        Keys(
            ("default_max_parallel_requests", "default_priority", "polling_interval"),
            UNSUPPORTED,
            _NO_LIMITS,
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
                "deployment_affinity_*",
                "model_group_affinity_*",
            ),
            UNSUPPORTED,
            _CHAT_ONLY,
        ),
        Keys(
            ("guardrail_list",),
            UNSUPPORTED,
            "write them under guardrails",
            is_security=True,
        ),
    ),
)

GENERAL = Block(
    "general_settings",
    (
        Keys(
            ("master_key",),
            DIFFERENT,
            "a key for clients named `master`; it opens no admin interface here, so keep"
            " admin.address where only operators reach it",
            "identity.api_keys.keys",
            is_read=True,
        ),
        Keys(
            (
                "custom_auth",
                "enable_jwt_auth",
                "enable_oauth2_auth",
                "enable_oauth2_proxy_auth",
                "litellm_jwtauth",
                "oauth2_config_mappings",
                "custom_auth_*",
                "allow_user_auth",
                "service_account_settings",
            ),
            UNSUPPORTED,
            _NO_OTHER_IDENTITY,
            "identity.required",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("allowed_routes",),
            DIFFERENT,
            "the llm api and the routes of the file are all that is served; where the list leaves"
            " chat completions out, a rule refuses them",
            "authorize",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("allowed_ips",),
            DIFFERENT,
            "a rule that asks for the address of the connection",
            "authorize",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("use_x_forwarded_for",),
            UNSUPPORTED,
            "the client's address is that of the connection",
            is_security=True,
        ),
        Keys(
            ("public_routes",),
            UNSUPPORTED,
            "nothing is opened: name the route and write auth: none",
        ),
        Keys(
            ("admin_only_routes", "ui_access_mode", "disable_master_key_return"),
            UNSUPPORTED,
            _NO_ADMIN,
        ),
        Keys(
            ("max_request_size_mb",),
            EXACT,
            "",
            "gateways.default.max_request_bytes",
            is_read=True,
        ),
        Keys(
            ("max_response_size_mb", "max_batch_file_size_mb"),
            UNSUPPORTED,
            "answers have no greatest size",
        ),
        Keys(
            ("pass_through_endpoints",),
            DIFFERENT,
            "plain routes; those that add headers, or lie below /v1/, are left out",
            "routes",
            is_read=True,
        ),
        Keys(
            ("pass_through_request_timeout",),
            EXACT,
            "",
            "routes[].timeout",
            is_read=True,
        ),
        Keys(
            ("use_client_credentials_pass_through_routes",),
            UNSUPPORTED,
            "clients' credentials for LiteLLM's own pass-through routes, which are not there",
        ),
        Keys(
            ("enforced_params", "enforce_user_param", "reject_clientside_metadata_tags"),
            UNSUPPORTED,
            "write a rule under authorize",
            is_security=True,
        ),
        Keys(
            ("max_parallel_requests", "global_max_parallel_requests", "disable_retry_on_max_*"),
            UNSUPPORTED,
            _NO_LIMITS,
            is_security=True,
        ),
        Keys(
            ("database_*", "use_spend_logs_partitioning", "*_database_*", "allow_requests_on_db_*"),
            UNSUPPORTED,
            f"{_NO_DATABASE}, and are refused",
        ),
        Keys(
            ("store_model_in_db", "supported_db_objects", "proxy_config_reload_*"),
            UNSUPPORTED,
            "models come from the file alone; those added in the admin interface are not here",
        ),
        Keys(
            (
                "disable_spend_logs",
                "disable_spend_updates",
                "store_prompts_in_spend_logs",
                "maximum_*",
                "spend_report_frequency",
                "proxy_batch_*",
                "proxy_budget_*",
                "disable_reset_budget",
                "disable_adding_master_key_hash_to_db",
                "disable_prisma_schema_update",
                "scheduled_job_stagger",
                "user_api_key_cache_ttl",
                "disable_error_logs",
            ),
            UNSUPPORTED,
            _NO_DATABASE,
        ),
        Keys(
            (
                "key_management_system",
                "key_management_settings",
                "use_google_kms",
                "use_azure_key_vault",
                "use_aws_*",
                "secret_manager*",
            ),
            UNSUPPORTED,
            _NO_SECRETS,
        ),
        Keys(
            (
                "custom_key_generate",
                "custom_key_update",
                "default_team_disabled",
                "custom_sso",
                "custom_ui_sso_*",
                "allow_cli_sso_*",
                "enable_public_model_hub",
                "control_plane_url",
                "plugins",
                "ui_*",
                "user_mcp_management_mode",
                "disable_auto_add_*",
                "role_permissions",
                "litellm_license",
            ),
            UNSUPPORTED,
            _NO_ADMIN,
        ),
        Keys(
            ("litellm_key_header_name",),
            UNSUPPORTED,
            "keys are sent as `Authorization: Bearer …`",
        ),
        Keys(
            ("user_header_name", "user_header_mappings", "trusted_proxy_ranges"),
            UNSUPPORTED,
            "who calls is known by the key alone",
        ),
        Keys(
            ("allow_client_side_credentials", "infer_model_from_keys"),
            UNSUPPORTED,
            "providers and their keys are those of the file",
        ),
        Keys(
            ("forward_client_headers_to_llm_api", "forward_openai_org_id", "forward_llm_*"),
            UNSUPPORTED,
            "list the headers under llm.providers.NAME.forward_headers",
        ),
        Keys(
            (
                "completion_model",
                "embedding_model",
                "image_generation_model",
                "moderation_model",
            ),
            UNSUPPORTED,
            "the model is the one that the client asks for",
        ),
        Keys(
            (
                "background_health_check*",
                "health_check_*",
                "enable_health_check_*",
                "use_shared_health_check",
                "model_list_healthy_only",
            ),
            UNSUPPORTED,
            _NO_HEALTH,
        ),
        Keys(("alerting", "alert_*", "alerting_*", "email_*", "slack_*"), UNSUPPORTED, _NO_ALERTS),
        Keys(("otel", "callbacks"), UNSUPPORTED, _NO_LOGS),
        Keys(
            ("disable_responses_id_security", "always_include_stream_usage"),
            UNSUPPORTED,
            _CHAT_ONLY,
        ),
        Keys(("mcp_*", "agent_*", "search_tools"), UNSUPPORTED, "there is no mcp and no a2a yet"),
        Keys(("coordination_redis",), UNSUPPORTED, "nothing is shared through Redis"),
        Keys(
            ("cancel_on_disconnect",),
            EXACT,
            "the call ends when the client goes",
        ),
    ),
)

PASS_THROUGH = Block(
    "general_settings.pass_through_endpoints[]",
    (
        Keys(("path",), EXACT, "", "routes[].match.path", is_read=True),
        Keys(
            ("target",),
            DIFFERENT,
            "the client's headers go on, without credentials that the gateway knows",
            "routes[].backend",
            is_read=True,
        ),
        Keys(
            ("auth",),
            EXACT,
            "where it is not written, a key is asked for",
            "routes[].auth",
            is_read=True,
        ),
        Keys(("include_subpath",), EXACT, "", "routes[].match.path.prefix", is_read=True),
        Keys(("methods",), EXACT, "", "routes[].match.methods", is_read=True),
        Keys(
            ("forward_headers",),
            DIFFERENT,
            "the client's headers go on, without credentials that the gateway knows",
            is_security=True,
            is_read=True,
        ),
        Keys(
            ("headers",),
            UNSUPPORTED,
            "routes add no headers: the route is left out",
            is_read=True,
        ),
        Keys(
            ("default_query_params",),
            UNSUPPORTED,
            "routes add no query: the route is left out",
            is_read=True,
        ),
        Keys(("cost_per_request",), UNSUPPORTED, "plain routes cost nothing"),
        Keys(
            ("guardrails",),
            UNSUPPORTED,
            "plain routes are not guarded: the route is left out",
            is_security=True,
            is_read=True,
        ),
        Keys(("id", "description"), UNSUPPORTED, "routes are known by their names"),
    ),
)
