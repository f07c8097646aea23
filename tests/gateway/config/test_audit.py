"""The audit log of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.audit_log.sealing import key_of
from gateway.audit_log.terms import AuditTerms
from gateway.config.load import load, load_file
from gateway.config.published import for_workers, published
from gateway.config.schema import Config
from gateway.names import CONFIGURATION_TYPE
from gateway.resolve import resolve
from xds_server.redaction import redacted

LLM = "llm: {models: {}}\n"


def terms(yaml: str) -> AuditTerms | None:
    config = load(yaml + LLM, file="test.yaml", environment={})
    assert isinstance(config, Config), config
    again = load(for_workers(config), file="workers", environment={})
    assert isinstance(again, Config), again
    assert resolve(again).audit == resolve(config).audit
    return resolve(config).audit


def test_without_a_block_there_is_none() -> None:
    assert terms("") is None


def test_an_empty_block_is_one_with_all_defaults() -> None:
    assert terms("audit: {}\n") == AuditTerms()


def test_everything_can_be_said() -> None:
    yaml = """
audit:
  path: /var/log/dragoman
  records: all
  content: true
  on_error: allow
  file_size: 10MiB
  daily: true
"""
    assert terms(yaml) == AuditTerms("/var/log/dragoman", True, True, False, 10 << 20, True)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("records: denials", "audit.records: must be one of verdicts, all"),
        ("on_error: ignore", "audit.on_error: must be one of block, allow"),
        ("file_size: 0", "audit.file_size: must be whole bytes"),
        ("path: ''", "audit.path: must be one line of text"),
        ("folder: x", "audit.folder: unknown key"),
        ("secret: short", "audit.secret: must have at least 32 characters"),
    ],
)
def test_what_is_wrong_is_told(said: str, problem: str) -> None:
    found = load(f"audit: {{{said}}}\n{LLM}", file="test.yaml", environment={})
    assert isinstance(found, tuple)
    assert problem in str(found[0])


def test_a_secret_is_told_to_workers_and_to_nobody_else() -> None:
    secret = "0123456789abcdef" * 2
    found = terms(f"audit: {{secret: {secret}}}\n")
    assert found is not None
    assert found.key == key_of(secret)
    config = load(f"audit: {{secret: {secret}}}\n{LLM}", file="test.yaml", environment={})
    assert isinstance(config, Config)
    assert secret in for_workers(config)
    assert secret not in published(config)
    assert secret not in repr(config)
    shown = redacted(CONFIGURATION_TYPE, {"yaml": for_workers(config)})
    assert secret not in str(shown)


def test_it_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n")
    (tmp_path / "gateway.yaml").write_text(f"audit: {{secret_file: key}}\n{LLM}")
    config = load_file(tmp_path / "gateway.yaml", {})
    assert isinstance(config, Config), config
    found = resolve(config).audit
    assert found is not None
    assert found.key == key_of("k" * 40)
    assert "k" * 40 in for_workers(config)
    (tmp_path / "key").write_text("short")
    problems = load_file(tmp_path / "gateway.yaml", {})
    assert "has a secret_file of fewer than 32 characters" in str(problems)
