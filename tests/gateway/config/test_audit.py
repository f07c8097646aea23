"""The audit log of a configuration."""

from __future__ import annotations

import pytest

from gateway.audit_log.terms import AuditTerms
from gateway.config.load import load
from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.resolve import resolve

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
    ],
)
def test_what_is_wrong_is_told(said: str, problem: str) -> None:
    found = load(f"audit: {{{said}}}\n{LLM}", file="test.yaml", environment={})
    assert isinstance(found, tuple)
    assert problem in str(found[0])
