"""Logs are one JSON object per line, without secrets."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from gateway.telemetry import JsonFormatter


def record(message: str, *arguments: object, exc_info: object = None) -> dict[str, object]:
    made = logging.getLogger("dragoman.test").makeRecord(
        "dragoman.test",
        logging.WARNING,
        "file.py",
        1,
        message,
        arguments,
        exc_info,  # type: ignore[arg-type]
    )
    line = JsonFormatter("extproc-0").format(made)
    assert "\n" not in line
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_a_record_is_one_line_of_json() -> None:
    line = record("went\nwrong: %s", "really")
    assert line["message"] == "went\nwrong: really"
    assert line["level"] == "warning"
    assert line["process"] == "extproc-0"
    assert line["logger"] == "dragoman.test"
    assert str(line["time"]).endswith("+00:00")


def test_what_a_record_has_beside_its_message_is_in_the_line() -> None:
    made = logging.getLogger("dragoman.test").makeRecord(
        "dragoman.test", logging.INFO, "file.py", 1, "m", (), None,
        extra={"tokens": 3, "key": "sk-abcdef123456", "level": "mine"},
    )  # fmt: skip
    line = json.loads(JsonFormatter("xds").format(made))
    assert (line["tokens"], line["level"]) == (3, "info")
    assert "abcdef" not in line["key"]
    assert not {"args", "msg", "taskName"} & set(line)


def test_a_traceback_is_part_of_it_and_redacted() -> None:
    try:
        raise ValueError("refused sk-abcdef123456")
    except ValueError:
        line = record("oh", exc_info=sys.exc_info())
    assert "ValueError: refused" in str(line["exception"])
    assert "abcdef" not in str(line)


def test_every_logger_and_warning_goes_to_stderr_as_json() -> None:
    script = (
        "import logging, warnings\n"
        "from gateway.telemetry import LEVELS, configure_logging\n"
        "for level in (*LEVELS, 'info'):\n"
        "    configure_logging(level, process='xds')\n"
        "logging.getLogger('a').info('hello')\n"
        "logging.getLogger('a').debug('too quiet')\n"
        "logging.getLogger('httpx').info('asked whether it is ready')\n"
        "warnings.warn('careful')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == ""
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["process"] for line in lines] == ["xds", "xds"]
    assert lines[0]["message"] == "hello"
    assert "careful" in lines[1]["message"]
