"""Files that stand in a request, in base64 or as data URLs (RFC 2397): what of them a model would
read as text.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import unquote

_NO_TEXT: Final = ("image/", "audio/", "video/", "application/pdf")
_TEXT: Final = ("image/svg",)
_LONGEST_SCHEME: Final = 16
_ALPHABET: Final = {ord("-"): "+", ord("_"): "/"}


def text_of(file: str) -> str | None:
    """None: it is an image, sound, a video, a PDF; or no base64 at all."""
    if file[:5].lower() != "data:":
        return file if "://" in file[:_LONGEST_SCHEME] else decoded(file)
    head, comma, data = file[5:].partition(",")
    head = head.lower()
    media_type = head.partition(";")[0].strip()
    if not comma or (media_type.startswith(_NO_TEXT) and not media_type.startswith(_TEXT)):
        return None
    return decoded(data) if head.rstrip().endswith("base64") else unquote(data)


def decoded(data: str, *, is_text: bool = True) -> str | None:
    """The text that base64 holds, in either alphabet and with padding or without; None: it is none.

    What is no text becomes U+FFFD in what is said to be one: some reader may pass over it.
    """
    if not data.isascii():
        return None
    data = "".join(unquote(data).translate(_ALPHABET).split()).rstrip("=")
    try:
        return base64.b64decode(data + "=" * (-len(data) % 4)).decode(
            "utf-8", "replace" if is_text else "strict"
        )
    except (binascii.Error, UnicodeDecodeError):
        return None
