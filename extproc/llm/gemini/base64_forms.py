"""Bytes in Gemini's JSON: base64 in either alphabet, with padding or without (protobuf's mapping).

The canonical form is RFC 4648 section 4 with padding. Google's own client writes section 5.
"""

from __future__ import annotations

import base64
import binascii

_NO_TEXT = ("image/", "audio/", "video/", "application/pdf")
_TEXT = ("image/svg",)


def standard(data: str) -> str:
    """The same bytes in the standard alphabet, padded."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    missing = -len(data) % 4
    return data + "=" * missing if missing else data


def text_of(blob: object) -> str | None:
    """What an `inlineData` says, unless it is an image, sound, a video or a PDF: also where it does
    not say what it is."""
    if type(blob) is not dict:
        return None
    media_type = blob.get("mimeType", blob.get("mime_type"))
    data = blob.get("data")
    if type(data) is not str:
        return None
    kind = media_type.strip().lower() if type(media_type) is str else ""
    if kind.startswith(_NO_TEXT) and not kind.startswith(_TEXT):
        return None
    return decoded(data)


def decoded(data: str) -> str | None:
    """The text that base64 holds; None where it is no base64."""
    if not data.isascii():
        return None
    try:
        return base64.b64decode(standard(data)).decode("utf-8", "replace")
    except binascii.Error:
        return None


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
