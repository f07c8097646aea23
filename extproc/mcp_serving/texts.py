"""What of MCP messages is text, of clients and of servers, and how to reword it.

As in conversations, all is read but what is known to be structure: ids, cursors, kinds of content,
`_meta`, names of tools and URIs, by which something is asked for; rules read those. What stands in
arguments and structured content is read with its keys, and numbers as they are spelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.llm.shapes import FREE, Fields, Parts, Rule, Unread

_ALL, _ID, _FILE = Unread.ALL, Unread.STRING, Unread.FILE
_KINDS: Final = frozenset(
    {"text", "image", "audio", "resource", "resource_link", "tool_use", "tool_result"}
)
_ROLES: Final = frozenset({"user", "assistant"})


def _contents() -> Fields:
    """Of the parts of results and of prompts; a resource's text stands in one."""
    fields: dict[str, Rule] = Parts(
        type=_KINDS,
        text=FREE,
        data=_ALL,  # of images and sound
        blob=_FILE,
        mimeType=_ID,
        uri=_ID,
        size=_ALL,
        annotations=_ALL,
        icons=_ALL,
        name=FREE,
        title=FREE,
        description=FREE,
        _meta=_ALL,
    )
    fields["resource"] = fields
    return fields


_CONTENTS = _contents()
_MESSAGES: Fields = {"role": _ROLES, "content": _CONTENTS}
_ENVELOPE: Mapping[str, Rule] = {"jsonrpc": _ALL, "id": _ALL, "method": _ALL}
SENT: Fields = {
    **_ENVELOPE,
    "params": {
        "name": _ALL,
        "uri": _ALL,
        "ref": _ALL,
        "task": _ALL,
        "taskId": _ID,
        "cursor": _ALL,
        "level": _ALL,
        "requestState": _ALL,
        "requestId": _ALL,
        "progressToken": _ALL,
        "progress": _ALL,
        "total": _ALL,
        "_meta": _ALL,
        "arguments": FREE,
        "argument": {"name": _ID, "value": FREE},
        "context": {"arguments": FREE},
    },
    "result": {
        "role": _ROLES,
        "content": FREE,
        "model": _ID,
        "stopReason": _ID,
        "action": frozenset({"accept", "decline", "cancel"}),
        "resultType": _ALL,
        "_meta": _ALL,
    },
    "error": {"code": _ALL, "message": FREE, "data": FREE},
}
"""Of clients: arguments, and what they answer and tell servers."""
SAID: Fields = {
    **_ENVELOPE,
    "params": {
        "_meta": _ALL,
        "progressToken": _ALL,
        "progress": _ALL,
        "total": _ALL,
        "requestId": _ALL,
        "taskId": _ALL,
        "elicitationId": _ALL,
        "level": _ALL,
        "mode": _ALL,
        "maxTokens": _ALL,
        "temperature": _ALL,
        "includeContext": _ALL,
        "modelPreferences": _ALL,
        "uri": _ID,
        "messages": _MESSAGES,
    },
    "result": {
        "content": _CONTENTS,
        "contents": _CONTENTS,
        "messages": _MESSAGES,
        "structuredContent": FREE,
        "isError": _ALL,
        "resultType": _ALL,
        "requestState": _ALL,
        "ttlMs": _ALL,
        "cacheScope": _ALL,
        "taskId": _ALL,
        "task": _ALL,
        "completion": {"values": FREE, "total": _ALL, "hasMore": _ALL},
        "_meta": _ALL,
    },
    "error": {"code": _ALL, "message": FREE, "data": FREE},
}
"""Of servers: results, errors, and what they ask or tell clients."""
DEFINED: Fields = {
    "name": FREE,
    "title": FREE,
    "description": FREE,
    "uri": _ID,
    "uriTemplate": _ID,
    "mimeType": _ID,
    "size": _ALL,
    "inputSchema": FREE,
    "outputSchema": FREE,
    "annotations": {
        "title": FREE,
        "readOnlyHint": _ALL,
        "destructiveHint": _ALL,
        "idempotentHint": _ALL,
        "openWorldHint": _ALL,
        "audience": _ALL,
        "priority": _ALL,
        "lastModified": _ID,
    },
    "arguments": {"name": FREE, "title": FREE, "description": FREE, "required": _ALL},
    "execution": _ALL,
    "icons": _ALL,
    "_meta": _ALL,
}
"""Of an entry of a server's list: a tool, a prompt, a resource or a template."""
INTRODUCED: Fields = {"instructions": FREE}
"""Of what a server says of its use, in an object of its own."""
