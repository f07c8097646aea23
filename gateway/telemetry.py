"""Logs: one JSON object per line on stderr, without what looks like a secret."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from gateway.secret_texts import redact

LEVELS = ("debug", "info", "warning", "error")
"""What the command line takes as a log level."""


class JsonFormatter(logging.Formatter):
    """One object per record; message and traceback are redacted."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, *, process: str) -> None:
    """Sends every record from a level of `LEVELS` on to stderr; call it once, in `__main__`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
