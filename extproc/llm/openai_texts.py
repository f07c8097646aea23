"""What a model would read of a chat completion request, and how to reword it.

Every string is read, in fields that we do not know too, but those listed below: a guard must not
be passed by a vendor's extension. Names of properties are not read. A string that holds JSON with
escapes (arguments, results of tools) is read twice: as it stands, and what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import is_not

from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

Reword = Callable[[str], str]

_SETTINGS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""Parameters of a request that steer the model and are not read by it."""

_UNREAD = frozenset({"role", "type", "id", "tool_call_id", "image_url"})
"""Strings under these keys are structure, not text."""
_UNREAD_INSIDE: Mapping[str, frozenset[str]] = {
    "image_url": frozenset({"url", "detail"}),
    "input_audio": frozenset({"data", "format"}),
    "file": frozenset({"file_data", "file_id"}),
}
"""The same, for objects under these keys."""
_NOTHING: frozenset[str] = frozenset()
"""Inside JSON that stands in a string, everything is text."""

_CONTAINERS = (dict, list)
_MAY_OPEN_JSON = frozenset("{[ \t\r\n")


def texts(document: Mapping[str, object]) -> tuple[str, ...]:
    """All that a model would read, in order."""
    found: list[str] = []
    for key, value in document.items():
        if key not in _SETTINGS:
            _collect(value, found, _UNREAD)
    return tuple(found)


def reword(body: bytes, change: Reword) -> dict[str, bytes]:
    """New values for the top-level keys in which `change` changed a text; for splicing.

    `change` is given what `texts` gives. Numbers stay as they were written.
    """
    document = json_spans.decode_exactly(body)
    if type(document) is not dict:
        raise InvalidJson("expected an object")
    changed: dict[str, bytes] = {}
    for key, value in document.items():
        if key not in _SETTINGS:
            new = _reword(value, change, _UNREAD)
            if new is not value:
                changed[key] = json_spans.encode(new)
    return changed


def _collect(value: object, found: list[str], unread: frozenset[str]) -> None:
    if type(value) is dict:
        for key, item in value.items():
            if type(item) is str:
                if key not in unread:
                    _collect_text(item, found)
            elif type(item) in _CONTAINERS:
                _collect(item, found, _below(key, unread))
    elif type(value) is list:
        for item in value:
            _collect(item, found, unread)
    elif type(value) is str:
        _collect_text(value, found)


def _collect_text(text: str, found: list[str]) -> None:
    found.append(text)
    embedded = _embedded(text)
    if embedded is not None:
        _collect(embedded, found, _NOTHING)


def _reword(value: object, change: Reword, unread: frozenset[str]) -> object:
    """The value with its texts changed; the same object when none was."""
    if type(value) is str:
        return _reword_text(value, change)
    if type(value) is list:
        items = [_reword(item, change, unread) for item in value]
        return items if any(map(is_not, items, value)) else value
    if type(value) is dict:
        members = {key: _reword_member(key, item, change, unread) for key, item in value.items()}
        return members if any(map(is_not, members.values(), value.values())) else value
    return value


def _reword_member(key: str, item: object, change: Reword, unread: frozenset[str]) -> object:
    if type(item) is not str:
        return _reword(item, change, _below(key, unread))
    return item if key in unread else _reword_text(item, change)


def _reword_text(text: str, change: Reword) -> str:
    reworded = text
    embedded = _embedded(text)
    if embedded is not None:
        new = _reword(embedded, change, _NOTHING)
        if new is not embedded:
            reworded = json_spans.encode(new).decode()
    reworded = change(reworded)
    return text if reworded == text else reworded


def _below(key: str, unread: frozenset[str]) -> frozenset[str]:
    return unread if unread is _NOTHING else _UNREAD_INSIDE.get(key, _UNREAD)


def _embedded(text: str) -> object:
    """What a text spells in JSON, where reading that says more than the text itself; else None."""
    if text[:1] not in _MAY_OPEN_JSON or "\\" not in text:
        return None
    try:
        return json_spans.decode_exactly(text.encode())
    except InvalidJson:
        return None
