"""What in a request of the Responses API is structure and not text, field by field.

https://platform.openai.com/docs/api-reference/responses/create. What is not listed is text: other
fields with their names, other words where these words are listed.
"""

from __future__ import annotations

from extproc.llm.shapes import FREE, Fields, Messages, Parts, Unread

_SETTINGS = (
    "access_programs",
    "background",
    "background_options",
    "image",
    "include",
    "max_output_tokens",
    "max_tool_calls",
    "model",
    "moderation",
    "parallel_tool_calls",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
)
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_SUMMARIES = frozenset({"auto", "concise", "detailed"})
_LEVELS = frozenset({"low", "medium", "high"})
_MODES = frozenset({"auto", "none", "required"})
_REASONING: Fields = {
    "effort": _EFFORTS,
    "summary": _SUMMARIES,
    "generate_summary": _SUMMARIES,
    "mode": frozenset({"standard", "pro"}),
    "context": frozenset({"auto", "current_turn", "all_turns"}),
}
_TEXT: Fields = {
    "format": {
        "type": frozenset({"text", "json_object", "json_schema"}),
        "name": FREE,
        "description": FREE,
        "strict": FREE,
        "schema": FREE,
    },
    "verbosity": _LEVELS,
}

_ANNOTATION: Fields = {
    "type": frozenset({"url_citation", "file_citation", "container_file_citation", "file_path"}),
    "start_index": Unread.ALL,
    "end_index": Unread.ALL,
    "index": Unread.ALL,
    "file_id": Unread.STRING,
    "container_id": Unread.STRING,
    "filename": FREE,
    "title": FREE,
    "url": FREE,
}
_PART_TYPES = frozenset(
    {
        "computer_screenshot",
        "input_audio",
        "input_file",
        "input_image",
        "input_text",
        "output_text",
        "reasoning_text",
        "refusal",
        "summary_text",
    }
)
PARTS = Parts(
    {
        "type": _PART_TYPES,
        "text": FREE,
        "refusal": FREE,
        "annotations": _ANNOTATION,
        "logprobs": FREE,
        "image_url": Unread.DATA_URL,
        "detail": frozenset({"auto", "low", "high", "original"}),
        "file_id": Unread.STRING,
        "file_data": Unread.FILE,
        "file_url": Unread.DATA_URL,
        "filename": FREE,
        "input_audio": {"data": Unread.STRING, "format": frozenset({"wav", "mp3"})},
        "prompt_cache_breakpoint": {
            "mode": frozenset({"explicit"}),
            "ttl": frozenset({"30m", "12h"}),
        },
    }
)

_PLACE: Fields = {
    "type": frozenset({"approximate"}),
    **dict.fromkeys(("city", "country", "region", "timezone"), FREE),
}
_TOOL_TYPES = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "custom",
        "file_search",
        "function",
        "image_generation",
        "local_shell",
        "mcp",
        "namespace",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)
_FUNCTION: Fields = {
    "type": _TOOL_TYPES,
    "name": FREE,
    "description": FREE,
    "strict": FREE,
    "parameters": FREE,
    "output_schema": FREE,
    "format": {
        "type": frozenset({"text", "grammar"}),
        "syntax": frozenset({"lark", "regex"}),
        "definition": FREE,
    },
    "async": FREE,
    "defer_loading": FREE,
    "allowed_callers": FREE,
}
_TOOL: Fields = {
    **_FUNCTION,
    "tools": _FUNCTION,
    "search_context_size": _LEVELS,
    "user_location": _PLACE,
    "filters": FREE,
    "vector_store_ids": FREE,
    "max_num_results": Unread.ALL,
    "ranking_options": FREE,
    "container": FREE,
    "environment": FREE,
    "display_width": Unread.ALL,
    "display_height": Unread.ALL,
    "server_label": FREE,
    "server_url": FREE,
    "server_description": FREE,
    "connector_id": FREE,
    "allowed_tools": FREE,
    "require_approval": FREE,
    "authorization": Unread.ALL,  # a token, for a server and not for the model
    "headers": Unread.ALL,  # of requests to that server, with more such
}

_STATUSES = frozenset(
    {
        "calling",
        "completed",
        "failed",
        "generating",
        "in_progress",
        "incomplete",
        "interpreting",
        "searching",
    }
)
_ITEM_TYPES = frozenset(
    {
        "additional_tools",
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "compaction_trigger",
        "computer_call",
        "computer_call_output",
        "configuration_update",
        "custom_tool_call",
        "custom_tool_call_output",
        "file_search_call",
        "function_call",
        "function_call_output",
        "image_generation_call",
        "item_reference",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "message",
        "program",
        "program_output",
        "reasoning",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
_ITEM_TEXTS = (
    "acknowledged_safety_checks",
    "action",
    "actions",
    "arguments",
    "code",
    "error",
    "input",
    "name",
    "namespace",
    "operation",
    "outputs",
    "pending_safety_checks",
    "queries",
    "reason",
    "results",
    "revised_prompt",
    "server_label",
)
ITEM = Messages(
    {
        "type": _ITEM_TYPES,
        "id": Unread.STRING,
        "call_id": Unread.STRING,
        "approval_request_id": Unread.STRING,
        "container_id": Unread.STRING,
        "status": _STATUSES,
        "role": frozenset({"developer", "system", "user", "assistant"}),
        "phase": frozenset({"commentary", "final_answer"}),
        "content": PARTS,
        "output": PARTS,
        "summary": PARTS,
        "encrypted_content": Unread.STRING,
        "result": Unread.IMAGE,
        "tools": _TOOL,
        "text": _TEXT,
        "reasoning": _REASONING,
        **dict.fromkeys(_ITEM_TEXTS, FREE),
    }
)
"""Of any kind."""

REQUEST: Fields = {
    **dict.fromkeys(_SETTINGS, Unread.ALL),
    "instructions": FREE,
    "input": ITEM,
    "tools": _TOOL,
    "tool_choice": _MODES,
    "text": _TEXT,
    "reasoning": _REASONING,
    "prompt": {"id": Unread.STRING, "version": Unread.STRING, "variables": FREE},
    "previous_response_id": Unread.STRING,
    "conversation": {"id": Unread.STRING},
    "context_management": {
        "type": frozenset({"compaction"}),
        "compact_threshold": Unread.ALL,
    },
    "metadata": FREE,
    "prompt_cache_key": FREE,
    "safety_identifier": FREE,
    "user": FREE,
}
"""The whole body."""
