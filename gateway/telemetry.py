"""Logs: one JSON object per line on stderr, without what looks like a secret."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from gateway.secret_texts import redact

LEVELS = ("debug", "info", "warning", "error")
"""What the command line takes as a log level."""
_CHATTY = "httpx"
"""It tells of each request at `info`: those of the control plane, which asks twice a second whether
its children are ready."""
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One object per record, with what its `extra` says; texts and tracebacks are redacted."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _OF_EVERY_RECORD and name not in line:  # what `extra` says
                line[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, *, process: str) -> None:
    """Sends every record from a level of `LEVELS` on to stderr; call it once, in `__main__`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger(_CHATTY).setLevel(logging.WARNING if level == "info" else logging.NOTSET)
    logging.captureWarnings(True)
