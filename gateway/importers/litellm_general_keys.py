"""Keys of LiteLLM's `general_settings` and its pass-through endpoints."""

from __future__ import annotations

from gateway.importers.litellm_keys import DIFFERENT, EXACT, UNSUPPORTED, Block, Keys

_NO_DATABASE = "there is no database of keys, users and spending: those in it are not taken over"
_NO_ADMIN = "there is no admin interface of LiteLLM's kind"
_NO_LOGS = "calls are not reported to other services"
_NO_ALERTS = "no alerts are sent"
_NO_HEALTH = "Envoy finds out by the calls themselves which provider fails"
_NO_LIMITS = "rates and numbers of calls are not limited"
_NO_SECRETS = "secrets come from environment variables: ${VARIABLE}"
_NO_SUCH = "there is no such setting"
_NO_OTHER_IDENTITY = "callers are known by API keys alone; until then nobody comes in without one"

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
            "a rule about the paths of the llm api that the list names, and APIs of which it names"
            " nothing are not served; endpoints that it does not name are left out",
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
                "litellm_license",
            ),
            UNSUPPORTED,
            _NO_ADMIN,
        ),
        Keys(
            ("role_permissions",),
            UNSUPPORTED,
            "there are no roles: write rules under authorize",
            is_security=True,
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
            _NO_SUCH,
        ),
        Keys(
            ("mcp_*", "agent_*", "search_tools"),
            UNSUPPORTED,
            "MCP and agents are not served in this version",
        ),
        Keys(("coordination_redis",), UNSUPPORTED, "what machines share is on the ledger's server"),
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
