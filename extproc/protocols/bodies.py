"""Bodies with named values, JSON objects or forms, changed by splicing; what is not named stays."""

from __future__ import annotations

from collections.abc import Mapping

from extproc.protocols import json_spans, multipart

_FORM = b"--"
"""How a form begins, and no JSON does."""


def is_form(body: bytes) -> bool:
    return body.startswith(_FORM)


def replace(body: bytes, values: Mapping[str, bytes]) -> bytes:
    """The body with these top-level values, in JSON.

    The body must be one that its reader accepted.
    """
    if is_form(body):
        return multipart.replace(body, values)
    return json_spans.replace(body, values)
