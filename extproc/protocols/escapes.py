"""What a text says to readers who take its escapes for what they stand for: guards read that, too.

A backend may find JSON in a text that is none to us (with `NaN`, or a name twice), YAML, XML or
HTML. RFC 8259 §7; YAML 1.2.2 §5.7; HTML, "character references". In what is JSON to us, strings are
read as they are meant anyway, as they are where escapes stand for signs or other letters than
ASCII's, which nobody needs to escape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8}))")
_NAMED: Final = {"commat": "@", "period": ".", "lowbar": "_", "num": "#", "colon": ":", "sol": "/"}
"""Those of HTML that stand for what is often looked for."""
_REFERENCE: Final = re.compile(
    rf"&(?:#[xX]0*([0-9a-fA-F]{{1,6}})|#0*([0-9]{{1,7}})|({'|'.join(_NAMED)}));?"
)
_MARKUP: Final = frozenset("<>&\"'\\")
"""What has to be escaped, in one language or the other."""


def may_have_others(document: bytes) -> bool:
    """Whether texts of a document can have other readings."""
    return b"\\" in document or b"&" in document


def others(texts: Iterable[str]) -> tuple[str, ...]:
    """The other readings of these texts."""
    return tuple(new for each in texts for new in _readings(each))


def without_references(text: str) -> str:
    """As HTML and XML have it."""
    return _REFERENCE.sub(_referred, text) if "&" in text else text


def _readings(text: str) -> Iterable[str]:
    if "&" in text and any(_is_hidden(_referred(each)) for each in _REFERENCE.finditer(text)):
        yield _REFERENCE.sub(_referred, text)
    escapes = _ESCAPE.finditer(text) if "\\" in text else ()
    if any(_is_hidden(_meant(each)) for each in escapes) and not _is_json(text):
        yield _ESCAPE.sub(_meant, text)


def _is_hidden(meant: str) -> bool:
    """A character that nobody needs to escape."""
    return len(meant) == 1 and meant.isascii() and meant.isprintable() and meant not in _MARKUP


def _meant(escape: re.Match[str]) -> str:
    return _character(int(escape[1] or escape[2] or escape[3], 16), escape[0])


def _referred(reference: re.Match[str]) -> str:
    if reference[3] is not None:
        return _NAMED[reference[3]]
    code = int(reference[2]) if reference[1] is None else int(reference[1], 16)
    return _character(code, reference[0])


def _character(code: int, otherwise: str) -> str:
    is_one = code < 0xD800 or 0xDFFF < code < 0x110000
    return chr(code) if is_one else otherwise


def _is_json(text: str) -> bool:
    try:
        json_spans.decode_any(text.encode())
    except InvalidJson:
        return False
    return True
