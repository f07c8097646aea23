"""Attachments as OpenAI's chat dialect writes them: data URLs, formats of sound, cache marks."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from extproc.llm.faults import Unfit
from extproc.llm.fields import mapping, string
from extproc.llm.request import CacheMark, Inline, Remote
from extproc.verdict import Deny

_AUDIO_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "audio/mp3": "mp3",
        "audio/mpeg": "mp3",
        "audio/wav": "wav",
        "audio/wave": "wav",
        "audio/x-wav": "wav",
    }
)
_MAGIC: tuple[tuple[str, str], ...] = (
    ("/9j/", "image/jpeg"),
    ("iVBORw0KGgo", "image/png"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
)
"""How files of these types begin, in base64."""
_EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "application/msword": "doc",
        "application/pdf": "pdf",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "text/csv": "csv",
        "text/html": "html",
        "text/markdown": "md",
        "text/plain": "txt",
    }
)
_TYPES: Mapping[str, str] = MappingProxyType(
    {extension: media_type for media_type, extension in _EXTENSIONS.items()}
)
_BASE64_GROUP = 4


def source_of(url: str, where: str) -> Inline | Remote:
    """What an attachment's URL holds or points to."""
    if url[:5].lower() != "data:":
        return Remote(url)
    head, comma, data = url[5:].partition(",")
    if not comma:
        reason = f"{where} is not a valid data URL"
        raise Unfit(Deny(400, "invalid_value", reason, param=where))
    media_type, *parameters = head.split(";")
    if parameters and parameters[-1].strip().lower() == "base64":
        if "%" in data:
            data = unquote_to_bytes(data).decode("ascii", "replace")
        return inline(media_type.strip().lower(), data)
    encoded = base64.b64encode(unquote_to_bytes(data)).decode()
    return Inline(media_type.strip().lower() or "text/plain", encoded)


def inline(media_type: str, data: str) -> Inline:
    """Base64 with its padding; the type is guessed where it is not said."""
    missing = -len(data) % _BASE64_GROUP
    if missing:
        data += "=" * missing
    return Inline(media_type or _guessed(data), data)


def file_source(data: str, name: str, where: str) -> Inline | Remote:
    """What `file_data` holds: a data URL, another URL, or base64 alone."""
    if data[:5].lower() == "data:" or "://" in data[:16]:
        return source_of(data, where)
    extension = name.rpartition(".")[2].lower()
    return inline(_TYPES.get(extension, ""), data)


def data_url(source: Inline) -> str:
    """The data URL of what is inline."""
    media_type = source.media_type or _guessed(source.data) or "application/octet-stream"
    return f"data:{media_type};base64,{source.data}"


def file_name(media_type: str) -> str:
    """For a file without one: OpenAI wants one."""
    extension = _EXTENSIONS.get(media_type, "")
    return f"document.{extension}" if extension else "document"


def audio_format(media_type: str) -> str | None:
    """`wav` or `mp3`; None: OpenAI takes no other."""
    return _AUDIO_FORMATS.get(media_type)


def cache_mark(part: Mapping[str, object], where: str) -> CacheMark | None:
    """Of a part: OpenAI's own mark, or Anthropic's, which OpenRouter and others take."""
    if "prompt_cache_breakpoint" in part:
        mark = mapping(part, "prompt_cache_breakpoint", where)
        # 30m or 12h, which other providers round to an hour
        return None if mark is None else CacheMark("1h" if mark.get("ttl") else None)
    if "cache_control" in part:
        mark = mapping(part, "cache_control", where)
        return None if mark is None else CacheMark(string(mark, "ttl", where) or None)
    return None


def _guessed(data: str) -> str:
    return next((media_type for magic, media_type in _MAGIC if data.startswith(magic)), "")
