"""Bedrock's words for kinds of files, and for why an answer ended.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html and
API_runtime_ConverseResponse.html.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.answer import Stop

IMAGE_TYPES: Mapping[str, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
DOCUMENT_TYPES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
AUDIO_TYPES: Mapping[str, str] = {
    name: f"audio/{name}"
    for name in (
        *("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a"),
        *("mpeg", "mpga", "pcm", "webm"),
    )
}
VIDEO_TYPES: Mapping[str, str] = {
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
    "mpg": "video/mpg",
    "wmv": "video/x-ms-wmv",
    "three_gp": "video/3gpp",
}

_ALIASES: Mapping[str, str] = {
    "image/jpg": "jpeg",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/x-m4a": "m4a",
    "audio/x-flac": "flac",
    "application/csv": "csv",
    "text/x-markdown": "md",
}


def _formats(*tables: Mapping[str, str]) -> dict[str, str]:
    return {media_type: name for table in tables for name, media_type in table.items()}


_IMAGES = _formats(IMAGE_TYPES)
_DOCUMENTS = _formats(DOCUMENT_TYPES)
_AUDIO = _formats(AUDIO_TYPES)
_VIDEOS = _formats(VIDEO_TYPES)


def image_format(media_type: str) -> str | None:
    return _format(media_type, _IMAGES)


def document_format(media_type: str) -> str | None:
    return _format(media_type, _DOCUMENTS)


def audio_format(media_type: str) -> str | None:
    return _format(media_type, _AUDIO)


def video_format(media_type: str) -> str | None:
    return _format(media_type, _VIDEOS)


def _format(media_type: str, formats: Mapping[str, str]) -> str | None:
    """Bedrock's name of a media type, with or without parameters, if it is one of these."""
    plain = media_type.partition(";")[0].strip().lower()
    found = formats.get(plain)
    if found is not None:
        return found
    alias = _ALIASES.get(plain)
    return alias if alias in formats.values() else None


STOPS: Mapping[str, Stop] = {
    "end_turn": Stop.END,
    "tool_use": Stop.TOOL_CALLS,
    "max_tokens": Stop.MAX_TOKENS,
    "stop_sequence": Stop.SEQUENCE,
    "guardrail_intervened": Stop.CONTENT_FILTER,
    "content_filtered": Stop.CONTENT_FILTER,
    "model_context_window_exceeded": Stop.CONTEXT,
    "refusal": Stop.REFUSAL,
}
"""Others (`malformed_model_output`, `malformed_tool_use`) are `Stop.OTHER`."""
STOP_REASONS: Mapping[Stop, str] = {
    Stop.END: "end_turn",
    Stop.TOOL_CALLS: "tool_use",
    Stop.MAX_TOKENS: "max_tokens",
    Stop.SEQUENCE: "stop_sequence",
    Stop.CONTENT_FILTER: "content_filtered",
    Stop.REFUSAL: "content_filtered",
    Stop.CONTEXT: "model_context_window_exceeded",
    Stop.PAUSE: "end_turn",
    Stop.OTHER: "end_turn",
}

TIERS = frozenset({"priority", "default", "flex", "reserved"})
TTLS = frozenset({"5m", "1h"})
STOP_SEQUENCE_PATH = "/stop_sequence"
"""The client asks by it, among its `additionalModelResponseFieldPaths`, which sequence was met."""
