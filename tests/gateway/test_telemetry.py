"""Logs are one JSON object per line, without secrets."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from gateway.telemetry import REDACTED, JsonFormatter, redact


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


def test_a_traceback_is_part_of_it_and_redacted() -> None:
    try:
        raise ValueError("refused sk-abcdef123456")
    except ValueError:
        line = record("oh", exc_info=sys.exc_info())
    assert "ValueError: refused" in str(line["exception"])
    assert "abcdef" not in str(line)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("authorization: Bearer abc.def-123", "abc.def-123"),
        ('{"authorization": "bearer s3cr3t"}', "s3cr3t"),
        ("key sk-proj-Abc_123456 was refused", "sk-proj-Abc_123456"),
        ("gsk_abcdef123456", "gsk_abcdef123456"),
        ("x-api-key: hunter2", "hunter2"),
        ('"api_key": "hunter2"', "hunter2"),
        ("apikey=hunter2&x=1", "hunter2"),
        ("postgresql password=hunter2 host=db", "hunter2"),
        ("AIzaSyA1234567890abcdefghijk", "AIzaSyA1234567890abcdefghijk"),
        ("ghp_0123456789abcdefghij0123", "ghp_0123456789abcdefghij0123"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln here", "eyJhbGciOi.eyJzdWIi.c2ln"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "denied by 'finance-tools'",
        "cluster dragoman_extproc has no hosts",
        "task-runner risk-assessment disk-usage-report",
        "model gpt-5-mini used 1200 tokens",
        "invalid_api_key",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_every_logger_and_warning_goes_to_stderr_as_json() -> None:
    script = (
        "import logging, warnings\n"
        "from gateway.telemetry import LEVELS, configure_logging\n"
        "for level in (*LEVELS, 'info'):\n"
        "    configure_logging(level, process='xds')\n"
        "logging.getLogger('a').info('hello')\n"
        "logging.getLogger('a').debug('too quiet')\n"
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
