"""What in a Messages request is structure and not text, field by field.

https://docs.claude.com/en/api/messages. What is not listed is text: other fields with their names,
other words where these words are listed.
"""

from __future__ import annotations

from extproc.llm.shapes import FREE, ByType, Fields, Messages, Parts, Unread

_SETTINGS = (
    "max_tokens",
    "model",
    "service_tier",
    "speed",
    "stream",
    "temperature",
    "top_k",
    "top_p",
)
CACHE_CONTROL: Fields = {"type": frozenset({"ephemeral"}), "ttl": frozenset({"5m", "1h"})}
_CITATIONS: Fields = {
    "enabled": Unread.ALL,
    "type": frozenset(
        {
            "char_location",
            "content_block_location",
            "page_location",
            "search_result_location",
            "web_search_result_location",
        }
    ),
    **dict.fromkeys(("encrypted_index", "file_id"), Unread.STRING),
    **dict.fromkeys(
        (
            "document_index",
            "end_block_index",
            "end_char_index",
            "end_page_number",
            "search_result_index",
            "start_block_index",
            "start_char_index",
            "start_page_number",
        ),
        Unread.ALL,
    ),
    **dict.fromkeys(("cited_text", "document_title", "source", "title", "url"), FREE),
}
_TEXT = Parts(
    {
        "type": frozenset({"text"}),
        "text": FREE,
        "citations": _CITATIONS,
        "cache_control": CACHE_CONTROL,
    }
)
"""Also of system prompts."""
_MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf"})
_SOURCE = ByType(
    frozenset({"base64"}),
    {"type": frozenset({"base64"}), "media_type": _MEDIA_TYPES, "data": Unread.STRING},
    otherwise={
        "type": frozenset({"url", "file", "text", "content"}),
        "media_type": frozenset({"text/plain"}),
        "file_id": Unread.STRING,
        "url": FREE,
        "data": FREE,
        "content": Parts({"type": frozenset({"text", "image"}), "text": FREE}),
    },
)
"""Of an image or a document: `data` is text where the type says so."""
_BLOCK_TYPES = frozenset(
    {
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "container_upload",
        "document",
        "image",
        "mcp_tool_result",
        "mcp_tool_use",
        "redacted_thinking",
        "search_result",
        "server_tool_use",
        "text",
        "text_editor_code_execution_tool_result",
        "thinking",
        "tool_reference",
        "tool_result",
        "tool_search_tool_result",
        "tool_use",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
_INNERMOST = Parts(
    {
        "type": _BLOCK_TYPES,
        "text": FREE,
        "source": _SOURCE,
        "title": FREE,
        "citations": _CITATIONS,
        "file_id": Unread.STRING,
    }
)
"""Of a page that was fetched, a file that was made."""
_RESULT_TYPES = frozenset(
    {
        "bash_code_execution_result",
        "code_execution_result",
        "encrypted_code_execution_result",
        "web_fetch_result",
        "web_search_result",
    }
)
_RESULT = Parts(
    {
        "type": _BLOCK_TYPES | _RESULT_TYPES,
        "text": FREE,
        "source": _SOURCE,
        "title": FREE,
        "context": FREE,
        "citations": _CITATIONS,
        "cache_control": CACHE_CONTROL,
        "content": _INNERMOST,
        "encrypted_content": Unread.STRING,
        "encrypted_stdout": Unread.STRING,
        "page_age": FREE,
        "return_code": Unread.ALL,
        "stderr": FREE,
        "stdout": FREE,
        "tool_name": FREE,
        "url": FREE,
    }
)
"""What stands in the result of a tool, the client's or the provider's."""
BLOCK = Parts(
    {
        "type": _BLOCK_TYPES,
        "text": FREE,
        "thinking": FREE,
        "signature": Unread.STRING,
        "data": Unread.STRING,
        "id": Unread.STRING,
        "tool_use_id": Unread.STRING,
        "file_id": Unread.STRING,
        "name": FREE,
        "input": FREE,
        "is_error": Unread.ALL,
        "source": _SOURCE,
        "title": FREE,
        "context": FREE,
        "citations": _CITATIONS,
        "cache_control": CACHE_CONTROL,
        "content": _RESULT,
    }
)
MESSAGE = Messages({"role": frozenset({"user", "assistant", "system"}), "content": BLOCK})
_TOOL: Fields = {
    "type": frozenset({"custom"}),
    "name": FREE,
    "description": FREE,
    "input_schema": FREE,
    "input_examples": FREE,
    "strict": Unread.ALL,
    "eager_input_streaming": Unread.ALL,
    "defer_loading": Unread.ALL,
    "allowed_callers": FREE,
    "cache_control": CACHE_CONTROL,
}
_FORMAT: Fields = {"type": frozenset({"json_schema"}), "schema": FREE}

REQUEST: Fields = {
    **dict.fromkeys(_SETTINGS, Unread.ALL),
    "cache_control": CACHE_CONTROL,
    "messages": MESSAGE,
    "metadata": {"user_id": FREE},
    "output_config": {
        "effort": frozenset({"low", "medium", "high", "xhigh", "max"}),
        "format": _FORMAT,
    },
    "output_format": _FORMAT,
    "stop_sequences": FREE,
    "system": _TEXT,
    "thinking": {
        "type": frozenset({"adaptive", "between_tools", "disabled", "enabled"}),
        "budget_tokens": Unread.ALL,
        "display": frozenset({"omitted", "summarized"}),
    },
    "tool_choice": {
        "type": frozenset({"any", "auto", "none", "tool"}),
        "name": FREE,
        "disable_parallel_tool_use": Unread.ALL,
    },
    "tools": _TOOL,
}
"""The whole body."""
