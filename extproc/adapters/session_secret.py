"""What MCP session ids are sealed with, where the configuration says nothing: made once, and kept
in the state directory, so that all workers of a machine open them, and restarts end none."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

_FILE = "mcp-sessions.secret"
_BYTES = 32


def session_secret(state_dir: Path) -> str:
    """The secret; whoever comes first makes it. Raises OSError."""
    path = state_dir / _FILE
    if not path.exists():
        # whole or not at all: others may read it at any time
        descriptor, made = tempfile.mkstemp(prefix=f"{_FILE}.", dir=state_dir)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        os.unlink(made)
    return path.read_text().strip()
