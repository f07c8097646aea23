"""The token that opens what not everybody on this machine may ask of the admin API, and what else
is secret and made by the control plane.

It is in the state directory, which its owner alone may read.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from pathlib import Path

from starlette.requests import Request

TOKEN_FILE = "admin-token"
"""In the state directory."""
SEED_FILE = "login-seed"
"""Beside it: what the cookies of logins are encrypted with is made of that."""
_BEARER = "bearer "


def read_or_make(state_dir: Path, name: str = TOKEN_FILE) -> str:
    """The token, or what else is in a file of this name; OSError when it can neither be read nor
    made."""
    file = state_dir / name
    if not file.exists():
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(file)
    return file.read_text("ascii").strip()


def _make(file: Path) -> None:
    """Whole, or not at all; whoever is first counts."""
    made = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"{secrets.token_urlsafe(32)}\n")
        with contextlib.suppress(FileExistsError):
            os.link(made, file)
    finally:
        made.unlink()


def is_shown(request: Request, token: str) -> bool:
    """Whether the request carries it, once."""
    given = request.headers.getlist("authorization")
    if len(given) != 1 or given[0][: len(_BEARER)].lower() != _BEARER:
        return False
    return bool(token) and hmac.compare_digest(given[0][len(_BEARER) :].encode(), token.encode())
